from __future__ import annotations

import pytest

from saferoom.core.manifest import Purpose
from saferoom.core.purpose import Beyond, Necessary, Purposes, check_necessary
from saferoom.errors import BadInput, Refusal
from tests import factories as f

APPROVAL, MONITORING = Purpose.CREDIT_APPROVAL, Purpose.POST_LOAN_MONITORING


def _lists(beyond: Beyond = Beyond.REFUSE, **changes: tuple[str, ...]) -> Purposes:
    fields = {"categories": ("registration",), "views": ("tax_grade",), **changes}
    return Purposes(purpose=(Necessary(purpose=APPROVAL, beyond=beyond, **fields),))


def test_a_set_without_lists_asks_nothing() -> None:
    assert check_necessary(None, APPROVAL, f.views(), f.FEATURES) == ()


def test_what_the_list_names_is_necessary() -> None:
    assert check_necessary(_lists(), APPROVAL, f.views(), ("reg_age_m", "tax_grade")) == ()


def test_what_it_does_not_name_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match=r"MIN_NECESSARY.*tax_sales_12"):
        check_necessary(_lists(), APPROVAL, f.views(), f.FEATURES)


def test_or_flagged_where_the_list_says_so() -> None:
    lists = _lists(Beyond.FLAG)
    assert check_necessary(lists, APPROVAL, f.views(), f.FEATURES) == ("tax_sales_12",)


def test_a_purpose_without_a_list_needs_nothing() -> None:
    with pytest.raises(Refusal, match="MIN_NECESSARY"):
        check_necessary(_lists(Beyond.FLAG), MONITORING, f.views(), ("reg_age_m",))


def test_an_unknown_view_is_beyond() -> None:
    with pytest.raises(Refusal, match="unheard_of"):
        check_necessary(_lists(), APPROVAL, f.views(), ("unheard_of",))


def test_a_purpose_has_one_list() -> None:
    with pytest.raises(BadInput, match="purpose"):
        Purposes(purpose=_lists().purpose * 2)
