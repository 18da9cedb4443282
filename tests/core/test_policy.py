"""Do policies see plain facts, and none that an enterprise's data decided?"""

from __future__ import annotations

import pytest

from saferoom.core.enrolment import Role
from saferoom.core.policy import score_facts, set_fact
from tests.factories import Register, admission, manifest


def test_facts_of_a_score() -> None:
    caller = Register.founded().enrol_bank()[Role.SYSTEM]
    facts = score_facts(
        manifest(),
        admission(),
        caller,
        categories=("tax", "registration"),
        highest_level=3,
        enterprises=200,
        charge_mbit=4000,
    )
    assert facts == {
        "bank": "bank-a",
        "group": "bank-a",
        "party_kind": "bank",
        "caller_role": "system",
        "by_system": True,
        "purpose": "credit_approval",
        "model_format": "scorecard-json",
        "features": 3,
        "grades": 14,
        "outcomes": 16,
        "charge_mbit": 4000,
        "categories": ",registration,tax,",
        "highest_level": 3,
        "enterprises": 200,
    }
    assert {type(fact) for fact in facts.values()} == {int, str, bool}


@pytest.mark.parametrize(
    ("names", "written"), [((), ","), (("b", "a", "b"), ",a,b,"), (("tax",), ",tax,")]
)
def test_a_set_is_one_string_that_names_can_be_found_in(
    names: tuple[str, ...], written: str
) -> None:
    assert set_fact(names) == written
    assert all(f",{name}," in written for name in names)
    assert ",ta," not in written


def test_a_comma_in_a_name_would_forge_another_name() -> None:
    with pytest.raises(ValueError, match="comma"):
        set_fact(["tax,court"])
