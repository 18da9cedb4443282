"""What does a bank learn from a department that verifies, and what is it charged?

The vault decides whether the department is asked, and seals the one word that it says. The room
charges the word to the same accounts as a score, under the same locks, and logs it, in one
transaction; nothing is shown before the sinks hold that. The same signed request again is
answered from the vault's book and charged no second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.locking import exclusive, lock_enterprises, shared
from saferoom.app.log import acknowledge
from saferoom.app.revocations import load_revocations
from saferoom.app.teaching import teach
from saferoom.canonical import Json, digest_bytes
from saferoom.core.budget import check_budget
from saferoom.core.closing import confirmed
from saferoom.core.enrolment import Enrolment
from saferoom.core.grant import revoked
from saferoom.core.ledger import check_debit
from saferoom.core.state import PartyState
from saferoom.core.verification import (
    Question,
    Verifier,
    VerifyGrant,
    VerifyRequest,
    check_verify_grant,
    check_verify_request,
)
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, Refusal, Unavailable


@dataclass(frozen=True)
class _Permit:
    request: VerifyRequest
    digest: str
    question: Question
    caller: Enrolment
    grant: VerifyGrant
    group: str


def verify(
    room: Room, caller: Caller, statement: Statement, permission: Statement | None
) -> dict[str, Json]:
    """Have one question answered about one enterprise; the word comes back sealed."""
    if VerifyRequest.from_body(statement.body).bank != caller.party:
        raise Refusal("ROLE", "another bank's request")
    now = room.clock()
    with reading(room.database) as connection:
        permit = _check(connection, room, statement, permission, now)
        if _entry_of(connection, permit) is None:
            _debit(connection, permit, lock=False)
    teach(room)
    sealed = room.vault.verify(statement, permission)
    with writing(room.database) as connection:
        permit = _check(connection, room, statement, permission, now, lock=True)
        lock_enterprises(connection, [permit.request.enterprise])
        entry = _entry_of(connection, permit)
        if entry is None:
            _debit(connection, permit, lock=True)
            entry = _record(connection, room, permit, sealed)
    try:
        acknowledge(room, [entry])
    except Unavailable as error:
        raise Unavailable("NOT_DELIVERED") from error
    return {"answer": sealed.hex(), "charge_mbit": permit.question.charge_mbit}


def list_questions(room: Room) -> list[dict[str, Json]]:
    """List what approved departments may be asked, and what each answer costs."""
    with reading(room.database) as connection:
        return [
            {
                "verifier": verifier.name,
                "digest": question.digest,
                "charge_mbit": question.charge_mbit,
                **question.to_body(),
            }
            for verifier in _verifiers(connection)
            for question in verifier.questions
        ]


def is_question(connection: Connection, digest: str) -> bool:
    """Say whether some approved department has this question: then it can be revoked."""
    return any(
        question.digest == digest
        for verifier in _verifiers(connection)
        for question in verifier.questions
    )


def _verifiers(connection: Connection) -> list[Verifier]:
    query = sa.select(t.subject.c.statement).where(
        t.subject.c.kind == "source", t.subject.c.state == "approved"
    )
    statements = (Statement.from_bytes(stored) for stored in connection.scalars(query))
    return [Verifier.from_body(one.body) for one in statements if one.kind == Verifier.KIND]


def _check(
    connection: Connection,
    room: Room,
    statement: Statement,
    permission: Statement | None,
    now: datetime,
    *,
    lock: bool = False,
) -> _Permit:
    """Refuse what could not be charged or must not be shown; the vault checks all of it too."""
    request = VerifyRequest.from_body(statement.body)
    query = sa.select(t.party.c.state).where(t.party.c.party == request.bank)
    if connection.scalar(shared(query) if lock else query) != PartyState.ADMITTED:
        raise Refusal("ORG_INACTIVE")
    found = [
        question
        for verifier in _verifiers(connection)
        if verifier.name == request.verifier
        for question in verifier.questions
        if question.digest == request.question
    ]
    if not found:
        raise NotFound("NOT_FOUND", "an approved question of this department")
    lookup = loading.lookup(connection)
    _, caller = check_verify_request(statement, lookup, found[0], now)
    grant, _ = check_verify_grant(permission, lookup, request, found[0].charge_mbit, now)
    taken_back = load_revocations(connection, [request.enterprise])
    if revoked(grant, taken_back.get(request.enterprise, ())):
        raise Refusal("AUTH_REVOKED")
    if not confirmed(grant.signed_at, room.closings):
        raise Refusal("AUTH_UNCONFIRMED")
    admission = loading.admission_of(connection, request.bank)
    assert admission is not None  # its party is admitted
    return _Permit(request, statement.digest, found[0], caller, grant, admission.group)


def _entry_of(connection: Connection, permit: _Permit) -> str | None:
    query = sa.select(t.verification.c.entry).where(t.verification.c.request == permit.digest)
    return connection.scalar(query)


def _debit(connection: Connection, permit: _Permit, *, lock: bool) -> None:
    """Charge both accounts, by limits that the enterprise signed; without the lock only ask."""
    who, charge = permit.request.enterprise, permit.question.charge_mbit
    mine = sa.and_(t.account.c.enterprise == who, t.account.c.bank_group == permit.group)
    of_all = sa.select(t.enterprise.c.spent_mbit).where(t.enterprise.c.code == who)
    of_group = sa.select(t.account.c.spent_mbit, t.account.c.budget).where(mine)
    everything = connection.execute(exclusive(of_all) if lock else of_all).one_or_none()
    account = connection.execute(exclusive(of_group) if lock else of_group).one_or_none()
    if everything is None or account is None:
        raise Refusal("BUDGET_FULL", "no budget was signed for this bank")
    query = sa.select(t.budget.c.statement).where(t.budget.c.digest == account.budget)
    signed = Statement.from_bytes(connection.execute(query).scalar_one())
    budget = check_budget(signed, loading.lookup_ever(connection))
    spent_all = check_debit(charge, everything.spent_mbit, budget.ceiling_mbit, "CEILING_FULL")
    spent = check_debit(charge, account.spent_mbit, budget.limit_mbit, "BUDGET_FULL")
    if lock:
        of_one = sa.update(t.enterprise).where(t.enterprise.c.code == who)
        connection.execute(of_one.values(spent_mbit=spent_all))
        connection.execute(sa.update(t.account).where(mine).values(spent_mbit=spent))


def _record(connection: Connection, room: Room, permit: _Permit, sealed: bytes) -> str:
    request = permit.request
    personal: dict[str, Json] = {
        "bank": request.bank,
        "request": permit.digest,
        "caller": permit.caller.holder,
        "purpose": request.purpose,
        "loan_reference": request.loan_reference,
        "enterprise": request.enterprise,
        "grant": permit.grant.digest,
        "charge_mbit": permit.question.charge_mbit,
        "answer": digest_bytes(sealed),
    }
    artefacts = {"question": permit.question.digest}
    draft = Draft("verified", request.enterprise, personal, artefacts)
    entry = write_entry(connection, room, draft)
    row = {
        "request": permit.digest,
        "enterprise": request.enterprise,
        "bank_group": permit.group,
        "charge_mbit": permit.question.charge_mbit,
        "entry": entry,
    }
    connection.execute(sa.insert(t.verification).values(row))
    return entry
