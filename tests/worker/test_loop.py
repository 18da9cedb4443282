from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import contacts, idempotency, log, receipts
from saferoom.core.contact import Contact
from saferoom.core.notification import Message
from saferoom.errors import NotYet
from saferoom.worker import loop
from tests import factories as f
from tests.app.world import OPERATOR, World, bank, ready_world


@pytest.fixture
def world(database: sa.Engine, tmp_path: Path) -> World:
    return ready_world(database, tmp_path)


def test_a_turn_delivers_sequences_and_teaches(world: World) -> None:
    (line,) = world.score().results
    loop.turn(world.room, {})
    assert receipts.get(world.room, bank(), str(line.receipt))
    assert len(world.sink.held) == world.room.log.size


def test_a_sink_that_is_away_does_not_hold_up_the_log(world: World) -> None:
    world.sink.away = True
    faults: dict[str, str] = {}
    for _ in range(2):
        loop.turn(world.room, faults)
    assert faults == {"deliver": "SINK_UNAVAILABLE"}
    assert world.room.log.size > 0
    world.sink.away = False
    loop.turn(world.room, faults)
    assert faults == {}


def test_a_mail_system_that_hangs_does_not_hold_up_the_log(world: World) -> None:
    stop, hanging, go_on = threading.Event(), threading.Event(), threading.Event()

    class Hanging:
        def send(self, address: str, message: Message) -> None:
            hanging.set()
            assert go_on.wait(60)

    contact = Contact(
        party=f.ENTERPRISE, address="a@b.test", set_at=world.now_text, nonce=world.nonce
    )
    contacts.set_contact(world.room, OPERATOR, f.sign(contact, f.ENTERPRISE))
    room = dataclasses.replace(world.room, notifier=Hanging())
    thread = threading.Thread(target=loop.run, args=(room, stop, 0.01))
    thread.start()
    assert hanging.wait(60)
    (line,) = world.score().results
    while True:  # until the log has it, though the letter is still on its way
        try:
            receipts.get(room, bank(), str(line.receipt))
            break
        except NotYet:
            thread.join(0.01)
    stop.set()
    go_on.set()
    thread.join()
    assert world.count(t.notice, state="sent") > 0


def test_answers_to_retries_are_forgotten_after_a_month(world: World) -> None:
    def once() -> object:
        return idempotency.once(world.room, bank(), "k" * 16, f.some_digest(), lambda: world.nonce)

    first = once()
    world.later(days=30)
    loop.sweep(world.room, {})
    assert once() == first
    world.later(seconds=1)
    loop.sweep(world.room, {})
    assert once() != first


def test_the_loop_outlives_a_fault_that_nobody_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: object) -> int:
        raise ZeroDivisionError

    faults: dict[str, str] = {}
    monkeypatch.setattr(loop, "PARTS", (("breaks", breaks), ("sequence", log.sequence)))
    loop.turn(world.room, faults)
    assert faults == {"breaks": "ZeroDivisionError"}
    assert world.room.log.size > 0


def test_the_loop_wakes_at_once_and_leaves_nothing_behind(world: World) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(world.room, stop, 60.0))
    thread.start()
    (line,) = world.score().results
    world.room.wake.set()
    stop.set()
    world.room.wake.set()
    thread.join(30)
    assert not thread.is_alive()
    assert receipts.get(world.room, bank(), str(line.receipt))
