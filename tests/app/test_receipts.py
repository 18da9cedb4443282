from __future__ import annotations

import pytest

from saferoom.adapters.database.engine import writing
from saferoom.app import receipts
from saferoom.app.context import Caller
from saferoom.app.shredding import shred
from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.errors import NotFound, NotYet
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise


def test_a_receipt_proves_the_release_to_whoever_trusts_the_log_key(world: World) -> None:
    (line,) = world.score().results
    assert line.receipt is not None
    world.settle()
    found = world.verify(receipts.get(world.room, bank(), line.receipt))
    assert found.answer == line.answer
    assert found.artefacts["version"] == world.version.digest
    assert found.opened["enterprise"] == f.ENTERPRISE
    assert found.opened["charge_mbit"] == 4000
    assert found.opened["approvers"] == [f"{f.BANK}.approver", "zhao", "qian"]
    assert found.shredded == ()


def test_the_promise_names_the_entry_that_the_receipt_proves(world: World) -> None:
    answer = world.score()
    world.settle()
    receipt = receipts.get(world.room, bank(), str(answer.results[0].receipt))
    (promise,) = answer.promises
    assert promise.body["entry"] == world.verify(receipt).entry
    assert promise.body["deadline"] == "2026-11-20T10:52:00Z"
    promise.check_signed_by(world.room.log_key.public)


def test_a_receipt_follows_its_place_in_the_log(world: World) -> None:
    (line,) = world.score().results
    with pytest.raises(NotYet) as caught:
        receipts.get(world.room, bank(), str(line.receipt))
    assert caught.value.code == "NOT_SEQUENCED"


def test_a_shredded_enterprise_leaves_a_receipt_that_still_proves(world: World) -> None:
    (line,) = world.score().results
    world.settle()
    with writing(world.room.database) as connection:
        shred(connection, f.ENTERPRISE)
    found = world.verify(receipts.get(world.room, bank(), str(line.receipt)))
    assert set(found.shredded) == {
        "answer",
        "budget",
        "charge_mbit",
        "enterprise",
        "grant",
        "source",
    }
    assert found.answer is None
    assert found.opened["bank"] == f.BANK


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (bank(), True),
        (bank(role=Role.APPROVER), True),
        (enterprise(), True),
        (OPERATOR, True),
        (AUDITOR, True),
        (bank("bank-b"), False),
        (enterprise(code(9)), False),
        (Caller("tax.steward", "tax", Role.STEWARD, bank().key), False),
    ],
)
def test_a_receipt_exists_only_for_those_it_concerns(
    world: World, caller: Caller, sees: bool
) -> None:
    (line,) = world.score().results
    world.settle()
    assert (receipts.list_receipts(world.room, caller) == [line.receipt]) == sees
    if sees:
        assert receipts.get(world.room, caller, str(line.receipt))
    else:
        with pytest.raises(NotFound):
            receipts.get(world.room, caller, str(line.receipt))


def test_receipts_are_listed_by_version_and_time(world: World) -> None:
    (first,) = world.score().results
    world.later(minutes=1)
    since = write_instant(world.now)
    (second,) = world.score().results
    every = receipts.list_receipts(world.room, bank(), version=world.version.digest)
    assert every == [first.receipt, second.receipt]
    assert receipts.list_receipts(world.room, bank(), since=since) == [second.receipt]
    assert receipts.list_receipts(world.room, bank(), version=f.some_digest()) == []
