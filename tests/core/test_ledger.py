"""Is the charge log₂ K rounded up, exactly, and is no account ever overspent?"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.ledger import affordable, charge_mbit, check_debit
from saferoom.errors import Refusal


@pytest.mark.parametrize(
    ("outcomes", "charge"), [(1, 0), (2, 1000), (4, 2000), (5, 2322), (16, 4000), (1002, 9969)]
)
def test_known_charges(outcomes: int, charge: int) -> None:
    assert charge_mbit(outcomes) == charge


def test_every_charge_is_the_ceiling_of_a_thousand_log2() -> None:
    with localcontext() as context:
        context.prec = 60
        for outcomes in range(1, 1003):
            exact = 1000 * Decimal(outcomes).ln() / Decimal(2).ln()
            whole = exact.to_integral_value()
            close = abs(exact - whole) < Decimal("1e-40")  # a power of two
            assert charge_mbit(outcomes) == (whole if close else math.ceil(exact))
            assert charge_mbit(outcomes) - 1 < 1000 * math.log2(outcomes) + 1e-6


def test_a_charge_is_the_least_that_covers_the_outcomes() -> None:
    for outcomes in range(2, 1003):
        charge = charge_mbit(outcomes)
        assert 2**charge >= outcomes**1000 > 2 ** (charge - 1)


def test_splitting_an_answer_never_lowers_the_charge() -> None:
    for first in range(2, 32):
        for second in range(2, 32):
            assert charge_mbit(first) + charge_mbit(second) >= charge_mbit(first * second)


@pytest.mark.parametrize("outcomes", [0, -1])
def test_an_answer_has_an_outcome(outcomes: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        charge_mbit(outcomes)


@pytest.mark.parametrize("code", ["BUDGET_FULL", "CEILING_FULL"])
def test_the_last_bit_may_be_spent_and_none_beyond(
    code: Literal["BUDGET_FULL", "CEILING_FULL"],
) -> None:
    assert check_debit(4000, 36_000, 40_000, code) == 40_000
    with pytest.raises(Refusal) as refusal:
        check_debit(4000, 36_001, 40_000, code)
    assert refusal.value.code == code


def test_what_reveals_nothing_new_passes_even_a_full_account() -> None:
    assert check_debit(0, 40_000, 4000, "BUDGET_FULL") == 40_000


@pytest.mark.parametrize(("charge", "spent"), [(-1, 5), (1, -5)])
def test_nothing_is_ever_given_back(charge: int, spent: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        affordable(charge, spent, 10)


@given(st.lists(st.integers(0, 9969), max_size=40), st.integers(0, 80_000))
def test_no_sequence_overspends(charges: list[int], limit: int) -> None:
    spent = 0
    for charge in charges:
        try:
            after = check_debit(charge, spent, limit, "BUDGET_FULL")
        except Refusal:
            assert spent + charge > limit
            continue
        assert after == spent + charge
        spent = after
    assert spent <= limit
