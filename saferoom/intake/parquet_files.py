"""How does a source's Parquet file become columns of cells, a piece at a time?

Its columns must be those declared, by name and by type. What is typed is written as text and
judged like a CSV file's cell, so one page says what is clean; numbers are judged as numbers,
for a text of them would be longer than they are exact.

A small file can unpack to a flood: intake stops at a multiple of the file's size, and its
memory is limited whatever a page claims. The parser is native and meets strangers: it runs
behind intake's walls alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pyarrow.types as pt  # type: ignore[import-untyped]

from saferoom.core.facts import CellType, Column, Table
from saferoom.core.source import SourceTable
from saferoom.errors import BadInput
from saferoom.intake.duplicates import MOST_ROWS
from saferoom.intake.rows import Piece

ROWS = 50_000  # at once
MOST_TIMES = 200  # unpacked, of the file's size
ALWAYS = 64 * 2**20  # bytes that any file may unpack to


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pt.is_dictionary(kind) else kind
    return bool(pt.is_string(inner) or pt.is_large_string(inner))


def _is_instant(kind: pa.DataType) -> bool:
    return (pt.is_timestamp(kind) and kind.tz is not None) or _is_text(kind)


_ALLOWED: dict[CellType, Callable[[pa.DataType], bool]] = {
    CellType.TEXT: _is_text,
    CellType.DAY: pt.is_date32,
    CellType.MONTH: _is_text,
    CellType.YEAR: pt.is_integer,
    CellType.NUMBER: lambda kind: pt.is_float32(kind) or pt.is_float64(kind) or pt.is_integer(kind),
    CellType.WHOLE: pt.is_integer,
    CellType.FLAG: pt.is_boolean,
    CellType.INSTANT: _is_instant,
}


def read_parquet(file: BinaryIO, *, source: SourceTable, table: Table) -> Iterator[Piece]:
    """Yield a file's rows."""
    file.seek(0, 2)
    most = ALWAYS + MOST_TIMES * file.tell()
    file.seek(0)
    try:
        opened = pq.ParquetFile(file, pre_buffer=False)
        wanted = _wanted(opened, source, table)
        number = 0
        for batch in opened.iter_batches(ROWS, columns=wanted, use_threads=False):
            most -= batch.nbytes + batch.num_rows  # a row of nothing takes its time too
            if most < 0:
                raise BadInput("SOURCE_MALFORMED", f"unpacks to over {MOST_TIMES} times its size")
            cells = [
                _cells(column, batch.column(name))
                for column, name in zip(table.all_columns, wanted, strict=True)
            ]
            yield Piece(cells, np.arange(number + 1, number + 1 + batch.num_rows))
            number += batch.num_rows
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        raise BadInput("SOURCE_MALFORMED", "cannot be read as Parquet") from error


def _wanted(opened: pq.ParquetFile, source: SourceTable, table: Table) -> list[str]:
    """Name our columns in our order; whatever is missing, renamed, doubled or new is refused."""
    schema, expected = opened.schema_arrow, {one.heading for one in source.headings}
    expected |= set(source.ignore)
    if set(schema.names) != expected or len(schema.names) != len(expected):
        differing = len(set(schema.names) ^ expected)
        raise BadInput("SOURCE_MALFORMED", f"headings of {table.name}: {differing} differ")
    if opened.metadata.num_rows > MOST_ROWS:
        raise BadInput("SOURCE_MALFORMED", f"more than {MOST_ROWS} rows in one file")
    theirs = {one.column: one.heading for one in source.headings}
    for column in table.all_columns:
        if not _ALLOWED[column.type](schema.field(theirs[column.name]).type):
            raise BadInput("SOURCE_MALFORMED", f"type of {table.name}.{column.name}")
    return [theirs[column.name] for column in table.all_columns]


def _cells(column: Column, cells: pa.Array) -> pa.Array:
    if column.type is CellType.NUMBER:
        return cells.cast(pa.float64(), safe=False)
    if pt.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pt.is_timestamp(cells.type):
        cells = _instants(cells)
    return cells.cast(pa.string(), safe=False).fill_null("").view(pa.binary())


def _instants(cells: pa.Array) -> pa.Array:
    """Write instants as text; a part of a second is over only when the second is."""
    whole = pc.ceil_temporal(cells.cast(pa.timestamp(cells.type.unit)), unit="second")
    days_and_times = whole.cast(pa.timestamp("s"), safe=False).cast(pa.string())
    return pc.binary_join_element_wise(pc.replace_substring(days_and_times, " ", "T"), "Z", "")
