"""Whose records may not come back, though a source sends them again?

An erased enterprise is remembered by a keyed mark and the instant of its erasure, never by its
code. Rows that say they were known by the end of that day are left out when they come in again;
what is known later is new, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.core.moment import end_of_local_day, local_day
from saferoom.vault.keys import Keys

_NEVER = np.iinfo(np.int64).min


def _until(erased: datetime) -> int:
    """Count the whole day of the erasure: a source may know of a record by its day alone."""
    return int(end_of_local_day(local_day(erased)).timestamp())


class Tombstones:
    """The marks of the erased."""

    def __init__(self, keys: Keys, erased: Mapping[bytes, datetime] | None = None) -> None:
        """Take them from the journal of erasures."""
        self._keys = keys
        self._erased = {mark: _until(at) for mark, at in (erased or {}).items()}

    def place(self, mark: bytes, at: datetime) -> None:
        """Remember one more."""
        self._erased = {**self._erased, mark: max(_until(at), self._erased.get(mark, _NEVER))}

    def spare(self, rows: pa.Table) -> pa.Table:
        """Leave out what was erased."""
        if not self._erased:
            return rows
        coded = rows["uscc"].combine_chunks().dictionary_encode()
        marks = [self._keys.mark_of(code) for code in coded.dictionary.to_pylist()]
        until = np.array([self._erased.get(mark, _NEVER) for mark in marks], np.int64)
        known: NDArray[np.int64] = rows["known_at"].to_numpy()
        return rows.filter(pa.array(known > until[coded.indices.to_numpy()]))
