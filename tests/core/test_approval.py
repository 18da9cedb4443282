"""Does nothing count before other people agreed to it, in order?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.core import approval
from saferoom.core.approval import (
    CHAINS,
    CastVote,
    Decision,
    SubjectKind,
    check_complete,
    check_vote,
    current_step,
)
from saferoom.core.enrolment import Enrolment, Role
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal
from tests import factories as make
from tests.factories import BANK, Register, sign, vote

SUBJECT = make.some_digest("subject")
VERSION, ADMISSION = SubjectKind.VERSION, SubjectKind.ADMISSION


@pytest.fixture(scope="module")
def room() -> Register:
    room = Register.founded()
    room.enrol_bank()
    room.enrol_bank("bank-b")
    room.enrol("bank-a.approver 2", party=BANK, role=Role.APPROVER)
    room.enrol(
        "bank-a.approver's other key", party=BANK, role=Role.MODELLER, holder="bank-a.approver"
    )
    room.enrol_enterprise()
    return room


def person(room: Register, name: str) -> Enrolment:
    found = room.lookup(make.signing_key(name).public.id)
    assert found is not None
    return found


def cast(
    room: Register,
    votes: Sequence[tuple[str, str]],
    kind: SubjectKind = VERSION,
    submitter: str | None = "bank-a.modeller",
) -> list[CastVote]:
    """Cast (step, signer) in turn."""
    done: list[CastVote] = []
    by = person(room, submitter) if submitter else None
    for step, name in votes:
        done.append(check_vote(sign(vote(SUBJECT, step), name), kind, by, done, room.lookup, BANK))
    return done


BANK_YES = ("bank", "bank-a.approver")
ALL_YES = (BANK_YES, ("review", "zhao"), ("review", "qian"))


def test_every_kind_of_subject_has_a_chain_of_two_operators_at_least() -> None:
    assert set(CHAINS) == set(SubjectKind)
    for chain in CHAINS.values():
        assert chain[-1].role is Role.OPERATOR
        assert chain[-1].count >= 2
        assert len({step.name for step in chain}) == len(chain)


@pytest.mark.parametrize("kind", SubjectKind)
def test_the_whole_chain_approves_and_nothing_less(room: Register, kind: SubjectKind) -> None:
    whole = make.approved(room, SUBJECT, kind)
    check_complete(kind, whole)
    assert approval.state(kind, whole) == "approved"
    for size in range(len(whole)):
        assert approval.state(kind, whole[:size]) == "open"
        with pytest.raises(Refusal) as refusal:
            check_complete(kind, whole[:size])
        assert refusal.value.code == "APPROVAL_MISSING"


@pytest.mark.parametrize("size", [0, 1, 2])
def test_one_refusal_ends_the_chain(room: Register, size: int) -> None:
    before = cast(room, ALL_YES[:size])
    step, name = ALL_YES[size]
    no = sign(vote(SUBJECT, step, decision=Decision.REFUSE), name)
    done = [*before, check_vote(no, VERSION, None, before, room.lookup, BANK)]
    assert approval.state(VERSION, done) == "refused"
    assert current_step(VERSION, done) is None
    with pytest.raises(Refusal):
        check_complete(VERSION, done)
    with pytest.raises(Refusal) as refusal:
        check_vote(sign(vote(SUBJECT), "sun"), VERSION, None, done, room.lookup, BANK)
    assert refusal.value.code == "VOTE_INVALID"


@pytest.mark.parametrize(
    ("before", "step", "signer", "code"),
    [
        ([], "bank", "bank-a.modeller", "SELF_APPROVE"),
        ([], "review", "bank-a.modeller", "SELF_APPROVE"),
        ([], "bank", "bank-a.system", "ROLE"),
        ([], "bank", "bank-b.approver", "ROLE"),
        ([], "bank", "zhao", "ROLE"),
        ([], "bank", make.ENTERPRISE, "ROLE"),
        ([], "bank", "stranger", "KEY_UNKNOWN"),
        ([], "review", "zhao", "VOTE_INVALID"),
        ([], "other", "zhao", "VOTE_INVALID"),
        ([BANK_YES], "bank", "bank-a.approver 2", "VOTE_INVALID"),
        ([BANK_YES], "review", "bank-a.approver 2", "ROLE"),
        ([*ALL_YES[:2]], "review", "zhao", "VOTE_INVALID"),
        ([*ALL_YES], "review", "sun", "VOTE_INVALID"),
    ],
)
def test_a_vote_that_does_not_fit_is_refused(
    room: Register, before: list[tuple[str, str]], step: str, signer: str, code: str
) -> None:
    done = cast(room, before)
    by = person(room, "bank-a.modeller")
    with pytest.raises(Refusal) as refusal:
        check_vote(sign(vote(SUBJECT, step), signer), VERSION, by, done, room.lookup, BANK)
    assert refusal.value.code == code


def test_whoever_submits_does_not_vote_with_another_key_either(room: Register) -> None:
    by = person(room, "bank-a.approver's other key")
    with pytest.raises(Refusal) as refusal:
        check_vote(
            sign(vote(SUBJECT, "bank"), "bank-a.approver"), VERSION, by, [], room.lookup, BANK
        )
    assert refusal.value.code == "SELF_APPROVE"


def test_an_operator_who_puts_something_up_needs_two_others(room: Register) -> None:
    with pytest.raises(Refusal) as refusal:
        cast(room, [("review", "zhao")], ADMISSION, submitter="zhao")
    assert refusal.value.code == "SELF_APPROVE"
    others = cast(room, [("review", "qian"), ("review", "sun")], ADMISSION, submitter="zhao")
    check_complete(ADMISSION, others)


def test_votes_on_another_subject_do_not_add_up(room: Register) -> None:
    done = cast(room, [("review", "zhao")], ADMISSION, submitter=None)
    other = sign(vote(make.some_digest("other")), "qian")
    with pytest.raises(Refusal) as refusal:
        check_vote(other, ADMISSION, None, done, room.lookup, BANK)
    assert refusal.value.code == "VOTE_INVALID"


def test_a_doubled_row_adds_nothing(room: Register) -> None:
    done = cast(room, [("review", "zhao")], ADMISSION, submitter=None)
    assert approval.state(ADMISSION, done * 2) == "open"


def test_a_smuggled_row_of_another_role_adds_nothing(room: Register) -> None:
    rows = [CastVote(vote(SUBJECT), person(room, f"bank-{x}.approver")) for x in "ab"]
    assert approval.state(ADMISSION, rows) == "open"


def test_a_vote_is_refused_when_it_is_no_vote_or_nobody_signed(room: Register) -> None:
    with pytest.raises(BadInput):
        check_vote(sign(make.grant(), "zhao"), ADMISSION, None, [], room.lookup, BANK)
    moved = Statement(
        make.vote(SUBJECT, nonce=make.nonce("moved")).to_body(),
        sign(vote(SUBJECT), "zhao").signatures,
    )
    with pytest.raises(Refusal) as refusal:
        check_vote(moved, ADMISSION, None, [], room.lookup, BANK)
    assert refusal.value.code == "SIGNATURE_INVALID"


NAMES = ["zhao", "qian", "sun", "bank-a.modeller", "bank-a.approver", "bank-b.approver"]
ATTEMPTS = st.lists(
    st.tuples(st.sampled_from(["bank", "review"]), st.sampled_from(NAMES), st.booleans()),
    max_size=8,
)


@settings(max_examples=60)
@given(ATTEMPTS)
def test_no_order_of_attempts_approves_without_three_people(
    room: Register, attempts: list[tuple[str, str, bool]]
) -> None:
    by = person(room, "bank-a.modeller")
    done: list[CastVote] = []
    for step, name, yes in attempts:
        decision = Decision.APPROVE if yes else Decision.REFUSE
        statement = sign(vote(SUBJECT, step, decision=decision), name)
        try:
            done.append(check_vote(statement, VERSION, by, done, room.lookup, BANK))
        except Refusal:
            continue
    if approval.state(VERSION, done) == "approved":
        assert all(one.vote.decision is Decision.APPROVE for one in done)
        holders = [one.voter.holder for one in done]
        assert holders[0] == "bank-a.approver"
        assert len(set(holders[1:]) & set(make.OPERATORS)) == 2
