"""Where are the cells of a block of whole lines, if that can be said without second thoughts?

Commas and line ends are found all at once. A block whose lines all have as many cells as there are
headings shows it by their places alone; from any other the lines that have not are taken out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.intake.lines import COMMA, FEED, RETURN, line_ends, places_of, plain

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


def split(block: bytes, width: int) -> tuple[pa.Array, Mask] | None:
    """Return the cells, and which lines they are of: those with so many; None if not plain.

    The cells stand row by row, each followed by what parts it from the next: cell n at 2 · n.
    """
    if quoted := b'"' in block:
        if not plain(block, line_ends(block)):
            return None
        block = block.replace(b'"', b"")  # they hold nothing together
    marks = places_of(block, COMMA, FEED)
    ends = _even_ends(block, marks, width)
    if ends is not None:
        fits = np.ones(len(ends), np.bool_)
    else:
        ends = line_ends(block)
        fits = np.diff(np.searchsorted(marks, ends, "right"), prepend=0) == width
    if not quoted and not plain(block, ends):
        return None
    if not fits.all():
        block = _only(block, ends, fits)
        marks = places_of(block, COMMA, FEED)
    return _lay(block, marks, width), fits


def _even_ends(block: bytes, marks: Places, width: int) -> Places | None:
    """Find the ends of lines that have so many cells each; None if some have not."""
    ends = marks[width - 1 :: width]
    if len(ends) * width != len(marks):
        return None
    feeds = ends if block.endswith(b"\n") else ends[:-1]
    data = np.frombuffer(block, np.uint8)
    whole = (data[feeds] == FEED).all() and np.count_nonzero(data == FEED) == len(feeds)
    return ends if whole else None


def _only(block: bytes, ends: Places, chosen: Mask) -> bytes:
    """Leave lines out."""
    bytes_of = np.repeat(chosen, np.diff(ends, prepend=-1))
    return np.frombuffer(block, np.uint8)[bytes_of[: len(block)]].tobytes()


def _lay(block: bytes, marks: Places, width: int) -> pa.Array:
    edges = np.zeros(2 * len(marks), "<i4")  # where each cell begins and ends
    edges[1::2] = marks
    edges[2::2] = marks[:-1] + 1
    if b"\r" in block:
        last = marks[width - 1 :: width] - 1
        edges[2 * width - 1 :: 2 * width] -= np.frombuffer(block, np.uint8)[last] == RETURN
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(block)]
    return pa.Array.from_buffers(pa.binary(), max(len(edges) - 1, 0), buffers)
