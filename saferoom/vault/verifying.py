"""May this bank have a department asked about this enterprise, and who may read the answer?

The vault's own answer, from signatures that it verifies itself, as for scores: the bank's contract
names purpose and category, the enterprise granted exactly this question, and two operators
approved whom we call and what may be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Digest
from saferoom.core.admission import PartyKind, check_active, check_contract
from saferoom.core.answer import pad
from saferoom.core.moment import write_instant
from saferoom.core.service import Connection
from saferoom.core.verification import (
    Asked,
    Question,
    Verifier,
    VerifyAnswer,
    VerifyGrant,
    VerifyRequest,
    check_verify_grant,
    check_verify_request,
)
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import SigningKey, Statement, sign_statement
from saferoom.errors import Refusal
from saferoom.vault.asking import ask
from saferoom.vault.declarations import Declarations
from saferoom.vault.roster import Roster

AAD = b"saferoom/verify-answer/1"


@dataclass(frozen=True)
class VerifyPermit:
    """What may be asked, and who reads it; made only by `check_verify`."""

    verifier: Verifier
    question: Question
    request: VerifyRequest
    ticket: Digest
    grant: VerifyGrant
    readers: tuple[SealingPublicKey, SealingPublicKey]  # the asking person, and the enterprise

    def ask(self, place: Connection) -> str:
        """Call the department."""
        request = self.request
        return ask(self.verifier, place, self.question, request.enterprise, request.claim)

    def seal(self, found: Asked, key: SigningKey, random_bytes: Callable[[int], bytes]) -> bytes:
        """Sign the answer with its age, and seal it at one length."""
        answer = VerifyAnswer(
            enterprise=self.request.enterprise,
            question=self.question.digest,
            request=self.ticket,
            answer=found.answer,
            asked_at=write_instant(found.at),
        )
        return seal(pad(sign_statement(answer.to_body(), [key])), self.readers, AAD, random_bytes)


def check_verify(
    roster: Roster,
    statement: Statement,
    permission: Statement | None,
    declared: Declarations,
    now: datetime,
) -> VerifyPermit:
    """Verify a request, its grant, the bank's contract, and the department's place."""
    asked = VerifyRequest.from_body(statement.body)
    verifier, question = declared.question(asked.verifier, asked.question)
    request, caller = check_verify_request(statement, roster.lookup, question, now)
    contract = roster.admission(request.bank)
    check_active(contract, now)
    assert contract is not None  # check_active refused
    check_contract(contract, request.purpose, (question.category,))
    grant, owner = check_verify_grant(permission, roster.lookup, request, question.charge_mbit, now)
    check_not_revoked(roster, grant)
    department = roster.admission(verifier.party)
    check_active(department, now)
    assert department is not None  # as above
    items = {one.item for one in verifier.questions}
    if department.party_kind is not PartyKind.SOURCE or not items <= set(department.categories):
        raise Refusal("CONTRACT_SCOPE", "items")
    if not roster.approved(verifier.digest):
        raise Refusal("APPROVAL_MISSING", "the department's questions")
    readers = tuple(SealingPublicKey.from_hex(one.sealing_key) for one in (caller, owner))
    return VerifyPermit(
        verifier, question, request, statement.digest, grant, (readers[0], readers[1])
    )


def check_not_revoked(roster: Roster, grant: VerifyGrant) -> None:
    """Refuse what the enterprise took back or has to confirm, also while a department is asked."""
    if roster.revoked(grant):
        raise Refusal("AUTH_REVOKED")
    if not roster.confirmed(grant):
        raise Refusal("AUTH_UNCONFIRMED")
