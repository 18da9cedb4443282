"""How is a database opened, read and written, the same on SQLite and PostgreSQL?

SQLite: WAL, `synchronous=FULL` unless a writer says otherwise, and a writing transaction
begins IMMEDIATE, so that what it reads first cannot move before it writes. PostgreSQL: READ
COMMITTED with row locks; after waiting for a lock a row is read as it is then, not as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from saferoom.errors import Unavailable

_WRITES, _SYNCED = "saferoom_writes", "saferoom_synced"
_BUSY_SECONDS = 30


def open_database(url: str, pool_size: int = 8) -> Engine:
    """Open by SQLAlchemy URL; `sqlite:///path` or `postgresql+psycopg://…`."""
    if url.startswith("sqlite"):
        return _open_sqlite(url, pool_size)
    return sa.create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)


def sqlite_url(path: Path) -> str:
    """Name a file as a URL."""
    return f"sqlite:///{path}"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read in one transaction, without locks."""
    with _named_faults(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, *, synced: bool = True) -> Iterator[Connection]:
    """Write in one transaction: all or nothing.

    `synced=False` does not wait for the disk: a machine that loses power may forget the whole
    transaction, never a part of it. For what can be done again from what is synced.
    """
    with _named_faults(), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True, _SYNCED: synced})
        with connection.begin():
            if not synced and connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection


@contextmanager
def _named_faults() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("DATABASE_UNAVAILABLE") from error


def _open_sqlite(url: str, pool_size: int) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=pool_size,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # the driver must not begin behind our back
    for pragma in ("journal_mode=WAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    if not options.get(_WRITES, False):
        raw.execute("BEGIN")
        return
    raw.execute(f"PRAGMA synchronous={'FULL' if options[_SYNCED] else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
