"""A log whose newest entries exist nowhere is closed by two people, and every grant waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.log_files import LogFiles
from saferoom.app import behind, closing, log, receipts, teaching, witnessing
from saferoom.app.context import Room
from saferoom.core.closing import Closing
from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, SaferoomError, Tampered
from saferoom.tlog.checkpoint import NoteKey
from saferoom.tlog.merkle import leaf_hash, root_of_hashes
from tests import factories as f
from tests.app.test_restoring import Copied, copied
from tests.app.test_witnessing import Near
from tests.app.world import World, bank, code

__all__ = ["copied"]  # a fixture
NEW = "room.test/log-2"


@dataclass
class Closed:
    """A room whose tail was lost, and what was known before."""

    copied: Copied
    old: Room  # on the copy, with no sink that has the rest
    receipt: bytes  # of a release that the copy has
    late: bytes  # of one that it lost
    trust: Trust  # of before

    @property
    def world(self) -> World:
        return self.copied.world

    def propose(self) -> Closing:
        return closing.propose(self.old, (), NEW, "the disks burnt")

    def open(self, trust: Trust) -> None:
        """Open the room on its new log, as wiring does, and let witnesses watch it."""
        folder = self.copied.folder / "new log"
        with writing(self.old.database) as connection:
            behind.forget(connection)
        for one in self.old.witnesses:
            assert isinstance(one, Near)
            one.service.home.watch([NoteKey(NEW, self.old.log_key.public)])
        self.world.room = replace(
            self.old,
            origin=NEW,
            trust=trust,
            log=LogFiles(folder, NEW, [self.old.log_key]),
            cosigning=type(self.old.cosigning)(),
        )
        behind.check_whole(self.world.room)
        log.sequence(self.world.room)
        teaching.teach(self.world.room)
        self.world.settle()
        for one in self.world.room.witnesses:
            witnessing.ask(self.world.room, one)


@pytest.fixture
def lost(copied: Copied) -> Closed:
    world = copied.world
    first = world.score(world.request(code(1))).results[0]
    copied.turn()
    receipt = receipts.get(world.room, bank(), str(first.receipt))
    old = replace(copied.back_up(), tails=(), sinks=(world.sink,))
    late = world.score(world.request(code(2))).results[0]
    copied.turn()
    assert world.room.trust is not None
    kept = receipts.get(world.room, bank(), str(late.receipt))
    return Closed(copied, old, receipt, kept, world.room.trust)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def signed(what: Closing, *names: str) -> Statement:
    return f.sign(what, *(names or f.GENESIS))


def leaves(room: Room) -> list[bytes]:
    query = sa.select(t.entry.c.leaf).order_by(t.entry.c.leaf_index)
    with reading(room.database) as connection:
        return list(connection.scalars(query))


def test_the_new_log_carries_what_is_left_behind_the_closing(lost: Closed) -> None:
    proposed = lost.propose()
    assert refused(lambda: behind.check_whole(lost.old)) == "LOG_BEHIND"
    assert proposed.lost == proposed.seen_size - proposed.placed > 0
    before = leaves(lost.old)
    trust = closing.carry_out(lost.old, signed(proposed))
    assert closing.carry_out(lost.old, signed(proposed)) == trust  # an interrupted one goes on
    after = leaves(lost.old)
    assert after[1:] == before
    assert root_of_hashes([leaf_hash(one) for one in after[1:]]).hex() == proposed.root
    assert Trust.from_bytes(trust.to_bytes()) == trust
    lost.open(trust)
    world = lost.world
    assert [*world.room.log.entries(0)][: len(after)] == after
    assert [one.kind for one in world.vault.learnt].count(Closing.KIND) == 1
    assert witnessing.newest_quorum(world.room) is not None
    assert refused(lambda: closing.carry_out(world.room, signed(proposed))) == "STATE"


def test_nothing_is_released_before_the_enterprise_signs_again(lost: Closed) -> None:
    trust = closing.carry_out(lost.old, signed(lost.propose()))
    lost.open(trust)
    world = lost.world
    (line,) = world.score(world.request(code(1))).results
    assert (line.status, line.code) == ("refused", "AUTH_UNCONFIRMED")
    assert refused(lambda: world.grant(code(1))) == "AUTH_UNCONFIRMED"  # too close to the closing
    world.later(minutes=6)
    world.grant(code(1))
    results = world.score(world.request(code(1), code(3))).results
    assert [(one.status, one.code) for one in results] == [
        ("released", None),
        ("refused", "AUTH_UNCONFIRMED"),
    ]
    twin = replace(world.room, trust=replace(trust, closed=()))  # forgets the suspension
    world.room = twin
    assert world.score(world.request(code(3))).results[0].status == "released"


def test_receipts_of_the_closed_log_verify_with_the_new_trust_file(lost: Closed) -> None:
    trust = closing.carry_out(lost.old, signed(lost.propose()))
    for data in (lost.receipt, lost.late):
        assert check_receipt(data, lost.trust, check_papers=check_papers)
        told = check_receipt(data, trust, check_papers=check_papers)
        assert told.origin == lost.trust.origin
        assert any("the disks burnt" in link for link in told.links)
    lost.open(trust)
    world = lost.world
    (row,) = _receipts(world)
    anew = check_receipt(receipts.get(world.room, bank(), row), trust, check_papers=check_papers)
    assert anew.origin == NEW


def _receipts(world: World) -> list[str]:
    query = sa.select(t.release.c.id).where(t.release.c.enterprise == code(1))
    with reading(world.room.database) as connection:
        return list(connection.scalars(query))


def test_what_lies_behind_the_end_is_not_believed(lost: Closed) -> None:
    proposed = lost.propose()
    shorter = replace(proposed, seen_size=proposed.placed + 1, seen_root=proposed.root)
    assert lost.trust.closed == ()
    denied = replace(lost.trust, origin=NEW, closed=(signed(shorter),))
    with pytest.raises(Tampered) as caught:
        check_receipt(lost.late, denied, check_papers=check_papers)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"


@pytest.mark.parametrize("names", [("zhao",), ("qian",), ("zhao", "sun"), ("sun", "qian")])
def test_one_operator_or_another_closes_nothing(lost: Closed, names: tuple[str, ...]) -> None:
    statement = signed(lost.propose(), *names)
    before = leaves(lost.old)
    assert refused(lambda: closing.carry_out(lost.old, statement)) == "APPROVAL_MISSING"
    assert leaves(lost.old) == before


@pytest.mark.parametrize(
    ("change", "code_"),
    [
        ({"root": "00" * 32}, "STATE"),
        ({"seen_root": "00" * 32}, "STATE"),
        ({"reason": ""}, "FIELD_INVALID"),
        ({"successor": "room.test/log"}, "FIELD_INVALID"),
        ({"origin": "room.test/other"}, "SIGNATURE_INVALID"),
    ],
)
def test_a_closing_that_says_something_else_is_refused(
    lost: Closed, change: dict[str, str], code_: str
) -> None:
    body = {**lost.propose().to_body(), **change}
    statement = lost.world.sign(body, *f.GENESIS)
    assert refused(lambda: closing.carry_out(lost.old, statement)) == code_


def test_a_room_of_which_all_is_somewhere_is_not_closed(copied: Copied) -> None:
    old = copied.back_up()
    copied.world.score()
    copied.turn()
    with pytest.raises(Conflict):
        closing.propose(old, old.tails, NEW, "no reason")
    behind.check_whole(old)  # the replay brought it back


def test_without_a_witnesss_word_nothing_is_closed(lost: Closed) -> None:
    for one in lost.old.witnesses:
        assert isinstance(one, Near)
        one.away = True
    assert refused(lost.propose) == "STATE"


def test_other_entries_than_were_signed_are_not_closed_over(lost: Closed) -> None:
    statement = signed(lost.propose())
    with lost.old.database.begin() as connection:
        last = sa.select(sa.func.max(t.entry.c.number)).scalar_subquery()
        moved = sa.update(t.entry).where(t.entry.c.number == last)
        connection.execute(moved.values(leaf=b"{}"))
    assert refused(lambda: closing.carry_out(lost.old, statement)) == "STATE"
