"""May this caller ask this, of this version, now?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from saferoom.core.manifest import Purpose
from saferoom.core.moment import FRESH
from saferoom.core.request import check_request, fresh
from saferoom.errors import Refusal
from tests import factories as make
from tests.factories import NOW, Register, admission, manifest, request, sign


@pytest.fixture(scope="module")
def room() -> Register:
    room = Register.founded()
    room.enrol_bank()
    room.enrol_bank("bank-b")
    room.enrol_enterprise()
    return room


def ask(room: Register, signer: str = "bank-a.modeller", **changes: object) -> None:
    asked: dict[str, object] = {
        "statement": sign(request(), signer),
        "lookup": room.lookup,
        "manifest": manifest(),
        "admission": admission(),
        "now": NOW,
    }
    check_request(**{**asked, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("signer", ["bank-a.modeller", "bank-a.system"])
def test_a_modeller_or_a_system_of_the_bank_asks(room: Register, signer: str) -> None:
    statement = sign(request(), signer)
    read, caller = check_request(statement, room.lookup, manifest(), admission(), NOW)
    assert read == request()
    assert caller.holder == signer


MONITORING = manifest(purpose=Purpose.POST_LOAN_MONITORING)


@pytest.mark.parametrize(
    ("signer", "changes", "code"),
    [
        ("stranger", {}, "KEY_UNKNOWN"),
        ("zhao", {}, "ROLE"),
        ("bank-a.approver", {}, "ROLE"),
        (make.ENTERPRISE, {}, "ROLE"),
        ("bank-b.modeller", {}, "ROLE"),
        ("bank-a.modeller", {"admission": None}, "ORG_INACTIVE"),
        ("bank-a.modeller", {"admission": admission(valid_until=make.NOW_TEXT)}, "ORG_INACTIVE"),
        ("bank-a.modeller", {"admission": admission(party="bank-b")}, "CONTRACT_SCOPE"),
        ("bank-a.modeller", {"admission": admission(group="other")}, "CONTRACT_SCOPE"),
        ("bank-a.modeller", {"admission": admission(purposes=())}, "CONTRACT_SCOPE"),
        ("bank-a.modeller", {"manifest": manifest(name="another")}, "AUTH_SCOPE"),
        ("bank-a.modeller", {"now": NOW + FRESH + timedelta(seconds=1)}, "REPLAY"),
        ("bank-a.modeller", {"now": NOW - FRESH - timedelta(seconds=1)}, "REPLAY"),
    ],
)
def test_any_other_request_is_refused(
    room: Register, signer: str, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        ask(room, signer, **changes)
    assert refusal.value.code == code


def test_the_purpose_is_the_version_s(room: Register) -> None:
    asked = request(MONITORING, purpose=Purpose.CREDIT_APPROVAL)
    with pytest.raises(Refusal) as refusal:
        ask(room, statement=sign(asked, "bank-a.modeller"), manifest=MONITORING)
    assert refusal.value.code == "PURPOSE"


@pytest.mark.parametrize("offset", [FRESH, -FRESH, timedelta(0)])
def test_a_request_is_fresh_to_either_side(offset: timedelta) -> None:
    assert fresh(request(), NOW + offset)
