"""Which rows of a piece are clean, and how do the clean ones travel?

Every kind of source ends here: cells as written, a column each, go in; a batch and findings
come out. A row's first dirty column in the table's order is its finding; then the period is
compared with event_date; then a key that the same file brought before waits outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.core.facts import CellType, Table
from saferoom.intake.batches import encode
from saferoom.intake.cells import REASONS, last_day, reader_for
from saferoom.intake.columns import CLEAN, Checked, Mask, check_column
from saferoom.intake.duplicates import Seen
from saferoom.intake.reading import Finding, Reading


@dataclass(frozen=True)
class Piece:
    """Some rows as written: bytes, or a dictionary of bytes, for each of the table's columns."""

    cells: Sequence[pa.Array]
    numbers: NDArray[np.int64]  # of these rows in the source, from 1
    ragged: Sequence[int] = ()  # numbers of rows beside them that had too many or few cells
    encoding: str = "utf-8"


class RowChecker:
    """The rows of one table of one source."""

    def __init__(self, table: Table, now: datetime, reading: Reading) -> None:
        self._table, self._reading, self._seen = table, reading, Seen()
        self._columns = table.all_columns
        self._readers = [reader_for(column, now) for column in self._columns]
        self._places = {column.name: place for place, column in enumerate(self._columns)}

    def take(self, piece: Piece) -> bytes | None:
        """Count and quarantine; return the clean rows as a batch, None where there are none."""
        findings = [Finding(number, "", "ragged") for number in piece.ragged]
        checked = [
            check_column(column, cells, read, piece.encoding)
            for column, cells, read in zip(self._columns, piece.cells, self._readers, strict=True)
        ]
        clean = np.ones(len(piece.numbers), np.bool_)
        for column, one in zip(self._columns, checked, strict=True):
            for row in np.flatnonzero(clean & (one.codes != CLEAN)):
                reason = REASONS[one.codes[row] - CLEAN - 1]
                findings.append(Finding(int(piece.numbers[row]), column.name, reason))
            clean &= one.codes == CLEAN
        for name, reason, fails in (
            ("event_date", "period", self._not_at_end),
            ("record_id", "duplicate", self._seen_before),
        ):
            for row in fails(checked, clean):
                findings.append(Finding(int(piece.numbers[row]), name, reason))
                clean[row] = False
        for finding in sorted(findings):
            self._reading.quarantine(finding)
        self._reading.rows += int(clean.sum())
        return self._batch(checked, clean) if clean.any() else None

    def _batch(self, checked: Sequence[Checked], clean: Mask) -> bytes:
        whole = bool(clean.all())
        values = [one.values if whole else one.only(clean) for one in checked]
        return encode(self._table.name, self._columns, values)

    def _not_at_end(self, checked: Sequence[Checked], clean: Mask) -> NDArray[np.int64]:
        """Find rows whose event_date is not the last day of their period."""
        if self._table.period is None:
            return np.zeros(0, np.int64)
        place = self._places[self._table.period]
        rows = np.flatnonzero(clean)
        periods: NDArray[np.int64] = np.asarray(checked[place].values)[rows]
        if not len(rows):
            return rows
        ends = _last_days(periods, self._columns[place].type)
        events: NDArray[np.int64] = np.asarray(checked[self._places["event_date"]].values)[rows]
        late: NDArray[np.int64] = rows[events != ends]
        return late

    def _seen_before(self, checked: Sequence[Checked], clean: Mask) -> NDArray[np.int64]:
        """Find rows whose enterprise, record and known_at stood in an earlier row."""
        rows = np.flatnonzero(clean)
        enterprise, record, known_at = (
            checked[self._places[name]].only(clean) for name in ("uscc", "record_id", "known_at")
        )
        return rows[self._seen.repeated(enterprise, record, np.asarray(known_at))]


def _last_days(periods: NDArray[np.int64], kind: CellType) -> NDArray[np.int64]:
    """Name the last day of each period; few are different, and all lie within some centuries."""
    first = int(periods.min())
    places = periods - first
    days = np.zeros(int(places.max()) + 1, np.int64)
    there = np.zeros(len(days), np.bool_)
    there[places] = True
    for place in np.flatnonzero(there).tolist():
        days[place] = last_day(first + place, kind)
    return days[places]
