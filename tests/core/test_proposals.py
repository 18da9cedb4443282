"""May this paper stop somebody, and may these votes let him on again?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from saferoom.core.approval import SubjectKind
from saferoom.core.moment import write_instant
from saferoom.core.proposals import (
    SOON,
    check_cast_since,
    check_newer,
    check_soon,
    check_version_suspension,
)
from saferoom.errors import SaferoomError
from tests import factories as make
from tests.factories import BANK, NOW, NOW_TEXT, Register, sign

VERSION = make.some_digest("version")
BEFORE = "2026-11-20T10:50:59Z"


@pytest.fixture(scope="module")
def room() -> Register:
    room = Register.founded()
    room.enrol_bank()
    room.enrol_bank("bank-b")
    room.enrol_enterprise()
    return room


@pytest.mark.parametrize("signer", ["zhao", f"{BANK}.modeller", f"{BANK}.approver"])
def test_an_operator_or_the_version_s_bank_stops_it(room: Register, signer: str) -> None:
    paper = sign(make.version_suspension(VERSION), signer)
    assert check_version_suspension(paper, room.lookup, BANK).holder == signer


@pytest.mark.parametrize(
    ("code", "signers"),
    [
        ("ROLE", ["bank-b.modeller"]),
        ("ROLE", ["bank-b.approver"]),
        ("ROLE", [f"{BANK}.system"]),
        ("ROLE", [make.ENTERPRISE]),
        ("KEY_UNKNOWN", ["stranger"]),
        ("SIGNATURE_INVALID", []),
        ("SIGNATURE_INVALID", ["zhao", "qian"]),
    ],
)
def test_nobody_else_does(room: Register, code: str, signers: list[str]) -> None:
    paper = sign(make.version_suspension(VERSION), *signers)
    with pytest.raises(SaferoomError, match=code):
        check_version_suspension(paper, room.lookup, BANK)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=-5), SOON])
def test_a_suspension_is_brought_soon(age: timedelta) -> None:
    check_soon(write_instant(NOW - age), NOW)


@pytest.mark.parametrize(
    ("code", "age"),
    [
        ("FIELD_INVALID", timedelta(minutes=-5, seconds=-1)),
        ("REPLAY", SOON + timedelta(seconds=1)),
    ],
)
def test_a_kept_back_suspension_is_refused(code: str, age: timedelta) -> None:
    with pytest.raises(SaferoomError, match=code):
        check_soon(write_instant(NOW - age), NOW)


def test_what_was_agreed_to_since_is_not_undone_by_older_paper(room: Register) -> None:
    cast = make.approved(room, make.admission().digest, SubjectKind.ADMISSION)
    check_newer(NOW_TEXT, cast)
    with pytest.raises(SaferoomError, match="REPLAY"):
        check_newer(BEFORE, cast)


def test_a_vote_from_before_a_suspension_does_not_count() -> None:
    vote = make.vote(VERSION)
    for suspended_at in (None, BEFORE, NOW_TEXT):
        check_cast_since(vote, suspended_at)
    with pytest.raises(SaferoomError, match="VOTE_INVALID"):
        check_cast_since(make.vote(VERSION, cast_at=BEFORE), NOW_TEXT)
