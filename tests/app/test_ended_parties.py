"""Does everything end at once with a party that is stopped, and nothing else?"""

from __future__ import annotations

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import people
from saferoom.app.people import TokenRequest
from saferoom.errors import Refusal, Unauthenticated
from tests import factories as f
from tests.app.world import ORIGIN, World, code


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
