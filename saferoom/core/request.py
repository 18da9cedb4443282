"""What did the bank ask for, and may it ask so?

A score request is signed by the calling person or system; its nonce is the ticket
that the vault answers once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.admission import Admission, check_active, check_contract
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.manifest import Manifest, Purpose
from saferoom.core.moment import FRESH, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

MOST_ENTERPRISES = 1000  # a signed request; larger portfolios are several requests


@dataclass(frozen=True, kw_only=True)
class ScoreRequest(Record):
    """Score these enterprises with this version, for this application."""

    KIND: ClassVar[str] = "saferoom/score-request/1"
    version: Digest
    purpose: Purpose
    loan_reference: str
    enterprises: tuple[str, ...]
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        hex_bytes(self.version, 32)
        check_field(0 < len(self.loan_reference) <= 64, "loan_reference")
        check_field(0 < len(self.enterprises) <= MOST_ENTERPRISES, "enterprises")
        check_field(len(set(self.enterprises)) == len(self.enterprises), "enterprises")
        check_field(all(len(code) == 18 for code in self.enterprises), "enterprises")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


def check_request(
    statement: Statement,
    lookup: Lookup,
    manifest: Manifest,
    admission: Admission | None,
    now: datetime,
) -> tuple[ScoreRequest, Enrolment]:
    """Accept a fresh request signed for the bank whose version it is."""
    request = ScoreRequest.from_body(statement.body)
    caller = check_signer(statement, lookup, Role.MODELLER, Role.SYSTEM)
    check_active(admission, now)
    assert admission is not None
    check_asked(request, caller, manifest, admission)
    check_fresh(request, now)
    return request, caller


def check_asked(
    request: ScoreRequest, caller: Enrolment, manifest: Manifest, admission: Admission
) -> None:
    """Refuse another party's version, another version, and another purpose."""
    if caller.party != manifest.bank:
        raise Refusal("ROLE", "the version is another party's")
    if (admission.party, admission.group) != (manifest.bank, manifest.group):
        raise Refusal("CONTRACT_SCOPE", "the admission is another party's")
    if request.version != manifest.digest:
        raise Refusal("AUTH_SCOPE", "version")
    if request.purpose is not manifest.purpose:
        raise Refusal("PURPOSE")
    check_contract(admission, request.purpose, ())


def fresh(request: ScoreRequest, now: datetime) -> bool:
    """Say whether the request was signed about now."""
    return abs(now - read_instant(request.asked_at)) <= FRESH


def check_fresh(request: ScoreRequest, now: datetime) -> None:
    """Refuse a request from another time; its nonce guards the time in between."""
    if not fresh(request, now):
        raise Refusal("REPLAY")
