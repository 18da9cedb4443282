"""Does a contract hold inside its period and its scope, and nowhere else?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from saferoom.core.admission import (
    active,
    check_active,
    check_contract,
    contract_covers,
)
from saferoom.core.moment import read_instant
from saferoom.errors import Refusal
from tests.factories import LAST_YEAR, NEXT_YEAR, NOW, admission

SECOND = timedelta(seconds=1)


def test_a_contract_holds_from_its_first_second_until_before_its_last() -> None:
    first, last = read_instant(LAST_YEAR), read_instant(NEXT_YEAR)
    assert active(admission(), first)
    assert active(admission(), last - SECOND)
    assert not active(admission(), first - SECOND)
    assert not active(admission(), last)


def test_without_a_contract_in_force_nobody_acts() -> None:
    check_active(admission(), NOW)
    for contract, now in ((None, NOW), (admission(), read_instant(NEXT_YEAR))):
        with pytest.raises(Refusal) as refusal:
            check_active(contract, now)
        assert refusal.value.code == "ORG_INACTIVE"


@pytest.mark.parametrize(
    ("purpose", "categories", "covered"),
    [
        ("credit_approval", ("tax",), True),
        ("credit_approval", ("tax", "registration"), True),
        ("credit_approval", (), True),
        ("marketing", ("tax",), False),
        ("credit_approval", ("tax", "court"), False),
        ("", (), False),
    ],
)
def test_a_contract_names_its_purposes_and_categories(
    purpose: str, categories: tuple[str, ...], covered: bool
) -> None:
    assert contract_covers(admission(), purpose, categories) is covered
    if covered:
        check_contract(admission(), purpose, categories)
        return
    with pytest.raises(Refusal) as refusal:
        check_contract(admission(), purpose, categories)
    assert refusal.value.code == "CONTRACT_SCOPE"
