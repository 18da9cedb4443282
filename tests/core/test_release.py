"""Is nothing released unless every rule holds, and does the first one refuse?"""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.release import ORDER, ReleaseFacts, check_release
from saferoom.core.state import GrantState, PartyState, VersionState
from saferoom.errors import CODES, Refusal

FINE = ReleaseFacts(
    party_state=PartyState.ADMITTED,
    contract_live=True,
    contract_covers=True,
    version_state=VersionState.APPROVED,
    approvals_complete=True,
    request_signed=True,
    purpose_matches=True,
    grant_state=GrantState.GRANTED,
    grant_confirmed=True,
    grant_live=True,
    grant_covers=True,
    charge_mbit=4000,
    spent_group_mbit=36_000,
    limit_mbit=40_000,
    spent_all_mbit=76_000,
    ceiling_mbit=80_000,
    charged_group_mbit=36_000,
    charged_all_mbit=76_000,
)

# In the order of refusal: (code, what makes it refuse).
WRONG: list[tuple[str, dict[str, object]]] = [
    *[("ORG_INACTIVE", {"party_state": s}) for s in (None, *PartyState) if s != "admitted"],
    ("ORG_INACTIVE", {"contract_live": False}),
    ("CONTRACT_SCOPE", {"contract_covers": False}),
    *[("MODEL_UNFILED", {"version_state": s}) for s in (None, *VersionState) if s != "approved"],
    ("APPROVAL_MISSING", {"approvals_complete": False}),
    ("SIGNATURE_INVALID", {"request_signed": False}),
    ("PURPOSE", {"purpose_matches": False}),
    ("AUTH_MISSING", {"grant_state": None}),
    ("AUTH_MISSING", {"grant_state": GrantState.REQUESTED}),
    ("AUTH_MISSING", {"grant_state": GrantState.DECLINED}),
    ("AUTH_MISSING", {"grant_state": GrantState.LAPSED}),
    ("AUTH_REVOKED", {"grant_state": GrantState.REVOKED}),
    ("AUTH_UNCONFIRMED", {"grant_confirmed": False}),
    ("AUTH_EXPIRED", {"grant_state": GrantState.EXPIRED}),
    ("AUTH_EXPIRED", {"grant_live": False}),
    ("AUTH_SCOPE", {"grant_covers": False}),
    ("LEDGER_INCONSISTENT", {"charged_group_mbit": 1_000_000}),
    ("LEDGER_INCONSISTENT", {"charged_all_mbit": 1_000_000}),
    ("BUDGET_FULL", {"limit_mbit": None}),
    ("BUDGET_FULL", {"spent_group_mbit": 36_001}),
    ("CEILING_FULL", {"ceiling_mbit": None}),
    ("CEILING_FULL", {"spent_all_mbit": 76_001}),
]
CODE_ORDER = [code for code, _ in ORDER]


def changed(*changes: dict[str, object]) -> ReleaseFacts:
    facts = FINE
    for change in changes:
        facts = replace(facts, **change)  # type: ignore[arg-type]
    return facts


def test_when_everything_holds_the_answer_may_leave() -> None:
    check_release(FINE)


@pytest.mark.parametrize(("code", "change"), WRONG, ids=str)
def test_each_fact_alone_refuses(code: str, change: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refusal:
        check_release(changed(change))
    assert refusal.value.code == code


def test_every_fact_can_refuse() -> None:
    used = {name for _, change in WRONG for name in change}
    assert used | {"charge_mbit"} == {field.name for field in fields(ReleaseFacts)}
    with pytest.raises(Refusal):
        check_release(changed({"charge_mbit": 4001}))


def test_the_order_is_literal_and_every_code_is_a_refusal() -> None:
    assert list(dict.fromkeys(code for code, _ in WRONG)) == CODE_ORDER
    assert {CODES[code].family for code in CODE_ORDER} == {Refusal}


@given(st.lists(st.sampled_from(WRONG), min_size=1, max_size=6))
def test_of_several_reasons_the_earliest_is_told(
    wrong: list[tuple[str, dict[str, object]]],
) -> None:
    by_field = {name: (code, change) for code, change in wrong for name in change}
    kept = list(by_field.values())  # the last change of a field is what stands
    with pytest.raises(Refusal) as refusal:
        check_release(changed(*(change for _, change in kept)))
    assert refusal.value.code == min((code for code, _ in kept), key=CODE_ORDER.index)


def test_a_stored_answer_costs_nothing_and_still_needs_everything_else() -> None:
    full = changed({"charge_mbit": 0, "spent_group_mbit": 50_000})
    check_release(full)
    with pytest.raises(Refusal) as refusal:
        check_release(replace(full, grant_state=GrantState.REVOKED))
    assert refusal.value.code == "AUTH_REVOKED"
