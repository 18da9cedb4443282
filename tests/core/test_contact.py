from __future__ import annotations

import dataclasses

import pytest

from saferoom.core.contact import Contact, check_contact, check_newer_contact
from saferoom.core.enrolment import Role
from saferoom.errors import BadInput, Conflict, Refusal
from tests import factories as f


def _contact(**changes: str) -> Contact:
    fields = {
        "party": f.BANK,
        "address": "desk@bank-a.test",
        "set_at": f.NOW_TEXT,
        "nonce": f.nonce("contact"),
    }
    return Contact(**{**fields, **changes})


@pytest.fixture
def register() -> f.Register:
    register = f.Register.founded()
    register.enrol_bank()
    register.enrol_bank("bank-b")
    register.enrol_enterprise()
    return register


def test_an_approver_speaks_for_a_bank_and_an_enterprise_for_itself(register: f.Register) -> None:
    contact, signer = check_contact(f.sign(_contact(), f"{f.BANK}.approver"), register.lookup)
    assert (contact, signer.role) == (_contact(), Role.APPROVER)
    own = _contact(party=f.ENTERPRISE)
    assert check_contact(f.sign(own, f.ENTERPRISE), register.lookup)[0] == own


@pytest.mark.parametrize(
    "signer", [f"{f.BANK}.modeller", f"{f.BANK}.system", "bank-b.approver", "zhao", f.ENTERPRISE]
)
def test_nobody_else_says_where_a_bank_is_told(register: f.Register, signer: str) -> None:
    with pytest.raises(Refusal, match="ROLE"):
        check_contact(f.sign(_contact(), signer), register.lookup)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "desk",
        "a@b\nBcc: c@d",
        "=?utf-8?q?=0d=0a?=@mallory.example",
        "a b@c",
        "a@b, c@d",
        "@b",
        "a@",
        "a@b@c",
        "<a@b>",
        "a@" + "b" * 200,
    ],
)
def test_what_could_be_read_as_anything_else_is_no_address(address: str) -> None:
    with pytest.raises(BadInput, match="address"):
        _contact(address=address)


def test_what_was_signed_later_counts() -> None:
    current = _contact()
    later = dataclasses.replace(current, set_at="2026-11-20T10:52:00Z")
    check_newer_contact(current, None)
    check_newer_contact(later, current)
    for kept_back in (current, dataclasses.replace(current, set_at=f.LAST_YEAR)):
        with pytest.raises(Conflict, match="STATE"):
            check_newer_contact(kept_back, current)
