"""Where do a file's lines end, and can a block of them be split without second thoughts?"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from saferoom.errors import BadInput

BLOCK = 8 * 2**20
LONGEST_CELL = 4_096  # characters
LONGEST_ROW = 2**20  # bytes; a row is the least that is held at once
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MARK = b"\xef\xbb\xbf"
COMMA, FEED, RETURN, _QUOTE = b',\n\r"'


class Lines:
    """A file's lines, one at a time for Python's reader or in blocks of whole ones."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        self._file, self._codec = file, codec
        self._block, self._at, self._rest, self._row = b"", 0, b"", 0
        if codec == "utf-8" and (head := file.read(len(_MARK))) != _MARK:
            self._rest = head

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        """Decode the next line; whatever cannot be decoded is marked as such."""
        if not self.inside():
            self._block, self._at = self._read(), 0
        if not self._block:
            raise StopIteration
        end = _LINE_END.search(self._block, self._at)
        to = end.end() if end else len(self._block)
        line, self._at = self._block[self._at : to], to
        self._row += len(line)
        if self._row > LONGEST_ROW:
            raise BadInput("SOURCE_MALFORMED", f"a row of more than {LONGEST_ROW} bytes")
        return line.decode(self._codec, "replace")

    def row_ended(self) -> None:
        """Begin to count the next row's bytes."""
        self._row = 0

    def inside(self) -> bool:
        """Say whether lines of the block are left."""
        return self._at < len(self._block)

    def block(self) -> bytes:
        """Take what is left of the block, else the next one; nothing at the file's end."""
        self._row = 0
        taken = self._block[self._at :] if self.inside() else self._read()
        self._block, self._at = b"", 0
        return taken

    def put_back(self, block: bytes) -> None:
        """Leave a block to be read by lines."""
        self._block, self._at = block, 0

    def _read(self) -> bytes:
        data = self._rest + self._file.read(BLOCK)
        if len(data) < BLOCK:
            self._rest = b""
            return data
        # A carriage return at the very end may be half of a line's end.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        if cut == 0:
            raise BadInput("SOURCE_MALFORMED", f"a row of more than {LONGEST_ROW} bytes")
        self._rest = data[cut:]
        return data[:cut]


def plain(block: bytes, ends: NDArray[np.int64]) -> bool:
    """Say whether every reader of CSV must find the same cells, none of them too long.

    Lines end alike, none is empty, and quotes stand only around whole cells that hold neither
    quotes nor commas nor line ends.
    """
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        return False
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > LONGEST_CELL or lengths.min() <= len(b"\r\n"):
        return False
    return b'"' not in block or _plainly_quoted(np.frombuffer(block, np.uint8))


def line_ends(block: bytes) -> NDArray[np.int64]:
    """Find the last byte of each line, or the place behind the last one if it has no end."""
    return places_of(block, FEED)


def places_of(block: bytes, *letters: int) -> NDArray[np.int64]:
    """Find these letters, and the end of the last line if it has none."""
    data = np.frombuffer(block, np.uint8)
    marked = data == letters[0]
    for letter in letters[1:]:
        marked |= data == letter
    places = np.flatnonzero(marked)
    return np.append(places, len(block)) if block and not block.endswith(b"\n") else places


def _plainly_quoted(data: NDArray[np.uint8]) -> bool:
    quotes = np.flatnonzero(data == _QUOTE)
    if len(quotes) % 2:
        return False
    around = np.concatenate([[FEED], data, [FEED]])
    opening, closing = quotes[0::2], quotes[1::2]
    between = np.flatnonzero((data == COMMA) | (data == FEED))
    cell = np.searchsorted(between, quotes)
    return bool(
        np.isin(around[opening], (COMMA, FEED)).all()
        and np.isin(around[closing + 2], (COMMA, FEED, RETURN)).all()
        and (cell[0::2] == cell[1::2]).all()
    )
