"""Does a budget say the truth about what it replaces and what is revealed?"""

from __future__ import annotations

import pytest

from saferoom.core.budget import Budget, check_budget, check_order, check_replacement
from saferoom.core.uscc import make_uscc
from saferoom.errors import BadInput, Conflict, Refusal
from tests import factories as make
from tests.factories import ENTERPRISE, Register, budget, sign

OTHER = make_uscc(2)
FIRST = budget()


def test_only_the_enterprise_signs_its_budget() -> None:
    room = Register.founded()
    room.enrol_enterprise(ENTERPRISE)
    room.enrol_enterprise(OTHER)
    assert check_budget(sign(FIRST, ENTERPRISE), room.lookup) == FIRST
    for name, code in ((OTHER, "SIGNATURE_INVALID"), ("zhao", "ROLE"), ("x", "KEY_UNKNOWN")):
        with pytest.raises(Refusal) as refusal:
            check_budget(sign(FIRST, name), room.lookup)
        assert refusal.value.code == code


def next_budget(**changes: object) -> Budget:
    return budget(
        **{"replaces": FIRST.digest, "revealed_mbit": 8000, "limit_mbit": 60_000, **changes}
    )


@pytest.mark.parametrize(
    ("new", "current", "spent_group", "spent_all"),
    [
        (FIRST, None, 0, 0),
        (FIRST, None, 0, 12_000),
        (budget(revealed_mbit=4000), None, 4000, 4000),  # groups that merged
        (next_budget(), FIRST, 8000, 8000),
        (next_budget(limit_mbit=4000), FIRST, 8000, 12_000),  # lower than spent: stops all
        (next_budget(ceiling_mbit=4000), FIRST, 8000, 12_000),
    ],
)
def test_a_truthful_budget_takes_the_place_of_the_one_in_force(
    new: Budget, current: Budget | None, spent_group: int, spent_all: int
) -> None:
    check_replacement(new, current, spent_group, spent_all)


@pytest.mark.parametrize(
    ("new", "current", "spent_group"),
    [
        (next_budget(), None, 8000),  # replaces what is not there
        (budget(), FIRST, 0),  # a second first one
        (next_budget(replaces=make.some_digest("old")), FIRST, 8000),
        (next_budget(enterprise=OTHER), FIRST, 8000),
        (next_budget(group="bank-b"), FIRST, 8000),
        (next_budget(), FIRST, 12_000),  # more was revealed than the text says
        (next_budget(), FIRST, 4000),
        (budget(), None, 4000),  # a new text forgets what is spent
    ],
)
def test_any_other_budget_is_refused(new: Budget, current: Budget | None, spent_group: int) -> None:
    with pytest.raises(Conflict) as refusal:
        check_replacement(new, current, spent_group, 20_000)
    assert refusal.value.code == "STATE"


@pytest.mark.parametrize(("group", "everyone"), [(-1, 0), (2, 1)])
def test_accounts_that_cannot_be_are_a_programming_error(group: int, everyone: int) -> None:
    with pytest.raises(ValueError, match="part of"):
        check_replacement(FIRST, None, group, everyone)


SECOND_EARLIER = "2026-11-20T10:50:59Z"


@pytest.mark.parametrize(
    "new",
    [
        budget(group="bank-b"),
        budget(group="bank-b", ceiling_mbit=4000),
        next_budget(ceiling_mbit=1_000_000),
        next_budget(signed_at="2026-11-20T10:56:00Z"),  # clocks differ by minutes
    ],
)
def test_what_was_signed_last_says_the_ceiling(new: Budget) -> None:
    check_order(new, FIRST, make.NOW)
    check_order(new, None, make.NOW)


@pytest.mark.parametrize(
    "stale",
    [
        budget(group="bank-b", signed_at=SECOND_EARLIER),
        next_budget(signed_at=SECOND_EARLIER),
        budget(group="bank-b", ceiling_mbit=80_001),  # a raise that replaces nothing
    ],
)
def test_what_was_kept_back_changes_nothing(stale: Budget) -> None:
    check_order(stale, None, make.NOW)
    with pytest.raises(Conflict) as refusal:
        check_order(stale, FIRST, make.NOW)
    assert refusal.value.code == "STATE"


def test_nothing_is_signed_in_the_future() -> None:
    with pytest.raises(BadInput, match="signed_at"):
        check_order(budget(signed_at="2026-11-20T10:56:01Z"), None, make.NOW)
