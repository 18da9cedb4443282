"""Was this key in an earlier row of the same file?

A key is (uscc, record_id, known_at); two rows with one key are two words about one moment,
and which would count would be chance. We remember 64 bits of each key, mixed with a secret
that Python draws per process, so that nobody can write two keys that meet; that two of
40 million meet by accident has a chance of less than one in ten thousand, and then a row waits
outside that need not.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.errors import BadInput
from saferoom.intake.columns import Mask

MOST_ROWS = 40_000_000  # of one file: its keys take half a gigabyte
_SMALLEST, GROWTH = 2**16, 4  # 2**26 places are the most: two thirds of them hold MOST_ROWS
_ODD = np.uint64(0x9E3779B97F4A7C15)  # any odd number: different times never meet
_Marks = NDArray[np.uint64]


class Seen:
    """The keys of one file; open addressing, empty places hold 0."""

    def __init__(self) -> None:
        assert sys.flags.hash_randomization  # else a stranger could write keys that meet
        self._table: _Marks = np.zeros(_SMALLEST, np.uint64)
        self._count = 0

    def repeated(self, enterprise: pa.Array, record: pa.Array, known_at: NDArray[np.int64]) -> Mask:
        """Say of each row whether its key stood before, here or in an earlier call."""
        marks = _marks(enterprise, record, known_at)
        ordered = np.sort(marks)
        different = np.ones(len(marks), np.bool_)
        different[1:] = ordered[1:] != ordered[:-1]
        ordered = ordered[different]
        self._make_room(len(ordered))
        there = self._insert(ordered)
        if different.all() and not there.any():
            return np.zeros(len(marks), np.bool_)
        later = np.ones(len(marks), np.bool_)
        later[np.unique(marks, return_index=True)[1]] = False
        return later | np.isin(marks, ordered[there])

    def _make_room(self, more: int) -> None:
        if self._count + more > MOST_ROWS:
            raise BadInput("SOURCE_MALFORMED", f"more than {MOST_ROWS} rows in one file")
        while (self._count + more) * 3 > len(self._table) * 2:
            old = np.sort(self._table[self._table != 0])
            self._table = np.zeros(GROWTH * len(self._table), np.uint64)
            self._count = 0
            self._insert(old)

    def _insert(self, marks: _Marks) -> Mask:
        """Put different marks in, the least first; say which were there."""
        there = np.zeros(len(marks), np.bool_)
        last = np.uint64(len(self._table) - 1)
        shift = np.uint64(64 - (len(self._table) - 1).bit_length())
        rows, places = np.arange(len(marks)), marks >> shift
        while len(
            rows
        ):  # two that want one place are neighbours: so many rounds, so many places on
            mine, found = marks[rows], self._table[places]
            same = found == mine
            there[rows[same]] = True
            placed = (found == 0) & np.append(places[1:] != places[:-1], True)
            self._table[places[placed]] = mine[placed]
            left = ~(same | placed)
            rows, places = rows[left], (places[left] + np.uint64(1)) & last
        self._count += int(len(marks) - there.sum())
        return there


def _marks(enterprise: pa.Array, record: pa.Array, known_at: NDArray[np.int64]) -> _Marks:
    keys = pc.binary_join_element_wise(enterprise, record, "").cast(pa.binary()).to_pylist()
    marks = np.fromiter(map(hash, keys), np.int64, len(keys)).view(np.uint64)
    marks = marks + known_at.astype(np.int64).view(np.uint64) * _ODD
    return np.maximum(marks, np.uint64(1))
