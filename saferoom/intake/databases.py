"""How is a table of a source's database read on from where the last run ended?

Only what the manifest declares is asked for, by a query that we write; there is no SQL text from
outside. The transaction is read-only and sees one moment; rows come through a cursor of the
server, a piece at a time, in the order of the watermark.

The watermark's columns together never repeat, so "greater than the last row taken" neither
skips nor repeats a row, however many share a moment. A row without one would never be seen, so
it is refused. A row that is committed late under an earlier mark is not seen: the first
column must grow with the commit, and that is the source's promise.

What goes wrong with a database is told as SOURCE_UNAVAILABLE, without the driver's words: they
hold addresses, and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import sqlalchemy as sa

from saferoom.core.facts import Table
from saferoom.core.source import SourceTable
from saferoom.errors import BadInput, Unavailable
from saferoom.intake.rows import Piece
from saferoom.intake.sql_cells import as_cells, read_mark, write_mark

ROWS = 20_000  # at once


class Database:
    """A source's database, for the length of one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def read(self, source: SourceTable, table: Table, after: str | None) -> TableReading:
        """Begin to read what came after a mark."""
        schema, _, name = str(source.relation).rpartition(".")
        try:
            found = sa.inspect(self._connection).get_columns(name, schema or None)
        except sa.exc.NoSuchTableError as error:
            raise BadInput("SOURCE_MALFORMED", f"the relation of {table.name}") from error
        names = {str(one["name"]) for one in found}
        differing = names ^ ({one.heading for one in source.headings} | set(source.ignore))
        if differing:
            raise BadInput("SOURCE_MALFORMED", f"headings of {table.name}: {len(differing)} differ")
        relation = sa.table(name, *map(sa.column, sorted(names)), schema=schema or None)
        return TableReading(self._connection, relation, source, table, after)


class TableReading:
    """One table; after the last piece `mark` says how far it was read."""

    def __init__(
        self,
        connection: sa.Connection,
        relation: sa.TableClause,
        source: SourceTable,
        table: Table,
        after: str | None,
    ) -> None:
        self._connection, self._columns, self.mark = connection, table.all_columns, after
        theirs = {one.column: one.heading for one in source.headings}
        marks = [relation.c[heading] for heading in source.watermark]
        cells = [relation.c[theirs[column.name]] for column in self._columns]
        # Labels, since a heading may be both a cell and a part of the mark.
        chosen = [one.label(f"c{place}") for place, one in enumerate([*marks, *cells])]
        self._marks = len(marks)
        self._query = sa.select(*chosen).order_by(*marks)
        if after is not None:
            nowhere = sa.or_(*(one.is_(None) for one in marks))
            self._query = self._query.where(sa.or_(_beyond(marks, read_mark(after)), nowhere))

    def __iter__(self) -> Iterator[Piece]:
        """Yield rows in the order of their marks."""
        first = 1
        with self._connection.execution_options(yield_per=ROWS).execute(self._query) as result:
            for rows in result.partitions():
                yield self._piece(rows, first)
                first += len(rows)

    def _piece(self, rows: Sequence[sa.Row[Any]], first: int) -> Piece:
        if any(part is None for row in rows for part in row[: self._marks]):
            raise BadInput("SOURCE_MALFORMED", "a row without a watermark")
        columns = list(zip(*rows, strict=True))[self._marks :]
        cells = [
            as_cells(column.type, one) for column, one in zip(self._columns, columns, strict=True)
        ]
        self.mark = write_mark(rows[-1][: self._marks])
        return Piece(cells, np.arange(first, first + len(rows), dtype=np.int64))


@contextmanager
def connected(address: str) -> Iterator[Database]:
    """Connect, read only, and leave nothing behind."""
    try:
        engine = sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True)
        try:
            with engine.connect() as connection:
                yield Database(_read_only(connection))
                connection.rollback()
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError) as error:
        raise Unavailable("SOURCE_UNAVAILABLE") from error


def _read_only(connection: sa.Connection) -> sa.Connection:
    match connection.dialect.name:
        case "postgresql":
            return connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        case "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
    return connection  # elsewhere: nothing but our SELECT is ever sent, and no commit


def _beyond(marks: Sequence[sa.ColumnClause[Any]], last: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Compare mark by mark: tuples are not compared by every database."""
    *before, greatest = zip(marks, last, strict=True)
    beyond: sa.ColumnElement[bool] = greatest[0] > greatest[1]
    for column, value in reversed(before):
        beyond = sa.or_(column > value, sa.and_(column == value, beyond))
    return beyond
