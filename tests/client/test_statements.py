"""Does each statement say what was meant, read back strictly, signed by its author?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.canonical import Digest
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign
from saferoom.client.terms import Terms
from saferoom.core.admission import Admission, PartyKind
from saferoom.core.approval import Vote
from saferoom.core.budget import Budget
from saferoom.core.contact import Contact
from saferoom.core.enrolment import Enrolment
from saferoom.core.grant import Grant, Revocation
from saferoom.core.manifest import Manifest, ModelFormat, Purpose
from saferoom.core.proposals import Exit, Suspension, VersionSuspension
from saferoom.core.record import Record
from saferoom.core.request import ScoreRequest
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput
from tests import factories as f
from tests.client.conftest import NOW, counted_bytes

D = Digest("ab" * 32)
CODE = "91990101MA00000X0K"
FROM, UNTIL = "2026-11-20T00:00:00Z", "2027-11-20T00:00:00Z"


def _manifest(author: Author) -> Statement:
    return author.version(
        b"sealed",
        group="group-a",
        name="sme",
        purpose=Purpose.CREDIT_APPROVAL,
        model_format=ModelFormat.SCORECARD_JSON,
        features=["reg_age_m"],
        views=D,
        grades=["G1", "G2"],
    )


def _enterprise(author: Author) -> Author:
    return replace(author, keys=replace(author.keys, holder=CODE, party=CODE))


def _grant(firm: Author, version: Manifest, *, risk_ticked: bool = True) -> Statement:
    terms = Terms(version, ("registration",), "Bank A", "desk", f.template())
    return firm.grant(
        terms,
        enterprise_name="Firm",
        signatory="Wang Wei",
        budget=f.budget(group=version.group),
        valid_from=FROM,
        valid_until=UNTIL,
        risk_ticked=risk_ticked,
    )


def _each(author: Author) -> list[tuple[type[Record], Statement]]:
    firm, version = _enterprise(author), Manifest.from_body(_manifest(author).body)
    admission = author.admission(
        "bank-a",
        PartyKind.BANK,
        "Bank A",
        contact="desk",
        purposes=["credit_approval"],
        categories=["tax"],
        valid_from=FROM,
        valid_until=UNTIL,
    )
    grant = _grant(firm, version)
    return [
        (Enrolment, author.enrolment()),
        (Admission, admission),
        (Suspension, author.suspension("bank-a", "its contract ended")),
        (Exit, author.exit("bank-a", "it left")),
        (VersionSuspension, author.version_suspension(D, "it drifted")),
        (Contact, author.contact("desk@bank-a.test")),
        (Vote, author.vote(D, "review")),
        (Manifest, _manifest(author)),
        (Budget, firm.budget("group-a")),
        (Grant, grant),
        (Revocation, firm.revocation(D, D)),
        (ScoreRequest, author.score_request(D, Purpose.CREDIT_APPROVAL, [CODE], "LOAN-1")),
    ]


def test_each_kind_is_read_back_and_signed(author: Author) -> None:
    for record, statement in _each(author):
        assert record.from_body(statement.body).to_body() == statement.body  # type: ignore[misc]  # each is a dataclass
        statement.check_signed_by(author.keys.signing.public)


def test_no_two_statements_share_a_nonce(author: Author) -> None:
    nonces = [statement.body["nonce"] for _, statement in _each(author)]
    assert len(set(map(str, nonces))) == len(nonces)


def test_a_grant_without_the_tick_does_not_exist(author: Author) -> None:
    version = Manifest.from_body(_manifest(author).body)
    with pytest.raises(BadInput, match="risk_ticked"):
        _grant(_enterprise(author), version, risk_ticked=False)


def test_a_version_needs_a_delivery_key(keys: KeyFolder) -> None:
    bare = Author(replace(keys, delivery=None), lambda: NOW, counted_bytes())
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        _manifest(bare)


def test_countersigning_keeps_the_digest(author: Author, keys: KeyFolder) -> None:
    statement = author.enrolment()
    other = replace(keys, signing=replace(keys.signing, seed=b"o" * 32))
    signed = countersign(statement, other)
    assert signed.digest == statement.digest
    assert len(signed.signatures) == 2
    signed.check_signed_by(other.signing.public)
    assert Statement.from_bytes(signed.to_bytes()) == signed
