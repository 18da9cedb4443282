"""Does no key count that two other operators did not vouch for?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.core.enrolment import (
    Role,
    check_begins_soon,
    check_enrolment,
    check_enterprise,
    check_genesis,
    check_only_key,
    check_operators,
    check_signer,
)
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, Refusal, SaferoomError
from tests import factories as make
from tests.factories import Register, enrolment, sign

OTHER_KEY = make.signing_key("another").public.raw.hex()


@pytest.fixture
def room() -> Register:
    return Register.founded()


def test_genesis_is_two_operators_each_signed_by_both() -> None:
    assert [one.holder for one in check_genesis(make.genesis())] == ["zhao", "qian"]


MODELLER = enrolment("qian", role=Role.MODELLER)
REPLACING = enrolment("qian", replaces=make.some_digest())
TWICE = enrolment("zhao", signing_key=make.signing_key("qian").public.raw.hex())


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ([], "ROLE"),
        (make.genesis()[:1], "ROLE"),
        (make.genesis()[:1] * 2, "ROLE"),
        ([*make.genesis(), sign(enrolment("sun"), "zhao", "qian", "sun")], "ROLE"),
        ([make.genesis()[0], sign(MODELLER, "zhao", "qian")], "ROLE"),
        ([make.genesis()[0], sign(REPLACING, "zhao", "qian")], "ROLE"),
        ([sign(enrolment("zhao"), "zhao"), make.genesis()[1]], "SIGNATURE_INVALID"),
        ([sign(enrolment("zhao"), "zhao", "sun"), make.genesis()[1]], "SIGNATURE_INVALID"),
        ([sign(enrolment("zhao"), "zhao", "qian", "sun"), make.genesis()[1]], "SIGNATURE_INVALID"),
        ([sign(TWICE, "zhao", "qian"), sign(enrolment("zhao"), "zhao", "qian")], "ROLE"),
        (
            [
                sign(enrolment("sun", signing_key=TWICE.signing_key), "qian"),
                make.genesis()[1],
            ],
            "SIGNATURE_INVALID",
        ),
    ],
)
def test_any_other_genesis_is_refused(statements: list[Statement], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_genesis(statements)
    assert refusal.value.code == code


def test_one_key_cannot_be_both_founders() -> None:
    shared = enrolment("zhao").signing_key
    both = [sign(enrolment(name, signing_key=shared), "zhao") for name in make.GENESIS]
    with pytest.raises(Refusal):
        check_genesis(both)


def test_a_key_that_is_held_and_vouched_for_is_enrolled(room: Register) -> None:
    accepted = room.enrol("li.na", party="bank-a", role=Role.MODELLER)
    assert accepted.person == ("bank-a", "li.na")
    assert room.lookup(accepted.key_id) == accepted


LI = enrolment("li.na", party="bank-a", role=Role.MODELLER)


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        (("zhao", "qian"), "SIGNATURE_INVALID"),  # not held
        (("li.na",), "ROLE"),
        (("li.na", "zhao"), "ROLE"),
        (("li.na", "zhao", "qian", "sun"), "ROLE"),
        (("li.na", "zhao", "stranger"), "KEY_UNKNOWN"),
        (("li.na", "zhao", "bank-a.approver"), "ROLE"),
        ((), "ROLE"),
    ],
)
def test_any_other_signatures_enrol_nobody(
    room: Register, signers: tuple[str, ...], code: str
) -> None:
    room.enrol_bank()
    with pytest.raises(Refusal) as refusal:
        check_enrolment(sign(LI, *signers), room.lookup)
    assert refusal.value.code == code


def test_an_operator_does_not_vouch_for_itself(room: Register) -> None:
    second = enrolment("zhao", signing_key=make.signing_key("zhao 2").public.raw.hex())
    with pytest.raises(Refusal):
        check_enrolment(sign(second, "zhao 2", "zhao", "qian"), room.lookup)


def test_one_operator_with_two_keys_is_still_one(room: Register) -> None:
    other = make.signing_key("zhao 2").public
    room.in_force[other.id] = enrolment("zhao", signing_key=other.raw.hex())
    with pytest.raises(Refusal):
        check_enrolment(sign(LI, "li.na", "zhao", "zhao 2"), room.lookup)


def test_a_forged_vouching_is_refused(room: Register) -> None:
    statement = sign(LI, "li.na", "zhao", "qian")
    marks = statement.signatures
    forged = Statement(statement.body, (*marks[:2], type(marks[2])(marks[2].key, marks[1].value)))
    with pytest.raises(Refusal) as refusal:
        check_enrolment(forged, room.lookup)
    assert refusal.value.code == "SIGNATURE_INVALID"


def test_enrolling_the_same_again_changes_nothing(room: Register) -> None:
    first = room.enrol("li.na")
    assert room.enrol("li.na") == first


def test_a_key_serves_one_enrolment(room: Register) -> None:
    room.enrol("li.na")
    with pytest.raises(Conflict) as refusal:
        room.enrol("li.na", role=Role.AUDITOR)
    assert refusal.value.code == "DUPLICATE"


def replacement(room: Register, **changes: object) -> dict[str, object]:
    old = room.enrol("li.na", party="bank-a", role=Role.MODELLER)
    fields: dict[str, object] = {
        "holder": "li.na",
        "party": "bank-a",
        "role": Role.MODELLER,
        "replaces": old.key_id,
    }
    return {**fields, **changes}


def test_a_replacement_voids_the_old_key(room: Register) -> None:
    fields = replacement(room)
    new = room.enrol("li.na 2", **fields)
    assert room.lookup(new.key_id) == new
    with pytest.raises(Refusal) as refusal:
        check_signer(sign({"kind": "x"}, "li.na"), room.lookup, Role.MODELLER)
    assert refusal.value.code == "KEY_UNKNOWN"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"holder": "wang"}, "ROLE"),
        ({"party": "bank-b"}, "ROLE"),
        ({"role": Role.APPROVER}, "ROLE"),
        ({"replaces": make.some_digest("nobody")}, "KEY_UNKNOWN"),
    ],
)
def test_a_replacement_stays_with_person_and_role(
    room: Register, changes: dict[str, object], code: str
) -> None:
    fields = replacement(room, **changes)
    with pytest.raises(Refusal) as refusal:
        room.enrol("li.na 2", **fields)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("holder", "party", "code"),
    [
        (make.ENTERPRISE, "bank-a", "FIELD_INVALID"),
        ("li.na", "li.na", "USCC_INVALID"),
        (make.ENTERPRISE[:-1] + "?", make.ENTERPRISE[:-1] + "?", "USCC_INVALID"),
    ],
)
def test_an_enterprise_is_its_own_party_with_a_valid_code(
    room: Register, holder: str, party: str, code: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        room.enrol(holder, party=party, role=Role.ENTERPRISE)
    assert refusal.value.code == code


BODY = {"kind": "saferoom/test/1"}


@pytest.mark.parametrize(
    ("signers", "roles", "code"),
    [
        ((), (Role.OPERATOR,), "SIGNATURE_INVALID"),
        (("zhao", "qian"), (Role.OPERATOR,), "SIGNATURE_INVALID"),
        (("stranger",), (Role.OPERATOR,), "KEY_UNKNOWN"),
        (("zhao",), (Role.MODELLER, Role.SYSTEM), "ROLE"),
        (("zhao",), (), "ROLE"),
    ],
)
def test_a_signer_is_one_enrolled_and_in_role(
    room: Register, signers: tuple[str, ...], roles: tuple[Role, ...], code: str
) -> None:
    assert check_signer(sign(dict(BODY), "zhao"), room.lookup, Role.OPERATOR).holder == "zhao"
    with pytest.raises(Refusal) as refusal:
        check_signer(sign(dict(BODY), *signers), room.lookup, *roles)
    assert refusal.value.code == code


def test_a_signature_over_another_body_is_nobody_s(room: Register) -> None:
    moved = Statement({"kind": "other"}, sign(dict(BODY), "zhao").signatures)
    with pytest.raises(Refusal) as refusal:
        check_signer(moved, room.lookup, Role.OPERATOR)
    assert refusal.value.code == "SIGNATURE_INVALID"


def test_operators_are_counted_as_people(room: Register) -> None:
    signed = sign(dict(BODY), "zhao", "qian")
    assert [one.holder for one in check_operators(signed, room.lookup, 2)] == ["zhao", "qian"]


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        (("zhao",), "APPROVAL_MISSING"),
        (("zhao", "qian", "sun"), "APPROVAL_MISSING"),
        (("zhao", "zhao 2"), "APPROVAL_MISSING"),
        (("zhao", "stranger"), "KEY_UNKNOWN"),
        (("zhao", "bank-a.approver"), "ROLE"),
    ],
)
def test_two_operators_are_two_people(room: Register, signers: tuple[str, ...], code: str) -> None:
    room.enrol_bank()
    other = make.signing_key("zhao 2").public
    room.in_force[other.id] = enrolment("zhao", signing_key=other.raw.hex())
    with pytest.raises(SaferoomError) as refusal:
        check_operators(sign(dict(BODY), *signers), room.lookup, 2)
    assert refusal.value.code == code


def test_only_the_enterprise_signs_for_itself(room: Register) -> None:
    room.enrol_enterprise()
    other = make_uscc(2)
    room.enrol_enterprise(other)
    signed = sign(dict(BODY), make.ENTERPRISE)
    assert check_enterprise(signed, make.ENTERPRISE, room.lookup).party == make.ENTERPRISE
    with pytest.raises(Refusal) as refusal:
        check_enterprise(signed, other, room.lookup)
    assert refusal.value.code == "SIGNATURE_INVALID"
    with pytest.raises(Refusal) as refusal:
        check_enterprise(sign(dict(BODY), "zhao"), make.ENTERPRISE, room.lookup)
    assert refusal.value.code == "ROLE"


def test_a_second_key_beside_the_one_in_force_is_refused() -> None:
    first, second = enrolment("li.na"), enrolment("li.na", signing_key=OTHER_KEY)
    held = {first.place: first.key_id}
    with pytest.raises(Conflict) as refusal:
        check_only_key(second, held)
    assert refusal.value.code == "DUPLICATE"
    check_only_key(first, held)  # the same again
    check_only_key(replace(second, replaces=first.key_id), held)
    check_only_key(second, {})
    check_only_key(replace(second, role=Role.AUDITOR), held)
    check_only_key(replace(second, party="bank-b"), held)


@pytest.mark.parametrize(("valid_from", "soon"), [("21T10:51:00Z", True), ("21T10:51:01Z", False)])
def test_a_key_begins_within_a_day(valid_from: str, *, soon: bool) -> None:
    wanted = enrolment("li.na", valid_from=f"2026-11-{valid_from}")
    if soon:
        check_begins_soon(wanted, make.NOW)
        return
    with pytest.raises(BadInput, match="valid_from"):
        check_begins_soon(wanted, make.NOW)
