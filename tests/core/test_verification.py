"""Can a value that is only verified be found out, and who may ask at all?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.core.service import Service
from saferoom.core.uscc import make_uscc
from saferoom.core.verification import (
    Asked,
    Kind,
    Question,
    Verifier,
    VerifyGrant,
    VerifyRequest,
    answer_given,
    check_verify_grant,
    check_verify_request,
)
from saferoom.errors import BadInput, Refusal, SaferoomError
from tests import factories as f

OTHER = make_uscc(2)


def question(**changes: object) -> Question:
    fields: dict[str, Any] = {
        "id": "owner",
        "item": "property.ownership",
        "zh": "是否权利人",
        "en": "Is it the owner?",
        "kind": Kind.MATCH,
        "edges": (),
        "most_claims": 2,
        "days": 30,
        "path": "/verify/owner",
    }
    return Question(**{**fields, **changes})


def band(**changes: object) -> Question:
    fields: dict[str, Any] = {"kind": Kind.BAND, "edges": (100, 500), "most_claims": 0}
    return question(**{**fields, **changes})


def request(asked: Question, **changes: object) -> VerifyRequest:
    fields: dict[str, Any] = {
        "bank": f.BANK,
        "enterprise": f.ENTERPRISE,
        "verifier": "property",
        "question": asked.digest,
        "claim": "C-1" if asked.kind is Kind.MATCH else None,
        "purpose": "credit_approval",
        "loan_reference": "L-1",
        "asked_at": f.NOW_TEXT,
        "nonce": f.nonce("verify"),
    }
    return VerifyRequest(**{**fields, **changes})


def grant(asked: Question, **changes: object) -> VerifyGrant:
    fields: dict[str, Any] = {
        "enterprise": f.ENTERPRISE,
        "bank": f.BANK,
        "question": asked.digest,
        "purpose": "credit_approval",
        "charge_mbit": asked.charge_mbit,
        "valid_from": f.LAST_YEAR,
        "valid_until": "2027-11-20T00:00:00Z",
        "risk_ticked": True,
        "signed_at": f.NOW_TEXT,
        "nonce": f.nonce("verify-grant"),
    }
    return VerifyGrant(**{**fields, **changes})


@pytest.fixture(scope="module")
def register() -> f.Register:
    found = f.Register.founded()
    found.enrol("bank-a.system", party=f.BANK, role=Role.SYSTEM)
    found.enrol("bank-b.system", party="bank-b", role=Role.SYSTEM)
    for code in (f.ENTERPRISE, OTHER):
        found.enrol(code, party=code, role=Role.ENTERPRISE)
    return found


def test_an_answer_costs_what_its_outcomes_tell() -> None:
    assert question().outcomes == ("match", "mismatch", "unknown")
    assert question().charge_mbit == 1585
    assert band().outcomes == ("band 0", "band 1", "band 2", "unknown")
    assert band().charge_mbit == 2000
    assert question().category == "property"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "Owner"},
        {"zh": ""},
        {"edges": (1,)},
        {"most_claims": 0},
        {"most_claims": 4},
        {"days": 0},
        {"days": 400},
        {"path": "/../x"},
        {"kind": Kind.BAND},
        {"kind": Kind.BAND, "edges": (1,), "most_claims": 1},
        {"kind": Kind.BAND, "edges": (2, 1), "most_claims": 0},
        {"kind": Kind.BAND, "edges": (1, 1), "most_claims": 0},
        {"kind": Kind.BAND, "edges": tuple(range(8)), "most_claims": 0},
    ],
)
def test_a_question_is_declared_whole(changes: Mapping[str, object]) -> None:
    with pytest.raises(BadInput):
        question(**changes)


def test_a_department_asks_to_be_asked_by_name() -> None:
    service = Service(hosts=("a.example",), networks=(), calls_per_minute=1)
    made = Verifier(
        name="property", party="p", service=service, questions=(question(), band(id="b"))
    )
    assert Verifier.from_body(made.to_body()) == made
    for changes in ({"name": "Property"}, {"party": ""}, {"questions": (question(), band())}):
        with pytest.raises(BadInput):
            Verifier(**{**vars(made), **changes})


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"answer":"match"}', "match"),
        (b' { "answer" : "unknown" } \n', "unknown"),
        (b'{"band":1}', None),
        (b'{"answer":"match","area":117}', None),
        (b'{"answer":"117"}', None),
        (b'{"answer":"match"}{"answer":"match"}', None),
        (b"", None),
    ],
)
def test_a_reply_is_one_word_or_none(body: bytes, answer: str | None) -> None:
    assert question().read_reply(body) == answer


def test_a_band_is_one_of_the_declared() -> None:
    found = [band().read_reply(b'{"band":%d}' % number) for number in range(4)]
    assert found == ["band 0", "band 1", "band 2", None]
    assert band().read_reply(b'{"answer":"match"}') is None


def test_a_bank_asks_by_its_own_people(register: f.Register) -> None:
    asked = question()
    signed = f.sign(request(asked), "bank-a.system")
    found, caller = check_verify_request(signed, register.lookup, asked, f.NOW)
    assert (found, caller.holder) == (request(asked), "bank-a.system")


@pytest.mark.parametrize(
    ("changes", "by", "why"),
    [
        ({}, "bank-b.system", "ROLE"),
        ({}, f.ENTERPRISE, "ROLE"),
        ({"question": "00" * 32}, "bank-a.system", "AUTH_SCOPE"),
        ({"claim": None}, "bank-a.system", "FIELD_INVALID"),
        ({"asked_at": "2026-11-20T00:00:00Z"}, "bank-a.system", "REPLAY"),
    ],
)
def test_other_requests_are_refused(
    register: f.Register, changes: Mapping[str, object], by: str, why: str
) -> None:
    signed = f.sign(request(question(), **changes), by)
    with pytest.raises(SaferoomError, match=why):
        check_verify_request(signed, register.lookup, question(), f.NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    "changes",
    [
        {"bank": ""},
        {"enterprise": "x"},
        {"verifier": "X"},
        {"claim": ""},
        {"claim": "a b"},
        {"loan_reference": ""},
    ],
)
def test_a_request_is_written_strictly(changes: Mapping[str, object]) -> None:
    with pytest.raises(BadInput):
        request(question(), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"enterprise": "x"},
        {"bank": ""},
        {"risk_ticked": False},
        {"valid_until": f.LAST_YEAR},
    ],
)
def test_a_grant_is_written_strictly(changes: Mapping[str, object]) -> None:
    with pytest.raises(BadInput):
        grant(question(), **changes)


def check(register: f.Register, by: str = f.ENTERPRISE, **changes: object) -> VerifyGrant:
    asked = question()
    signed = f.sign(grant(asked, **changes), by)
    cost = asked.charge_mbit
    return check_verify_grant(signed, register.lookup, request(asked), cost, f.NOW)[0]


def test_a_grant_is_for_exactly_what_is_asked(register: f.Register) -> None:
    found = check(register)
    assert (found.version, found.enterprise) == (question().digest, f.ENTERPRISE)


@pytest.mark.parametrize(
    ("changes", "by", "why"),
    [
        ({}, OTHER, "SIGNATURE_INVALID"),
        ({"enterprise": OTHER}, OTHER, "AUTH_SCOPE"),
        ({"bank": "bank-b"}, f.ENTERPRISE, "AUTH_SCOPE"),
        ({"question": band().digest}, f.ENTERPRISE, "AUTH_SCOPE"),
        ({"purpose": "post_loan_monitoring"}, f.ENTERPRISE, "AUTH_SCOPE"),
        ({"charge_mbit": 1}, f.ENTERPRISE, "AUTH_SCOPE"),
        ({"valid_until": f.NOW_TEXT}, f.ENTERPRISE, "AUTH_EXPIRED"),
        ({"valid_from": "2027-01-01T00:00:00Z"}, f.ENTERPRISE, "AUTH_EXPIRED"),
        ({"signed_at": "2027-01-01T00:00:00Z"}, f.ENTERPRISE, "AUTH_EXPIRED"),
    ],
)
def test_other_grants_are_refused(
    register: f.Register, changes: Mapping[str, object], by: str, why: str
) -> None:
    with pytest.raises(Refusal, match=why):
        check(register, by, **changes)


def test_without_a_grant_nothing_is_asked(register: f.Register) -> None:
    with pytest.raises(Refusal, match="AUTH_MISSING"):
        check_verify_grant(None, register.lookup, request(question()), 1585, f.NOW)


def test_an_answer_lasts_for_its_days_and_costs_no_new_question() -> None:
    first = Asked("a", "match", f.NOW)
    assert answer_given(question(), [first], "a", f.NOW + timedelta(days=29)) == first
    assert answer_given(question(), [first], "a", f.NOW + timedelta(days=30)) is None
    assert answer_given(band(), [Asked("", "band 1", f.NOW)], "", f.NOW) is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=60))
def test_no_sequence_of_claims_tries_more_than_so_many_while_an_answer_lasts(
    tries: list[tuple[int, int]],
) -> None:
    """The bisection rule: whoever asks, in whatever order, over however many days."""
    asked, book, now = question(), list[Asked](), f.NOW
    for claim, days in tries:
        now += timedelta(days=days)
        try:
            known = answer_given(asked, book, str(claim), now)
        except Refusal:
            continue
        if known is None:
            book = [one for one in book if one.claim != str(claim)]
            book.append(Asked(str(claim), "mismatch", now))
        lasting = {one.claim for one in book if now - one.at < timedelta(days=asked.days)}
        assert len(lasting) <= asked.most_claims


@given(st.lists(st.integers(0, 40), max_size=30))
def test_a_band_is_asked_once_while_its_answer_lasts(days: list[int]) -> None:
    asked, book, calls, now = band(), list[Asked](), 0, f.NOW
    for step in days:
        now += timedelta(days=step)
        if answer_given(asked, book, "", now) is None:
            calls, book = calls + 1, [Asked("", "band 0", now)]
    assert calls <= 1 + (now - f.NOW).days // asked.days
    assert write_instant(now)
