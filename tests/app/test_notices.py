"""Does each party find what happened to it or in its name, and nothing of the others?"""

from __future__ import annotations

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import notices, parties, people
from saferoom.app.context import Caller
from saferoom.core.enrolment import Role
from saferoom.errors import Refusal
from tests import factories as f
from tests.app.world import GENESIS, OPERATOR, World, bank, code, enterprise


def kinds(world: World, caller: Caller) -> list[str]:
    return [str(one["kind"]) for one in notices.list_notices(world.room, caller)]


def test_an_enterprise_finds_its_keys_its_papers_and_each_release(world: World) -> None:
    world.score()
    new = f.enrolment(
        f.ENTERPRISE,
        party=f.ENTERPRISE,
        role=Role.ENTERPRISE,
        signing_key=f.signing_key("new").public.raw.hex(),
        replaces=f.signing_key(f.ENTERPRISE).public.id,
        nonce=f.nonce("new"),
    )
    people.enrol(world.room, OPERATOR, [f.sign(new, "new", *GENESIS)])
    expected = ["key_enrolled", "budget_signed", "grant_signed", "release", "key_replaced"]
    assert kinds(world, enterprise()) == expected


def test_a_release_is_told_with_its_bank_purpose_and_charge(world: World) -> None:
    other = code(8)
    world.enrol_enterprises([other])
    world.budget(other)
    world.grant(other)
    world.score(world.request(f.ENTERPRISE, other))
    for who in (f.ENTERPRISE, other):
        told = notices.list_notices(world.room, enterprise(who))[-1]
        assert (told["bank"], told["purpose"], told["charge_mbit"]) == (
            f.BANK,
            "credit_approval",
            4000,
        )
        assert told["time"] == f.NOW_TEXT
        assert world.count(t.entry, id=told["entry"]) == 1


def test_a_bank_finds_its_suspension_and_nothing_of_the_enterprises(world: World) -> None:
    before = kinds(world, bank())
    assert set(before) == {"key_enrolled"}
    world.score()
    parties.suspend(world.room, OPERATOR, f.BANK, f.sign(f.suspension(), *GENESIS))
    assert kinds(world, bank()) == [*before, "party_suspended"]
    assert kinds(world, bank("bank-b")) == []


def test_what_is_refused_leaves_no_notice(world: World) -> None:
    before = world.count(t.notice)
    with pytest.raises(Refusal):
        world.grant(f.ENTERPRISE, world.version, bank="bank-b")
    assert world.count(t.notice) == before


def test_notices_are_read_from_a_number_on(world: World) -> None:
    first, *rest = notices.list_notices(world.room, enterprise())
    assert notices.list_notices(world.room, enterprise(), int(str(first["number"]))) == rest


def test_a_notice_holds_no_values() -> None:
    names = {column.name for column in t.notice.columns}
    told = {"number", "recipient", "kind", "entry", "position", "written_at"}
    assert names == told | {"address", "state", "attempts", "next_at"}  # how it is sent
