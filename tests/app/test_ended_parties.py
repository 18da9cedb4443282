"""Does everything end at once with a party that is stopped, and nothing else?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import parties, people, versions
from saferoom.app.context import Caller
from saferoom.app.people import TokenRequest
from saferoom.core.proposals import Exit
from saferoom.errors import BadInput, Conflict, NotFound, Refusal, Unauthenticated
from tests import factories as f
from tests.app.world import GENESIS, OPERATOR, ORIGIN, World, bank, code


def _leave(world: World, caller: Caller = OPERATOR, **changes: str) -> str:
    fields = {"party": f.BANK, "reason": "it left", "exited_at": world.now_text}
    paper = Exit(**{**fields, "nonce": world.nonce, **changes})
    return parties.leave(world.room, caller, f.BANK, f.sign(paper, *GENESIS))


def _token(world: World, holder: str) -> str:
    asked = TokenRequest(origin=ORIGIN, holder=holder, asked_at=world.now_text, nonce=world.nonce)
    return people.issue_token(world.room, f.sign(asked, holder))[0]


def test_a_suspension_ends_the_party_s_tokens_and_no_other(world: World) -> None:
    world.enrol_bank("bank-b")
    world.admit("bank-b")
    mine = [_token(world, f"{f.BANK}.{role}") for role in ("modeller", "approver", "system")]
    others = [_token(world, name) for name in ("bank-b.modeller", "zhao", f.ENTERPRISE)]
    for token in (*mine, *others):
        people.who(world.room, token)
    world.suspend_party()
    for token in mine:
        with pytest.raises(Unauthenticated, match="TOKEN_INVALID"):
            people.who(world.room, token)
    for token in others:
        people.who(world.room, token)


def test_people_of_a_suspended_party_do_not_log_in_until_it_is_admitted_again(
    world: World,
) -> None:
    world.suspend_party()
    before = world.count(t.token)
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        _token(world, f"{f.BANK}.modeller")
    assert world.count(t.token) == before
    world.later(minutes=1)
    world.admit()
    assert people.who(world.room, _token(world, f"{f.BANK}.modeller")).party == f.BANK


def test_people_of_a_party_that_was_never_admitted_log_in(world: World) -> None:
    world.enrol_bank("bank-c")  # they are enrolled before their contract is voted for
    assert people.who(world.room, _token(world, "bank-c.modeller")).party == "bank-c"
    world.enrol_enterprises([code(7)])
    assert people.who(world.room, _token(world, code(7))).party == code(7)


def test_a_suspended_party_leaves_for_good_with_its_versions(world: World) -> None:
    world.suspend_party()
    assert _leave(world) == "exited"
    shown = versions.get_version(world.room, OPERATOR, world.version.digest)
    assert shown["state"] == "retired"
    with pytest.raises(Conflict, match="left for good"):
        world.admit()
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        _token(world, f"{f.BANK}.approver")
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        world.score()
    assert world.count(t.entry, kind="party_suspended") == 2
    with pytest.raises(Conflict, match="STATE"):
        _leave(world)


def test_an_admitted_party_is_suspended_before_it_leaves(world: World) -> None:
    with pytest.raises(Conflict, match="STATE"):
        _leave(world)
    assert world.score().results[0].code is None


def test_who_ends_a_party_and_by_which_paper(world: World) -> None:
    world.suspend_party()
    with pytest.raises(Refusal, match="ROLE"):
        _leave(world, bank())
    with pytest.raises(BadInput, match="party"):
        _leave(world, party="bank-b")
    with pytest.raises(Refusal, match="REPLAY"):
        _leave(world, exited_at=f.LAST_YEAR)
    alone = Exit(party=f.BANK, reason="x", exited_at=world.now_text, nonce=world.nonce)
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        parties.leave(world.room, OPERATOR, f.BANK, f.sign(alone, "zhao"))
    unknown = f.sign(replace(alone, party="nobody"), *GENESIS)
    with pytest.raises(NotFound):
        parties.leave(world.room, OPERATOR, "nobody", unknown)
