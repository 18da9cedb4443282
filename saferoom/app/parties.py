"""Which organisations are in the room?"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_missing
from saferoom.app import loading, suspensions
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.groups import check_group_kept
from saferoom.app.people import end_tokens
from saferoom.app.subjects import close_admissions, put_up
from saferoom.app.teaching import queue, teach_now
from saferoom.canonical import Digest, Json
from saferoom.core.admission import Admission
from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Role, check_operators, check_signer
from saferoom.core.moment import write_instant
from saferoom.core.proposals import Exit, Suspension
from saferoom.core.state import PARTY, VERSION, PartyState, VersionState, check_transition
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, NotFound, Refusal

_SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})


def apply(room: Room, _caller: Caller, statement: Statement) -> Digest:
    """Put an admission up for votes; an operator signs it and will not vote on it."""
    admission = Admission.from_body(statement.body)
    with writing(room.database) as connection:
        signer = check_signer(statement, loading.lookup(connection), Role.OPERATOR)
        check_group_kept(connection, admission)
        row = {
            "party": admission.party,
            "state": str(PARTY.start),
            "changed_at": write_instant(room.clock()),
        }
        kind, party = SubjectKind.ADMISSION, admission.party
        insert_missing(connection, t.party, [row])
        known = lock(connection, party)  # the vault learns it on the same side of a suspension
        if known is not None and known.state == PartyState.EXITED:
            raise Conflict("STATE", "the party has left for good")
        if put_up(connection, room, statement, kind=kind, party=party, submitter=signer):
            queue(connection, [statement])
    teach_now(room)
    return statement.digest


def lock(connection: sa.Connection, party: str) -> sa.Row[str, str | None] | None:
    """Lock a party's row before its subjects' rows; return its state and its admission."""
    query = sa.select(t.party.c.state, t.party.c.admission).where(t.party.c.party == party)
    return connection.execute(query.with_for_update()).one_or_none()


def suspend(room: Room, caller: Caller, party: str, statement: Statement) -> str:
    """Suspend a party and end its people's tokens, at once; two operators sign, one brings it."""
    paper = Suspension.from_body(statement.body)
    return _stop(room, caller, _Stop(party, paper.party, paper.suspended_at, "suspend"), statement)


def leave(room: Room, caller: Caller, party: str, statement: Statement) -> str:
    """End a suspended party's place for good, and retire its versions; two operators sign.

    The vault was taught the suspension, which ended all; only votes that the room no longer
    takes would let the party on again.
    """
    paper = Exit.from_body(statement.body)
    return _stop(room, caller, _Stop(party, paper.party, paper.exited_at, "exit"), statement)


@dataclass(frozen=True)
class _Stop:
    """What is to end, and what the paper says."""

    party: str
    named: str
    at: str
    event: str


def _stop(room: Room, caller: Caller, stop: _Stop, statement: Statement) -> str:
    if stop.named != stop.party:
        raise BadInput("FIELD_INVALID", "party")
    if caller.role is not Role.OPERATOR:
        raise Refusal("ROLE")
    with writing(room.database) as connection:
        signers = check_operators(statement, loading.lookup(connection), 2)
        row = lock(connection, stop.party)
        if row is None:
            raise NotFound("NOT_FOUND", "party")
        state = check_transition(PARTY, PartyState(row.state), stop.event)
        assert row.admission is not None  # of a party that is or was admitted
        suspensions.check_timely(connection, stop.at, row.admission, room.clock())
        suspensions.store(connection, statement, row.admission)
        _end(connection, stop.party, state)
        change = {"state": str(state), "changed_at": write_instant(room.clock())}
        connection.execute(sa.update(t.party).where(t.party.c.party == stop.party).values(change))
        personal: dict[str, Json] = {
            "party": stop.party,
            "statement": statement.digest,
            "voters": [signer.holder for signer in signers],
        }
        write_entry(connection, room, Draft("party_suspended", stop.party, personal))
        if state is PartyState.SUSPENDED:
            queue(connection, [statement])
    teach_now(room)
    return str(state)


def _end(connection: sa.Connection, party: str, state: PartyState) -> None:
    """End what ends with the party: what waits for votes, tokens; at its exit its versions."""
    close_admissions(connection, party)
    end_tokens(connection, party)
    if state is not PartyState.EXITED:
        return
    for now in (VersionState.APPROVED, VersionState.SUSPENDED):
        mine = sa.and_(t.version.c.bank == party, t.version.c.state == str(now))
        retired = check_transition(VERSION, now, "retire")
        connection.execute(sa.update(t.version).where(mine).values(state=str(retired)))


def list_parties(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """List parties with state and contract: one's own, and all for operators and auditors."""
    query = sa.select(t.party.c.party, t.party.c.state, t.party.c.admission).order_by(
        t.party.c.party
    )
    if caller.role not in _SEES_ALL:  # what a bank agreed to is no other bank's business
        query = query.where(t.party.c.party == caller.party)
    with reading(room.database) as connection:
        listed = []
        for row in connection.execute(query).all():
            admission = loading.admission_of(connection, row.party)
            listed.append(
                {
                    "party": row.party,
                    "state": row.state,
                    "admission": None if admission is None else admission.to_body(),
                    "open": _open_admissions(connection, row.party),
                }
            )
    return listed


def _open_admissions(connection: sa.Connection, party: str) -> list[Json]:
    query = sa.select(t.subject.c.digest).where(
        t.subject.c.kind == "admission", t.subject.c.party == party, t.subject.c.state == "open"
    )
    return [*connection.scalars(query)]
