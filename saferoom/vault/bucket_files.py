"""How do a source's rows become one encrypted file for each bucket, however many rows come?

Rows are written as they come in, a row group at a time, so neither a file's size nor the wait at
its end grows with what waits in memory. The files are whole, and may be named by a manifest,
when `finish` has returned; until then they are nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from saferoom.vault.parts import Part, name_of, place_of

Begin = Callable[[int, str, pa.Schema], pq.ParquetWriter]  # a bucket's file
Random = Callable[[], bytes]


@dataclass
class _Open:
    file: str
    writer: pq.ParquetWriter
    rows: int = 0


class BucketFiles:
    """The files of one table's rows that come in together, one for each bucket that has some."""

    def __init__(self, begin: Begin, table: str, random: Random) -> None:
        self._begin, self._table, self._random = begin, table, random
        self._names: list[str] = []  # also of a file that was begun on a full disk
        self._open: dict[int, _Open] = {}

    def add(self, bucket: int, rows: pa.Table) -> None:
        """Write rows behind those that their bucket has."""
        if bucket not in self._open:
            file = name_of(self._table, place_of(bucket), self._random())
            self._names.append(file)
            self._open[bucket] = _Open(file, self._begin(bucket, file, rows.schema))
        mine = self._open[bucket]
        mine.writer.write_table(rows)
        mine.rows += rows.num_rows

    def finish(self) -> tuple[Part, ...]:
        """End every file; they are not durable yet."""
        for one in self._open.values():
            one.writer.close()
        return tuple(
            Part(table=self._table, bucket=bucket, file=one.file, rows=one.rows)
            for bucket, one in self._open.items()
        )

    def give_up(self) -> list[str]:
        """Let go of every file, and name them all."""
        for one in self._open.values():
            with suppress(OSError, pa.ArrowException):  # on a full disk no end can be written
                one.writer.close()
            one.writer.is_open = False  # else its destructor tries again
        return self._names
