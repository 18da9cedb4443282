"""Which writes do both databases spell alike, but SQLAlchemy not?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

Row = Mapping[str, object]


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that no constraint forbids."""
    if rows:
        connection.execute(_insert_missing(connection.dialect.name, table), list(rows))


def insert_new(connection: Connection, table: Table, row: Row) -> bool:
    """Insert a row unless a constraint forbids it; say whether it is there because of us.

    Another writer's uncommitted row is waited for. What is returned is counted, because
    drivers do not agree on what `rowcount` says of an insert.
    """
    return (
        connection.execute(_insert_new(connection.dialect.name, table), dict(row)).first()
        is not None
    )


def insert_or_update(
    connection: Connection, table: Table, rows: Sequence[Row], keep: Collection[str] = ()
) -> None:
    """Insert rows, or change those with the same primary key, but for the columns in `keep`."""
    keys = [column.name for column in table.primary_key]
    insert = _insert(connection.dialect.name, table)
    others = {n: insert.excluded[n] for n in rows[0] if n not in keys and n not in keep}
    update = insert.on_conflict_do_update(index_elements=keys, set_=others)
    connection.execute(update, list(rows))


@cache  # what is built once is compiled once: a score writes many rows so
def _insert_missing(dialect: str, table: Table) -> Executable:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _insert_new(dialect: str, table: Table) -> ReturningInsert[Any]:  # any row that is there
    insert = _insert(dialect, table).on_conflict_do_nothing()
    return insert.returning(*table.primary_key.columns)


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
