"""How does a source's Excel file become columns of cells, a piece at a time?

The sheet's first row with a cell holds the headings, and they must be those declared. A cell that
is absent is empty, one beyond the headings makes its row ragged. Excel writes days as numbers:
in a column of days, months or instants a whole number is one, and what has a time of day but no
zone is dirty.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import BinaryIO

import numpy as np

from saferoom.core.facts import CellType, Table
from saferoom.core.source import SourceTable
from saferoom.intake.replies import check_headings
from saferoom.intake.rows import Piece
from saferoom.intake.sheets import Cell, Row, no_workbook
from saferoom.intake.sql_cells import NO_CELL, as_cells
from saferoom.intake.workbook import FAILS, Workbook

ROWS = 20_000  # at once
_DATED = {CellType.DAY, CellType.MONTH, CellType.INSTANT}
# Serial 60 is the 29th of February 1900, which was none: what is before it is not read.
_DAY_0, _FIRST, _LAST = date(1899, 12, 30), 61, 2_958_465
_DAYS_TO_1904 = 1_462


def read_excel(file: BinaryIO, *, source: SourceTable, table: Table) -> Iterator[Piece]:
    """Yield a file's rows."""
    try:
        workbook = Workbook(file)
        rows = workbook.rows()
        first, headings = next(rows, (0, []))
        reader = _Reader(headings, source, table, first, since_1904=workbook.since_1904)
        some: list[Row] = []
        for row in rows:
            some.append(row)
            if len(some) == ROWS:
                yield reader.piece(some)
                some = []
        if some:
            yield reader.piece(some)
    except FAILS as error:
        raise no_workbook() from error


class _Reader:
    """Which cell of a row is which column of ours?"""

    def __init__(
        self,
        headings: list[Cell],
        source: SourceTable,
        table: Table,
        first: int,
        *,
        since_1904: bool,
    ) -> None:
        expected = {one.heading for one in source.headings} | set(source.ignore)
        names = ["" if name is None else str(name) for name in headings]
        check_headings(names, expected, table.name)
        theirs = {one.column: one.heading for one in source.headings}
        self._columns = [
            (column.type, names.index(theirs[column.name])) for column in table.all_columns
        ]
        self._first, self._width = first, len(names)
        self._shift = _DAYS_TO_1904 if since_1904 else 0

    def piece(self, rows: list[Row]) -> Piece:
        """Turn rows into columns."""
        fits = [(number, cells) for number, cells in rows if self._fits(cells)]
        ragged = [number - self._first for number, cells in rows if not self._fits(cells)]
        columns = [
            as_cells(kind, [self._cell(kind, cells, place) for _, cells in fits])
            for kind, place in self._columns
        ]
        numbers = np.array([number - self._first for number, _ in fits], np.int64)
        return Piece(columns, numbers, ragged)

    def _fits(self, cells: list[Cell]) -> bool:
        return all(one is None for one in cells[self._width :])

    def _cell(self, kind: CellType, cells: list[Cell], place: int) -> Cell | date:
        cell = cells[place] if place < len(cells) else None
        if kind not in _DATED or isinstance(cell, str | bool | None):
            return cell
        return self._day(kind, cell)

    def _day(self, kind: CellType, number: float) -> str | date:
        serial = number + self._shift
        if not isinstance(serial, int) or not _FIRST <= serial <= _LAST:
            return NO_CELL
        day = _DAY_0 + timedelta(days=serial)
        if kind is not CellType.MONTH:
            return day
        return f"{day:%Y-%m}" if day.day == 1 else NO_CELL
