"""What happens between the read and the write? Real threads, both databases, and twins
that are broken on purpose, so that a test which cannot fail is noticed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import locking
from saferoom.canonical import Digest, Json
from saferoom.core.grant import Grant
from saferoom.core.purpose import Purposes
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from saferoom.ports import Policy
from tests import factories as f
from tests.app.world import World, ready_world, with_room

GRACE_SECONDS = 0.5


@dataclasses.dataclass
class Meddling:
    """A policy set during whose question somebody else acts."""

    inner: Policy
    act: Callable[[], None]

    @property
    def digest(self) -> Digest:
        return self.inner.digest

    @property
    def purposes(self) -> Purposes | None:
        return self.inner.purposes

    def check(self, action: str, facts: Mapping[str, Json]) -> None:
        self.inner.check(action, facts)
        self.act()


def revoke_inside_the_gate(world: World) -> bool:
    """Revoke while the gate has decided and not committed; say whether it got in between."""
    with world.room.database.connect() as connection:
        stored = connection.scalars(sa.select(t.permission.c.statement)).one()
    grant = Grant.from_body(Statement.from_bytes(stored).body)
    asks: list[threading.Thread] = []
    got_between: list[bool] = []

    def act() -> None:
        asks.append(threading.Thread(target=lambda: world.revoke(grant)))
        if len(asks) == 3:  # twice in the pre-check (two classes), then in the gate
            asks[-1].start()
            asks[-1].join(GRACE_SECONDS)
            got_between.append(not asks[-1].is_alive())

    def load(body: Mapping[str, Json]) -> Policy:
        return Meddling(world.room.load_policy(body), act)

    meddled = with_room(world, load_policy=load)
    meddled.score()
    asks[2].join()
    return got_between == [True]


def test_a_revocation_waits_for_the_release_that_was_before_it(world: World) -> None:
    assert not revoke_inside_the_gate(world)
    assert world.score().results[0].code == "AUTH_REVOKED"


# SQLite has no row locks to drop: there the whole transaction began IMMEDIATE.
@pytest.mark.parametrize("fresh_database", ["postgresql"], indirect=True)
def test_without_the_lock_a_release_comes_after_the_revocation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking.Lockable, "__getitem__", lambda query, _: query.unlocked)
    assert revoke_inside_the_gate(world)


def score_at_once(world: World, times: int) -> list[str]:
    """Score in as many threads, each with its own signed request; name what came of it."""
    asked = [(world.request(), world.key()) for _ in range(times)]
    start = threading.Barrier(times)

    def one(number: int) -> str:
        start.wait()
        try:
            (line,) = world.score(*asked[number]).results
        except SaferoomError as error:
            return error.code
        return line.code or ("stored" if line.stored else "released")

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_threads_never_overspend_a_budget(database: sa.Engine, tmp_path: Path) -> None:
    world = ready_world(database, tmp_path)
    first = world.budgets[f.ENTERPRISE, f.BANK].digest
    world.budget(replaces=first, limit_mbit=12_000)
    found = []
    for _ in range(2):  # a new snapshot makes every answer a new one
        world.publish()
        found += score_at_once(world, 6)
    assert world.spent() <= 12_000
    assert world.spent() == 4000 * found.count("released")
    assert set(found) <= {"released", "BUDGET_FULL", "stored"}


def test_one_request_from_many_threads_is_one_release(world: World) -> None:
    asked, key = world.request(), world.key()
    start = threading.Barrier(4)

    def one(_: int) -> bytes | None:
        start.wait()
        return world.score(asked, key).results[0].answer

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(one, range(4)))
    assert len(answers) == 1
    assert (world.count(t.release), world.spent()) == (1, 4000)
    assert world.count(t.entry, kind="release") == 1


def test_one_request_under_many_keys_is_released_once(world: World) -> None:
    asked = world.request()
    start = threading.Barrier(4)

    def one(_: int) -> str:
        start.wait()
        try:
            return world.score(asked, world.key()).results[0].status
        except SaferoomError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(one, range(4)))
    assert found == ["REPLAY", "REPLAY", "REPLAY", "released"]
    assert (world.count(t.release), world.spent()) == (1, 4000)


def test_after_a_revocation_returned_nothing_leaves(world: World) -> None:
    with world.room.database.connect() as connection:
        stored = connection.scalars(sa.select(t.permission.c.statement)).one()
    grant = Grant.from_body(Statement.from_bytes(stored).body)
    revoked = threading.Event()
    late: list[str] = []

    def score() -> None:
        for _ in range(6):
            after = revoked.is_set()
            (line,) = world.score().results
            if after and line.status == "released":
                late.append(line.enterprise)

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(score) for _ in range(3)]
        world.revoke(grant)
        revoked.set()
        for one in running:
            one.result()
    assert late == []
