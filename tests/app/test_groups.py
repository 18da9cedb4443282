"""Does a bank keep the group in whose accounts it is remembered what was revealed to it?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from saferoom.app import parties
from saferoom.canonical import Digest
from saferoom.core.admission import PartyKind
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import OPERATOR, World


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def propose(world: World, **changes: object) -> Digest:
    admission = f.admission(nonce=world.nonce, **changes)
    return parties.apply(world.room, OPERATOR, f.sign(admission, "zhao"))


@pytest.mark.parametrize(
    "changes",
    [{"group": "new"}, {"group": f.BANK, "party_kind": PartyKind.AUDITOR}],
)
def test_a_bank_with_accounts_is_not_proposed_in_another_group(
    world: World, changes: dict[str, object]
) -> None:
    assert refused(lambda: propose(world, **changes)) == "STATE"
    propose(world, group=f.BANK)


def test_nor_does_an_older_proposal_take_it_there(world: World) -> None:
    world.enrol_bank("bank-b")
    elsewhere = propose(world, party="bank-b", group="new")
    world.admit("bank-b")
    world.budget(group="bank-b")
    assert refused(lambda: world.approve(elsewhere)) in {"STATE", "VOTE_INVALID"}


def test_a_bank_that_nobody_opened_an_account_for_may_change(world: World) -> None:
    world.admit("bank-b")
    world.admit("bank-b", group="new")


def test_a_source_has_no_group_to_keep(world: World) -> None:
    world.admit("tax", party_kind=PartyKind.SOURCE)
    world.admit("tax", party_kind=PartyKind.SOURCE, group="other")
