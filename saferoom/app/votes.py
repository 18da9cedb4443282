"""Who voted for what, and what follows?

The last missing vote activates its subject in the transaction that stores the vote, so
there is no moment in which something is approved and not in force. A newly approved
admission closes its party's other open ones: an old contract never comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.database.writing import insert_or_update
from saferoom.app import loading, parties, suspensions
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.groups import check_group_kept
from saferoom.app.subjects import UNTAUGHT, close_admissions
from saferoom.app.teaching import queue, teach_now
from saferoom.canonical import Digest, Json
from saferoom.core.admission import Admission
from saferoom.core.approval import CastVote, Outcome, SubjectKind, Vote, check_vote, state
from saferoom.core.moment import check_not_ahead, write_instant
from saferoom.core.proposals import check_cast_since
from saferoom.core.state import PARTY, VERSION, PartyState, VersionState, check_transition
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, Refusal


def cast(room: Room, _caller: Caller, statement: Statement) -> tuple[Digest, str]:
    """Cast one signed vote; returns the subject and its state: open, approved, refused."""
    vote = Vote.from_body(statement.body)
    check_not_ahead(vote.cast_at, room.clock(), "cast_at")
    with writing(room.database) as connection:
        subject = _lock(connection, vote.subject)
        if _is_stored(connection, statement):
            return vote.subject, subject.state
        if subject.state != "open":
            raise Refusal("VOTE_INVALID", f"the subject is {subject.state}")
        if subject.kind == SubjectKind.ADMISSION:
            check_cast_since(vote, suspensions.last_suspended_at(connection, subject.party))
        outcome = _store(connection, room, subject, statement)
        if SubjectKind(subject.kind) not in UNTAUGHT:
            queue(connection, [statement])
    teach_now(room)
    return vote.subject, outcome


def _lock(connection: Connection, digest: Digest) -> Row[*tuple[object, ...]]:
    """Lock a subject's row, and before it its party's: a suspension takes them in that order."""
    query = sa.select(t.subject).where(t.subject.c.digest == digest)
    subject = connection.execute(query).one_or_none()
    if subject is None:
        raise NotFound("NOT_FOUND", "subject")
    if subject.kind == SubjectKind.ADMISSION:
        parties.lock(connection, subject.party)
    return connection.execute(query.with_for_update()).one()


def _is_stored(connection: Connection, statement: Statement) -> bool:
    """Say whether this very vote was cast before; two voters may sign the same words."""
    query = sa.select(t.vote.c.number).where(
        t.vote.c.digest == statement.digest, t.vote.c.key.in_(statement.signers())
    )
    return connection.scalar(query) is not None


def _store(
    connection: Connection, room: Room, subject: Row[*tuple[object, ...]], statement: Statement
) -> Outcome:
    kind = SubjectKind(subject.kind)
    earlier = loading.cast_votes(connection, subject.digest)
    submitter = loading.enrolment_ever(connection, subject.submitter)
    find = loading.lookup(connection)
    one = check_vote(statement, kind, submitter, earlier, find, subject.party)
    row = {
        "digest": statement.digest,
        "subject": subject.digest,
        "key": one.voter.key_id,
        "statement": statement.to_bytes(),
    }
    connection.execute(sa.insert(t.vote).values(row))
    personal: dict[str, Json] = {
        "subject": subject.digest,
        "voter": one.voter.holder,
        "decision": str(one.vote.decision),
        "statement": statement.digest,
    }
    draft = Draft("vote_cast", one.voter.holder, personal, concerns=[one.voter.party])
    write_entry(connection, room, draft)
    cast_now = [*earlier, one]
    outcome = state(kind, cast_now)
    if outcome != "open":
        change = sa.update(t.subject).where(t.subject.c.digest == subject.digest)
        connection.execute(change.values(state=outcome))
    _follow(connection, room, subject, cast_now, outcome)
    return outcome


def _follow(
    connection: Connection,
    room: Room,
    subject: Row[*tuple[object, ...]],
    cast_now: Sequence[CastVote],
    outcome: Outcome,
) -> None:
    kind = SubjectKind(subject.kind)
    digest, voters = Digest(subject.digest), [one.voter.holder for one in cast_now]
    match kind:
        case SubjectKind.VERSION:
            _move_version(connection, room, digest, voters, outcome)
        case SubjectKind.ADMISSION:
            _move_party(connection, room, subject, voters, outcome)
        case (
            SubjectKind.VIEWS
            | SubjectKind.POLICY
            | SubjectKind.SOURCE
            | SubjectKind.MOCK
            | SubjectKind.TEMPLATE
        ):
            if outcome == "approved":
                _activate(connection, room, kind, subject, voters)
        case _:
            assert_never(kind)


def _move_version(
    connection: Connection, room: Room, digest: Digest, voters: Sequence[str], outcome: Outcome
) -> None:
    query = sa.select(t.version.c.state, t.version.c.bank).where(t.version.c.digest == digest)
    row = connection.execute(query.with_for_update()).one()
    now = VersionState(row.state)
    if now is VersionState.CHECKED:
        now = check_transition(VERSION, now, "review")
    if outcome != "open":
        now = check_transition(VERSION, now, "approve" if outcome == "approved" else "refuse")
    change = sa.update(t.version).where(t.version.c.digest == digest)
    connection.execute(change.values(state=str(now)))
    if outcome == "approved":
        draft = Draft(
            "version_approved",
            row.bank,
            {"voters": [*voters]},
            {"version": digest},
            concerns=[row.bank],
        )
        write_entry(connection, room, draft)


def _move_party(
    connection: Connection,
    room: Room,
    subject: Row[*tuple[object, ...]],
    voters: Sequence[str],
    outcome: Outcome,
) -> None:
    """Move along the table; a renewed contract of an admitted party moves nothing."""
    party = subject.party
    query = sa.select(t.party.c.state).where(t.party.c.party == party).with_for_update()
    now = PartyState(connection.scalars(query).one())
    if outcome != "refused" and now is PartyState.APPLIED:
        now = check_transition(PARTY, now, "assess")
    values = {"state": str(now), "changed_at": write_instant(room.clock())}
    if outcome == "approved":
        check_group_kept(connection, loading.read(Admission, subject.statement))
        if now is not PartyState.ADMITTED:
            event = "resume" if now is PartyState.SUSPENDED else "admit"
            values["state"] = str(check_transition(PARTY, now, event))
        values["admission"] = subject.digest
        close_admissions(connection, party)
        personal: dict[str, Json] = {
            "party": party,
            "statement": subject.digest,
            "voters": [*voters],
        }
        write_entry(connection, room, Draft("party_admitted", party, personal))
    connection.execute(sa.update(t.party).where(t.party.c.party == party).values(values))


def _activate(
    connection: Connection,
    room: Room,
    kind: SubjectKind,
    subject: Row[*tuple[object, ...]],
    voters: Sequence[str],
) -> None:
    digest = Digest(subject.digest)
    personal: dict[str, Json] = {"voters": [*voters]}
    match kind:
        case SubjectKind.VIEWS:
            draft = Draft("views_approved", subject.party, personal, {"views": digest})
        case SubjectKind.POLICY:
            draft = Draft("policy_activated", subject.party, personal, {"policy_set": digest})
        case SubjectKind.MOCK:
            draft = Draft("mock_approved", subject.party, personal, {"mock": digest})
        case SubjectKind.TEMPLATE:
            draft = Draft("template_approved", subject.party, personal, {"template": digest})
        case _:
            personal["party"] = subject.party
            draft = Draft("source_connected", subject.party, personal, {"manifest": digest})
    if kind is not SubjectKind.SOURCE:
        insert_or_update(connection, t.standing, [{"name": str(kind), "digest": digest}])
    write_entry(connection, room, draft)
