"""How do tests run intake's readers without its process?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.core.facts import CellType, Table
from saferoom.core.source import Encoding, SourceTable
from saferoom.intake.cells import Value
from saferoom.intake.csv_files import read_csv
from saferoom.intake.reading import Reading
from saferoom.intake.rows import Piece, RowChecker
from saferoom.vault.batches import decode
from saferoom.vault.declarations import content_folder, read_declarations
from tests import factories as make

DECLARED = read_declarations(content_folder())
Rows = list[list[Value]]


def source_of(table: str) -> SourceTable:
    every = [one for source in DECLARED.sources.values() for one in source.tables]
    return next(one for one in every if one.table == table)


def take_csv(
    path: Path,
    *,
    source: SourceTable,
    table: Table,
    encoding: Encoding = Encoding.UTF_8,
) -> tuple[Rows, Reading]:
    with path.open("rb") as file:
        return take(table, read_csv(file, source=source, table=table, encoding=encoding))


def take(table: Table, pieces: Iterable[Piece]) -> tuple[Rows, Reading]:
    """Check pieces, send the batches through the vault's reader, and list what came."""
    reading = Reading()
    checker = RowChecker(table, make.NOW, reading)
    rows: Rows = []
    for piece in pieces:
        if (batch := checker.take(piece)) is not None:
            rows += as_rows(decode(batch, table), table)
    return rows, reading


def as_rows(taken: pa.Table, table: Table) -> Rows:
    columns = []
    for column in table.all_columns:
        cells = taken[column.name]
        columns.append((cells.cast("int32") if column.type is CellType.DAY else cells).to_pylist())
    return [list(row) for row in zip(*columns, strict=True)]
