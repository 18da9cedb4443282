from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.following_log import FollowingLog
from saferoom.adapters.log_files import LogFiles
from saferoom.app import log
from saferoom.app.entries import Draft, write_entry
from saferoom.errors import Tampered, Unavailable
from saferoom.tlog.checkpoint import read_note
from saferoom.tlog.merkle import leaf_hash, root
from tests import factories as f
from tests.app.world import ORIGIN, World, empty_world, with_room


@pytest.fixture
def empty(database: sa.Engine, tmp_path: Path) -> World:
    return empty_world(database, tmp_path)


def write(world: World, times: int = 1) -> None:
    for _ in range(times):
        with writing(world.room.database) as connection:
            write_entry(connection, world.room, Draft("token_issued", "li.na", {"holder": "li.na"}))


def leaves(world: World) -> list[bytes]:
    query = sa.select(t.entry.c.leaf).where(t.entry.c.leaf_index.is_not(None))
    with world.room.database.connect() as connection:
        return list(connection.scalars(query.order_by(t.entry.c.leaf_index)))


def check_log(world: World, size: int) -> None:
    """Gap-free places, and a published root over exactly these leaves."""
    query = sa.select(t.entry.c.leaf_index).where(t.entry.c.leaf_index.is_not(None))
    with world.room.database.connect() as connection:
        assert sorted(connection.scalars(query)) == list(range(size))
    published = read_note(world.room.log.checkpoint()).checkpoint
    assert (published.size, published.root) == (size, root(leaves(world)))


def test_a_hundred_entries_from_many_threads_have_places_without_gaps(empty: World) -> None:
    stop = threading.Event()

    def sequence() -> None:
        while not stop.is_set():
            log.sequence(empty.room)

    worker = threading.Thread(target=sequence)
    worker.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: write(empty, 25), range(4)))
    stop.set()
    worker.join()
    log.sequence(empty.room)
    check_log(empty, 100)


def test_nothing_to_do_changes_nothing(empty: World) -> None:
    assert log.sequence(empty.room) == 0
    write(empty, 3)
    assert log.sequence(empty.room) == 3
    before = empty.room.log.checkpoint()
    assert log.sequence(empty.room) == 0
    assert empty.room.log.checkpoint() == before


class DiesOnce:
    """The log's folder, on a machine that dies before or after it published."""

    def __init__(self, inner: LogFiles, when: str) -> None:
        self.inner, self.when = inner, when

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def extend(self, first: int, leaves: list[bytes]) -> str:
        if self.when == "before":
            raise KeyboardInterrupt
        self.inner.extend(first, leaves)
        raise KeyboardInterrupt


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_publishing_is_continued(empty: World, tmp_path: Path, when: str) -> None:
    write(empty, 5)
    log.sequence(empty.room)
    write(empty, 5)
    inner = LogFiles(tmp_path / "log", ORIGIN, [empty.room.log_key])
    with pytest.raises(KeyboardInterrupt):
        log.sequence(with_room(empty, log=DiesOnce(inner, when)).room)
    write(empty, 2)
    again = with_room(empty, log=LogFiles(tmp_path / "log", ORIGIN, [empty.room.log_key]))
    log.sequence(again.room)
    check_log(again, 12)


def test_a_crash_before_places_are_given_is_continued(
    empty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(empty, 4)

    def dies(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(log, "_place", dies)
        with pytest.raises(KeyboardInterrupt):
            log.sequence(empty.room)
    log.sequence(empty.room)
    check_log(empty, 4)


def test_a_second_sequencer_waits_for_the_lease_and_then_takes_over(
    empty: World, tmp_path: Path
) -> None:
    write(empty, 2)
    log.sequence(empty.room)
    write(empty, 2)
    folder = FollowingLog(tmp_path / "log", ORIGIN, [empty.room.log_key])
    other = with_room(empty, owner="two", log=folder)
    assert log.sequence(other.room) == 0
    empty.later(seconds=11)
    other.now = empty.now
    assert log.sequence(other.room) == 2
    check_log(other, 4)
    write(empty, 1)
    assert log.sequence(empty.room) == 0  # the first owner's epoch is over


def test_two_programs_follow_one_folder(empty: World, tmp_path: Path) -> None:
    keys = [empty.room.log_key]
    reader = FollowingLog(tmp_path / "log", ORIGIN, keys)
    writer = FollowingLog(tmp_path / "log", ORIGIN, keys)
    write(empty, 3)
    log.sequence(with_room(empty, log=writer).room)
    assert (reader.size, reader.checkpoint()) == (3, writer.checkpoint())
    assert reader.inclusion(0, 3) == writer.inclusion(0, 3)


def test_a_log_longer_than_its_database_stops_the_sequencer(empty: World) -> None:
    write(empty, 3)
    log.sequence(empty.room)
    empty.execute(sa.delete(t.opening))
    empty.execute(sa.delete(t.entry).where(t.entry.c.leaf_index == 2))
    write(empty, 1)
    with pytest.raises(Tampered):
        log.sequence(empty.room)


def test_sinks_hold_every_entry_before_it_counts_as_acknowledged(empty: World) -> None:
    write(empty, 3)
    empty.sink.away = True
    with pytest.raises(Unavailable) as caught:
        log.deliver(empty.room)
    assert caught.value.code == "SINK_UNAVAILABLE"
    assert empty.count(t.entry, acknowledged=True) == 0
    empty.sink.away = False
    assert log.deliver(empty.room) == 3
    assert log.deliver(empty.room) == 0
    log.sequence(empty.room)
    assert empty.sink.held == [leaf_hash(leaf).hex() for leaf in leaves(empty)]


def test_leaves_say_nothing_of_people(world: World) -> None:
    world.score()
    world.settle()
    text = b"".join(leaves(world))
    for secret in (f.ENTERPRISE, f.BANK, "li.na", "zhao", "LN-2026", "credit_approval"):
        assert secret.encode() not in text
