"""How does a source's CSV file become clean typed columns, a piece at a time?

Rows that cannot be taken are quarantined with their number and a reason; a file whose
headings differ from the declaration, or whose quoting breaks, is refused whole.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from saferoom.core.facts import Table
from saferoom.core.source import Encoding, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.cells import Dirty, Value, last_day, reader_for

BATCH_ROWS = 20_000
MOST_FINDINGS = 1_000  # kept with row numbers; beyond that they are only counted
LONGEST_CELL = 4_096


@dataclass(frozen=True)
class Finding:
    """Why a row waits outside; rows count from 1 after the headings."""

    row: int
    column: str
    reason: str


@dataclass
class Reading:
    """What one file gave so far."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Count the rows left outside."""
        return self.reasons.total()

    def quarantine(self, finding: Finding) -> None:
        """Leave a row outside."""
        self.reasons[finding.reason] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def read_batches(
    path: Path,
    *,
    source: SourceTable,
    table: Table,
    encoding: Encoding,
    now: datetime,
    reading: Reading,
) -> Iterator[list[list[Value]]]:
    """Yield clean columns in the table's order, counting into `reading`."""
    name = "utf-8-sig" if encoding is Encoding.UTF_8 else "gb18030"  # a superset of GBK
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding=name, errors="replace", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        try:
            order = _column_order(next(rows, []), source, table)
            parser = _Parser(table, order, len(source.headings) + len(source.ignore), now)
            first = 1
            while piece := list(islice(rows, BATCH_ROWS)):
                yield parser.parse(piece, first, reading)
                first += len(piece)
        except csv.Error as error:
            raise BadInput("SOURCE_MALFORMED", f"quoting, near line {rows.line_num}") from error


def _column_order(headings: Sequence[str], source: SourceTable, table: Table) -> list[int]:
    """Find each of our columns; whatever is missing, renamed, doubled or new is refused."""
    expected = {one.heading for one in source.headings} | set(source.ignore)
    if set(headings) != expected or len(headings) != len(expected):
        differing = len(set(headings) ^ expected)
        raise BadInput("SOURCE_MALFORMED", f"headings of {table.name}: {differing} differ")
    theirs = {one.column: one.heading for one in source.headings}
    return [headings.index(theirs[column.name]) for column in table.all_columns]


class _Parser:
    def __init__(self, table: Table, order: list[int], width: int, now: datetime) -> None:
        self._table, self._order, self._width = table, order, width
        self._columns = table.all_columns
        self._readers = [reader_for(column, now) for column in self._columns]
        names = [column.name for column in self._columns]
        self._event = names.index("event_date")
        self._period = names.index(table.period) if table.period else None

    def parse(self, rows: list[list[str]], first: int, reading: Reading) -> list[list[Value]]:
        """Parse a piece of the file; dirty rows stay outside whole."""
        clean: list[list[Value]] = []
        for number, row in enumerate(rows, first):
            taken = self._row(row, number)
            if isinstance(taken, Finding):
                reading.quarantine(taken)
            else:
                clean.append(taken)
        reading.rows += len(clean)
        return [list(column) for column in zip(*clean, strict=True)] if clean else []

    def _row(self, row: list[str], number: int) -> list[Value] | Finding:
        if len(row) != self._width:
            return Finding(number, "", "ragged")
        values: list[Value] = []
        for place, column, read in zip(self._order, self._columns, self._readers, strict=True):
            try:
                values.append(read(row[place]))
            except Dirty as dirty:
                return Finding(number, column.name, dirty.reason)
        if self._period is not None and not self._period_ends(values):
            return Finding(number, "event_date", "period")
        return values

    def _period_ends(self, values: list[Value]) -> bool:
        period = values[self._period or 0]
        kind = self._columns[self._period or 0].type
        return isinstance(period, int) and values[self._event] == last_day(period, kind)
