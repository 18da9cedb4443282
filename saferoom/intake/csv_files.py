"""How does a source's CSV file become columns of cells, a piece at a time?

Python's csv module, strict, says what a file means. Where a block of whole lines is *plain*
(so that nothing about its quotes and line ends can be read in two ways) Arrow's splitter gives
the same cells forty times as fast, and everything else goes through Python's, a row at a time.

Rows with too many or too few cells are quarantined by number; a file whose headings differ
from the declaration, or whose quoting breaks, is refused whole.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from pyarrow import csv as arrow_csv

from saferoom.core.facts import Table
from saferoom.core.source import Encoding, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.columns import is_many
from saferoom.intake.lines import LONGEST_CELL, Lines, plain
from saferoom.intake.rows import Piece

SLOW_ROWS = 20_000


def read_csv(
    file: BinaryIO, *, source: SourceTable, table: Table, encoding: Encoding
) -> Iterator[Piece]:
    """Yield a file's rows."""
    csv.field_size_limit(LONGEST_CELL)
    # A superset of GBK; in both encodings no byte of a longer character is a comma, a quote or
    # a line's end, so lines and cells can be found before they are decoded.
    codec = "utf-8" if encoding is Encoding.UTF_8 else "gb18030"
    lines = Lines(file, codec)
    rows = csv.reader(lines, strict=True)
    number = 0
    try:
        split = _Splitter(next(rows, []), source, table, codec)
        while block := lines.block():
            if plain(block) and (piece := split.fast(block, number + 1)) is not None:
                yield piece
                number += len(piece.numbers) + len(piece.ragged)
                continue
            lines.put_back(block)
            while some := _some_rows(rows, lines):
                yield split.slow(some, number + 1)
                number += len(some)
    except csv.Error as error:
        raise BadInput("SOURCE_MALFORMED", f"quoting or a long cell, after row {number}") from error


def _some_rows(rows: Iterator[list[str]], lines: Lines) -> list[list[str]]:
    """Read on to the end of the block, or of the row that goes beyond it."""
    some: list[list[str]] = []
    while len(some) < SLOW_ROWS and lines.inside():
        some.append(next(rows))
        lines.row_ended()
    return some


class _Splitter:
    """Which cell of a line is which column of ours?"""

    def __init__(
        self, headings: Sequence[str], source: SourceTable, table: Table, codec: str
    ) -> None:
        self._order = _column_order(headings, source, table)
        self._columns, self._codec, self._width = table.all_columns, codec, len(headings)

    def fast(self, block: bytes, first: int) -> Piece | None:
        """Split a plain block; None if some of its rows are ragged and only Python sees which."""
        try:
            cells = self._arrow(block)
        except pa.ArrowInvalid:
            return None if b'"' in block else self._without_ragged(block.splitlines(), first)
        return Piece(cells, np.arange(first, first + len(cells[0])), (), self._codec)

    def _without_ragged(self, lines: list[bytes], first: int) -> Piece:
        fits = np.array([line.count(b",") == self._width - 1 for line in lines])
        straight = [line for line in lines if line.count(b",") == self._width - 1]
        numbers = np.arange(first, first + len(lines))
        nothing = [pa.array([], pa.binary())] * len(self._order)
        cells = self._arrow(b"\n".join(straight)) if straight else nothing
        return Piece(cells, numbers[fits], numbers[~fits].tolist(), self._codec)

    def _arrow(self, block: bytes) -> list[pa.Array]:
        names = [str(place) for place in range(self._width)]
        wanted = [names[place] for place in self._order]
        kinds = [
            pa.binary() if is_many(column) else pa.dictionary(pa.int32(), pa.binary())
            for column in self._columns
        ]
        split = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            arrow_csv.ParseOptions(ignore_empty_lines=False),
            arrow_csv.ConvertOptions(
                check_utf8=False,
                include_columns=wanted,
                column_types=dict(zip(wanted, kinds, strict=True)),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
        return [_one(split[name]) for name in wanted]

    def slow(self, rows: list[list[str]], first: int) -> Piece:
        """Turn rows that Python read into columns."""
        numbers = np.arange(first, first + len(rows), dtype=np.int64)
        fits = np.array([len(row) == self._width for row in rows])
        straight = [row for row in rows if len(row) == self._width]
        cells = [pa.array([row[place] for row in straight], pa.string()) for place in self._order]
        return Piece(
            [one.view(pa.binary()) for one in cells], numbers[fits], numbers[~fits].tolist()
        )


def _one(column: pa.ChunkedArray) -> pa.Array:
    column = column.unify_dictionaries().combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _column_order(headings: Sequence[str], source: SourceTable, table: Table) -> list[int]:
    """Find each of our columns; whatever is missing, renamed, doubled or new is refused."""
    expected = {one.heading for one in source.headings} | set(source.ignore)
    if set(headings) != expected or len(headings) != len(expected):
        differing = len(set(headings) ^ expected)
        raise BadInput("SOURCE_MALFORMED", f"headings of {table.name}: {differing} differ")
    theirs = {one.column: one.heading for one in source.headings}
    return [headings.index(theirs[column.name]) for column in table.all_columns]
