"""What does a CSV file say, by the simplest reader that we could write? The fast one's oracle."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from saferoom.core.facts import Table
from saferoom.core.source import Encoding, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.cells import Dirty, Value, last_day, reader_for
from saferoom.intake.lines import LONGEST_CELL
from saferoom.intake.reading import Finding, Reading


def read_by_rows(
    path: Path,
    *,
    source: SourceTable,
    table: Table,
    encoding: Encoding,
    now: datetime,
) -> tuple[list[list[Value]], Reading]:
    """Read clean rows and what is left outside."""
    name = "utf-8-sig" if encoding is Encoding.UTF_8 else "gb18030"
    csv.field_size_limit(LONGEST_CELL)
    clean: list[list[Value]] = []
    reading, keys = Reading(), set[tuple[Value, ...]]()
    with path.open(encoding=name, errors="replace", newline="") as lines:
        rows = csv.reader(lines, strict=True)
        try:
            order = _column_order(next(rows, []), source, table)
            parser = _Parser(table, order, len(source.headings) + len(source.ignore), now)
            for number, row in enumerate(rows, 1):
                taken = parser.row(row, number)
                if not isinstance(taken, Finding) and (key := parser.key(taken)) in keys:
                    taken = Finding(number, "record_id", "duplicate")
                if isinstance(taken, Finding):
                    reading.quarantine(taken)
                else:
                    keys.add(key)
                    clean.append(taken)
        except csv.Error as error:
            raise BadInput("SOURCE_MALFORMED", "quoting") from error
    reading.rows = len(clean)
    return clean, reading


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
        names = self._names = [column.name for column in self._columns]
        self._event = names.index("event_date")
        self._period = names.index(table.period) if table.period else None

    def key(self, values: list[Value]) -> tuple[Value, ...]:
        """Name what may stand once in a file."""
        return tuple(values[self._names.index(name)] for name in ("uscc", "record_id", "known_at"))

    def row(self, row: list[str], number: int) -> list[Value] | Finding:
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
