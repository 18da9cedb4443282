"""After `kill -9` at random moments on either database: nothing lost, nothing doubled.

`make test` kills a few times with fixed seeds; `make test-long` kills a hundred times per
database. Broken twins of the evidence show that the audit would have noticed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

from tests.proofs.kills_audit import audit
from tests.proofs.kills_room import Opened, copy_room, open_room
from tests.proofs.kills_run import Killed, Plan, run
from tests.proofs.kills_twins import TWINS

DATABASES = ("sqlite", "postgresql")
ENTERPRISES = 60
SEED = 20_261_120
FEW = {"sqlite": 35, "postgresql": 20}  # seeds that kill server and vault, group and server


@pytest.fixture(scope="module")
def opened_once(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Open a room and stop it; to open one takes most of the time."""
    opened = open_room(tmp_path_factory.mktemp("opened") / "home", {}, ENTERPRISES)
    opened.stage.close()
    opened.room.stop()
    return opened


@pytest.fixture(scope="module", params=DATABASES)
def killed_twice(
    request: pytest.FixtureRequest, opened_once: Opened, tmp_path_factory: pytest.TempPathFactory
) -> Killed:
    home = tmp_path_factory.mktemp("killed") / "home"
    copy = copy_room(opened_once, home, _new_database(request, request.param, "killed_twice"))
    copy.room.start()
    copy.room.wait_until_alive()
    return _kill(copy, Plan(FEW[request.param], kills=2, longest_moment_seconds=1.0))


def test_two_kills_lose_and_double_nothing(killed_twice: Killed) -> None:
    _check(killed_twice, kills=2)


@pytest.mark.long
@pytest.mark.parametrize("database", DATABASES)
def test_a_hundred_kills_lose_and_double_nothing(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = _new_database(request, database, "killed_often")
    environment = {} if url is None else {"SAFEROOM_DATABASE_URL": url}
    with mock.patch.dict(os.environ, environment):  # `saferoom init` reads it too
        opened = open_room(tmp_path / "home", environment, ENTERPRISES)
    _check(_kill(opened, Plan(SEED, kills=100, longest_moment_seconds=2.0)), kills=100)


@pytest.mark.parametrize("wrong", TWINS)
def test_the_audit_catches(wrong: str, killed_twice: Killed, tmp_path: Path) -> None:
    twin, complaint = TWINS[wrong]
    findings = audit(twin(killed_twice.evidence, tmp_path))
    assert any(complaint in said for said in findings), findings


def _new_database(request: pytest.FixtureRequest, database: str, name: str) -> str | None:
    if database == "sqlite":
        return None  # the home's own file
    url: Callable[[str], str] = request.getfixturevalue("postgresql_server")
    admin = sa.create_engine(url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    return url(name)


def _kill(opened: Opened, plan: Plan) -> Killed:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)

    try:
        killed = run(opened, plan, say)
    finally:
        opened.stage.close()
        opened.room.stop()
    evidence = killed.evidence
    say(
        f"{killed.kills.total()} kills {dict(killed.kills)}; {evidence.log.size} entries, "
        f"{len(evidence.receipts)} releases, {len(evidence.answers)} answers, "
        f"{killed.interrupted} requests sent again, {len(evidence.checkpoints)} checkpoints seen, "
        f"{len(evidence.revoked)} revocations"
    )
    return killed


def _check(killed: Killed, kills: int) -> None:
    assert (audit(killed.evidence), killed.faults) == ([], ())
    assert killed.kills.total() == kills
    assert len(killed.evidence.receipts) > kills  # the story went on
