"""What may a bank ask a department that verifies and shows nothing, and how often?

Of an item that is for verification only (核验) the department answers match, mismatch or a band,
never the value. What is asked is declared and voted on: a band's edges are no choice of the
asker's, or asking again with other edges would find the value by halving. Of a claim that is
matched, so many different ones may be tried about one enterprise while an answer lasts, whoever
tries them; the same claim again gets the same answer. An answer that was given is charged in bits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_enterprise, check_signer
from saferoom.core.ledger import charge_mbit
from saferoom.core.moment import FRESH, SKEW, read_instant
from saferoom.core.record import Record, check_field, is_line
from saferoom.core.service import Service
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

MATCH, MISMATCH, UNKNOWN = "match", "mismatch", "unknown"
MOST_BANDS = 8
MOST_CLAIMS = 3
MOST_DAYS = 366
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PATH = re.compile(r"(?:/[A-Za-z0-9_-]{1,64}){1,8}")
_CLAIM = re.compile(r"[0-9A-Za-z._:-]{1,64}")
# All that a department may say; anything else in its reply refuses the reply.
_REPLY = re.compile(
    rb'\s*\{\s*"(?:answer"\s*:\s*"(match|mismatch|unknown)"|band"\s*:\s*([0-9]))\s*\}\s*'
)


class Kind(StrEnum):
    """How a question is answered."""

    MATCH = "match"  # whether a claim is true
    BAND = "band"  # between which of the declared edges a figure lies


@dataclass(frozen=True, kw_only=True)
class Question(Record):
    """One question about one item."""

    id: str
    item: str  # of the catalogue, for verification only
    zh: str
    en: str
    kind: Kind
    edges: tuple[int, ...]  # of bands, ascending; a band holds its lower edge
    most_claims: int  # different ones about one enterprise within `days`, whoever asks; 0 for bands
    days: int  # for which an answer lasts
    path: str  # at the department's service

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(_ID.fullmatch(self.id) is not None, "id")
        check_field(is_line(self.zh) and is_line(self.en), "words")
        banded = self.kind is Kind.BAND
        check_field(list(self.edges) == sorted(set(self.edges)), "edges")
        check_field(banded == bool(self.edges) and len(self.edges) < MOST_BANDS, "edges")
        check_field(banded == (self.most_claims == 0), "most_claims")
        check_field(0 <= self.most_claims <= MOST_CLAIMS, "most_claims")
        check_field(0 < self.days <= MOST_DAYS, "days")
        check_field(_PATH.fullmatch(self.path) is not None, "path")

    @property
    def category(self) -> str:
        """Name the group of the sharing list that a contract and a grant must cover."""
        return self.item.partition(".")[0]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """List every complete answer."""
        bands = tuple(f"band {number}" for number in range(len(self.edges) + 1))
        return (*((MATCH, MISMATCH) if self.kind is Kind.MATCH else bands), UNKNOWN)

    @property
    def charge_mbit(self) -> int:
        """Return what one answer costs."""
        return charge_mbit(len(self.outcomes))

    def read_reply(self, body: bytes) -> str | None:
        """Read the one word that a department may say; None is a reply that is none."""
        found = _REPLY.fullmatch(body)
        if found is None:
            return None
        said = found[1].decode() if found[1] else f"band {int(found[2])}"
        return said if said in self.outcomes else None


@dataclass(frozen=True, kw_only=True)
class Verifier(Record):
    """A department that verifies: whom to call, and what may be asked. Two operators vote."""

    KIND: ClassVar[str] = "saferoom/verifier/1"
    name: str
    party: str
    service: Service
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        """Check names."""
        check_field(_ID.fullmatch(self.name) is not None, "name")
        check_field(0 < len(self.party) <= 64, "party")
        names = [question.id for question in self.questions]
        check_field(0 < len(set(names)) == len(names), "questions")


@dataclass(frozen=True, kw_only=True)
class VerifyGrant(Record):
    """An enterprise lets one bank ask one question about it, for one purpose and period."""

    KIND: ClassVar[str] = "saferoom/verify-grant/1"
    enterprise: str
    bank: str
    question: Digest  # its whole declaration: edges and wording, too
    purpose: str  # which the bank's contract must name
    charge_mbit: int
    valid_from: str
    valid_until: str
    risk_ticked: bool
    signed_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges; a grant without the risk's tick does not exist."""
        check_field(len(self.enterprise) == 18, "enterprise")
        check_field(0 < len(self.bank) <= 64, "bank")
        hex_bytes(self.question, 32)
        check_field(read_instant(self.valid_from) < read_instant(self.valid_until), "valid_until")
        check_field(self.risk_ticked, "risk_ticked")
        read_instant(self.signed_at)
        hex_bytes(self.nonce, 16)

    @property
    def version(self) -> Digest:
        """Name what a revocation names: the question, where a model's grant has its version."""
        return self.question


@dataclass(frozen=True, kw_only=True)
class VerifyRequest(Record):
    """A bank asks one question about one enterprise."""

    KIND: ClassVar[str] = "saferoom/verify-request/1"
    bank: str
    enterprise: str
    verifier: str
    question: Digest
    claim: str | None  # what the bank was told; None for a band
    purpose: str  # which the bank's contract must name
    loan_reference: str
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.bank) <= 64, "bank")
        check_field(len(self.enterprise) == 18, "enterprise")
        check_field(_ID.fullmatch(self.verifier) is not None, "verifier")
        hex_bytes(self.question, 32)
        check_field(self.claim is None or _CLAIM.fullmatch(self.claim) is not None, "claim")
        check_field(0 < len(self.loan_reference) <= 64, "loan_reference")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class VerifyAnswer(Record):
    """What the vault signs: the word, and how old it is."""

    KIND: ClassVar[str] = "saferoom/verify-answer/1"
    enterprise: str
    question: Digest
    request: Digest
    answer: str
    asked_at: str  # when the department said so


@dataclass(frozen=True)
class Asked:
    """One answer that was given before about one enterprise and question."""

    claim: str  # or its keyed mark; of a band, nothing
    answer: str
    at: datetime


def check_verify_request(
    statement: Statement, lookup: Lookup, question: Question, now: datetime
) -> tuple[VerifyRequest, Enrolment]:
    """Accept a fresh request that a bank's own person or system signed, about this question."""
    request = VerifyRequest.from_body(statement.body)
    caller = check_signer(statement, lookup, Role.MODELLER, Role.SYSTEM)
    if caller.party != request.bank:
        raise Refusal("ROLE", "another bank's request")
    if request.question != question.digest:
        raise Refusal("AUTH_SCOPE", "question")
    check_field((request.claim is None) == (question.kind is Kind.BAND), "claim")
    if abs(now - read_instant(request.asked_at)) > FRESH:
        raise Refusal("REPLAY")
    return request, caller


def check_verify_grant(
    statement: Statement | None, lookup: Lookup, request: VerifyRequest, cost: int, now: datetime
) -> tuple[VerifyGrant, Enrolment]:
    """Accept a live grant of the enterprise's own for exactly what is asked."""
    if statement is None:
        raise Refusal("AUTH_MISSING")
    grant = VerifyGrant.from_body(statement.body)
    signer = check_enterprise(statement, grant.enterprise, lookup)
    signed_and_meant = {
        "enterprise": (grant.enterprise, request.enterprise),
        "bank": (grant.bank, request.bank),
        "question": (grant.question, request.question),
        "purpose": (grant.purpose, request.purpose),
        "charge_mbit": (grant.charge_mbit, cost),
    }
    for name, (signed, meant) in signed_and_meant.items():
        if signed != meant:
            raise Refusal("AUTH_SCOPE", name)
    signed = read_instant(grant.signed_at) <= now + SKEW
    if not (signed and read_instant(grant.valid_from) <= now < read_instant(grant.valid_until)):
        raise Refusal("AUTH_EXPIRED")
    return grant, signer


def answer_given(
    question: Question, before: Sequence[Asked], claim: str, now: datetime
) -> Asked | None:
    """Return the answer that still lasts; refuse one claim more than may be tried.

    This is the rule that keeps a value from being halved out: there is no question whose answer
    narrows it further than the declared edges, or than so many claims, while an answer lasts.
    """
    lasting = [one for one in before if now - one.at < timedelta(days=question.days)]
    found = next((one for one in lasting if one.claim == claim), None)
    tried = len({one.claim for one in lasting})
    if found is None and question.kind is Kind.MATCH and tried >= question.most_claims:
        raise Refusal("CLAIM_CAP")
    return found
