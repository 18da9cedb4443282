"""Is what the enterprise signed exactly what may happen?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from saferoom.core.grant import (
    Grant,
    check_covers,
    check_grant,
    check_renewal,
    check_revocation,
    check_revokes,
    first_mismatch,
    live,
    revoked,
)
from saferoom.core.manifest import Purpose
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.record import Record
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, SaferoomError
from tests import factories as make
from tests.factories import BANK, ENTERPRISE, NOW, Register, grant, manifest, revocation, sign

CATEGORIES = ("registration", "tax")
OTHER = make_uscc(2)


@pytest.fixture(scope="module")
def room() -> Register:
    room = Register.founded()
    room.enrol_bank()
    room.enrol_enterprise(ENTERPRISE)
    room.enrol_enterprise(OTHER)
    return room


SIGNED: list[tuple[Record, Callable[..., Record]]] = [
    (grant(), check_grant),
    (revocation(), check_revocation),
]


@pytest.mark.parametrize(("record", "check"), SIGNED)
def test_the_enterprise_s_own_signature_counts(
    room: Register, record: Record, check: Callable[..., Record]
) -> None:
    assert check(sign(record, ENTERPRISE), room.lookup) == record


@pytest.mark.parametrize(("record", "check"), SIGNED)
@pytest.mark.parametrize(
    ("signers", "code"),
    [
        ((), "SIGNATURE_INVALID"),
        ((OTHER,), "SIGNATURE_INVALID"),
        ((ENTERPRISE, OTHER), "SIGNATURE_INVALID"),
        (("stranger",), "KEY_UNKNOWN"),
        (("zhao",), "ROLE"),
        (("bank-a.modeller",), "ROLE"),
    ],
)
def test_nobody_signs_in_its_name(
    room: Register,
    record: Record,
    check: Callable[..., Record],
    signers: tuple[str, ...],
    code: str,
) -> None:
    with pytest.raises(Refusal) as refusal:
        check(sign(record, *signers), room.lookup)
    assert refusal.value.code == code


def test_an_inserted_grant_with_a_borrowed_signature_is_refused(room: Register) -> None:
    longer = grant(valid_until="2036-01-01T00:00:00Z")
    forged = Statement(longer.to_body(), sign(grant(), ENTERPRISE).signatures)
    with pytest.raises(Refusal) as refusal:
        check_grant(forged, room.lookup)
    assert refusal.value.code == "SIGNATURE_INVALID"


def covers(given: Grant, **changes: object) -> None:
    asked: dict[str, object] = {
        "manifest": manifest(),
        "categories": CATEGORIES,
        "purpose": Purpose.CREDIT_APPROVAL,
        "bank": BANK,
        "now": NOW,
    }
    check_covers(given, **{**asked, **changes})  # type: ignore[arg-type]


def test_the_grant_for_this_version_covers_it() -> None:
    covers(grant())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bank": "bank-b"}, "bank"),
        ({"version": make.some_digest("other version")}, "version"),
        ({"purpose": Purpose.POST_LOAN_MONITORING}, "purpose"),
        ({"categories": ("tax",)}, "categories"),
        ({"categories": ("court", "registration", "tax")}, "categories"),
        ({"categories": ("tax", "registration")}, "categories"),
        ({"outcomes": 15}, "outcomes"),
        ({"outcomes": 17}, "outcomes"),
        ({"charge_mbit": 3999}, "charge_mbit"),
        ({"charge_mbit": 4001}, "charge_mbit"),
    ],
)
def test_each_signed_field_is_compared(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Refusal) as refusal:
        covers(grant(**changes))
    assert refusal.value.code == "AUTH_SCOPE"
    assert field in refusal.value.sentence


@pytest.mark.parametrize(
    "asked",
    [
        {"manifest": manifest(nonce=make.nonce("one changed field"))},
        {"manifest": manifest(bank="bank-b")},
        {"manifest": manifest(grades=make.GRADES[:4])},
        {"manifest": manifest(purpose=Purpose.POST_LOAN_MONITORING)},
        {"categories": ("registration", "tax", "court")},
        {"purpose": Purpose.POST_LOAN_MONITORING},
        {"bank": "bank-b"},
    ],
)
def test_each_asked_field_is_compared(asked: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refusal:
        covers(grant(), **asked)
    assert refusal.value.code == "AUTH_SCOPE"


def test_a_version_of_another_bank_or_purpose_is_not_covered_by_a_grant_that_says_so_too() -> None:
    theirs = manifest(bank="bank-b")
    assert (
        first_mismatch(grant(theirs, bank=BANK), theirs, CATEGORIES, Purpose.CREDIT_APPROVAL, BANK)
        == "version's bank"
    )
    monitoring = manifest(purpose=Purpose.POST_LOAN_MONITORING)
    signed = grant(monitoring, purpose=Purpose.CREDIT_APPROVAL)
    assert (
        first_mismatch(signed, monitoring, CATEGORIES, Purpose.CREDIT_APPROVAL, BANK)
        == "version's purpose"
    )


def test_a_grant_lives_from_its_first_second_until_before_its_last() -> None:
    given = grant()
    first, last = read_instant(given.valid_from), read_instant(given.valid_until)
    second = timedelta(seconds=1)
    assert live(given, first)
    assert live(given, last - second)
    for dead in (first - second, last, last + timedelta(days=400)):
        assert not live(given, dead)
        with pytest.raises(Refusal) as refusal:
            covers(given, now=dead)
        assert refusal.value.code == "AUTH_EXPIRED"


def test_a_grant_signed_in_the_future_does_not_live_yet() -> None:
    early, late = NOW + timedelta(minutes=5), NOW + timedelta(minutes=5, seconds=1)
    assert live(grant(signed_at=write_instant(early)), NOW)
    assert not live(grant(signed_at=write_instant(late)), NOW)


SIGNED_AT = "2026-11-20T10:00:00Z"


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, True),  # by name, whenever it was signed
        ({"revoked_at": "2026-11-20T09:00:00Z"}, True),
        ({"version": make.some_digest("other")}, True),
        ({"grant": make.some_digest("other")}, True),  # by version and instant
        ({"grant": make.some_digest("other"), "revoked_at": SIGNED_AT}, True),
        ({"grant": make.some_digest("other"), "revoked_at": "2026-11-20T09:59:59Z"}, False),
        ({"grant": make.some_digest("other"), "version": make.some_digest("other")}, False),
        ({"enterprise": OTHER}, False),
    ],
)
def test_a_revocation_ends_what_it_names_and_what_was_signed_by_then(
    changes: dict[str, object], ends: bool
) -> None:
    given = grant(signed_at=SIGNED_AT)
    assert revoked(given, [revocation(given, **changes)]) is ends
    assert not revoked(given, [])


def test_grants_for_one_version_are_a_chain() -> None:
    first = grant(signed_at=SIGNED_AT)
    later = "2026-11-20T10:00:01Z"
    check_renewal(first, None)
    check_renewal(grant(renews=first.digest, signed_at=later), first)
    for wrong, latest in (
        (grant(renews=first.digest), None),
        (grant(signed_at=later), first),
        (grant(renews=make.some_digest(), signed_at=later), first),
        (grant(renews=first.digest, signed_at=SIGNED_AT), first),
    ):
        with pytest.raises(Refusal, match="AUTH_SCOPE"):
            check_renewal(wrong, latest)


def test_a_revocation_names_its_own_grant_only() -> None:
    check_revokes(revocation(), grant())
    others: list[Grant] = [grant(nonce=make.nonce("renewed")), grant(enterprise=OTHER)]
    for other in others:
        with pytest.raises(SaferoomError) as refusal:
            check_revokes(revocation(), other)
        assert refusal.value.code == "AUTH_SCOPE"
    with pytest.raises(SaferoomError):
        check_revokes(revocation(enterprise=OTHER), grant())
    with pytest.raises(SaferoomError):
        check_revokes(revocation(version=make.some_digest("other")), grant())
