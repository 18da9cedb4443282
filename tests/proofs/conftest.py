"""Which rooms do the proofs share? One that was watched while it worked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.proofs.memory import readable
from tests.proofs.small_room import (
    CANARIES,
    SmallRoom,
    bring_model,
    own_records,
    publish,
    score,
    small_room,
)
from tests.proofs.watching import Watcher

UNSAFE = "SAFEROOM_UNSAFE_TEST_DUMPABLE"
MOST_TRIES = 6
OWN = 10  # enterprises that have their own rows, sealed to them
FIRST = range(CANARIES)


def watch_through(room: SmallRoom) -> Watcher:
    """Have everything scored once, looking on if we may."""
    watcher = Watcher(room)
    watcher.possible = all(map(readable, [*room.others(), *room.vault()]))
    _materialise(watcher)
    _score(watcher)
    with watcher.watch(0.004, "raw"):
        watcher.own = own_records(room, room.planted.codes[:OWN])
    if watcher.possible:
        watcher.look_at_others()
        watcher.look_at_files()
    return watcher


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    """Serve a small room in which everything has been scored once, looking on if we may."""
    folder = tmp_path_factory.mktemp("room")
    with small_room(folder, seed=secrets.randbits(64)) as room:
        yield watch_through(room)


@pytest.fixture(scope="session")
def room(watched: Watcher) -> SmallRoom:
    """Share the room; its fifty enterprises have grants and have been scored."""
    return watched.room


@pytest.fixture
def sighted(watched: Watcher) -> Watcher:
    """Skip where nobody may look into another process, and say why."""
    if not watched.possible:
        pytest.skip(f"reading another's memory needs root, or {UNSAFE}=1 (tests only)")
    return watched


def _materialise(watcher: Watcher) -> None:
    """Publish until every raw value was met; a bucket's rows are there for a moment only."""
    for _ in range(MOST_TRIES if watcher.possible else 1):
        with watcher.watch(0.08, "raw"):
            publish(watcher.room)
        if watcher.seen.complete("raw"):
            return


def _score(watcher: Watcher) -> None:
    """Score until the first fifty were met, by another version each time: answers are kept."""
    kinds = ("feature", "weight", "grade")
    for number in range(MOST_TRIES if watcher.possible else 1):
        bring_model(watcher.room, f"canary-{number}")
        codes = watcher.room.planted.codes
        with watcher.watch(0.004, *kinds, among=FIRST):
            lines = score(watcher.room, codes[:CANARIES])
        if number == 0:  # the others are sought elsewhere too, but not looked at one by one
            for start in range(CANARIES, len(codes), CANARIES):
                lines += score(watcher.room, codes[start : start + CANARIES])
        assert {line["status"] for line in lines} == {"released"}
        if all(watcher.seen.complete(kind, FIRST) for kind in kinds):
            return
