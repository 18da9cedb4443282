"""Which writes do both databases spell alike, but SQLAlchemy not?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, object]


def insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows that no constraint forbids."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def insert_new(connection: Connection, table: Table, row: Row) -> bool:
    """Insert a row unless a constraint forbids it; say whether it is there because of us.

    Another writer's uncommitted row is waited for. What is returned is counted, because
    drivers do not agree on what `rowcount` says of an insert.
    """
    insert = _insert(connection, table).values(dict(row)).on_conflict_do_nothing()
    inserted = connection.execute(insert.returning(*table.primary_key.columns))
    return inserted.first() is not None


def insert_or_update(
    connection: Connection, table: Table, rows: Sequence[Row], keep: Collection[str] = ()
) -> None:
    """Insert rows, or change those with the same primary key, but for the columns in `keep`."""
    keys = [column.name for column in table.primary_key]
    insert = _insert(connection, table)
    others = {n: insert.excluded[n] for n in rows[0] if n not in keys and n not in keep}
    update = insert.on_conflict_do_update(index_elements=keys, set_=others)
    connection.execute(update, list(rows))


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
