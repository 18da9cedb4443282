"""Did the people whose votes are stored really agree to this, as far as signatures can say?

Whoever may write the database could name a policy set, a contract or a person that nobody
signed for. So what a release rests on is proved from signed bytes: what was put up is what
its digest says, each vote is on it and by another person, and each key was vouched for by
two operators, back to the founders of the trust file. Proofs are remembered by the bytes
that they are of, so a changed byte is proved anew and an unchanged one costs a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app.context import Room
from saferoom.canonical import Digest
from saferoom.core.approval import CastVote, SubjectKind, check_complete, check_vote
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_enrolment, check_signer
from saferoom.crypto.signing import KeyId, Statement
from saferoom.errors import Refusal

_SUBMITTERS: Mapping[SubjectKind, tuple[Role, ...]] = {
    SubjectKind.VERSION: (Role.MODELLER,),
    SubjectKind.ADMISSION: (Role.OPERATOR,),
    SubjectKind.SOURCE: (Role.OPERATOR, Role.STEWARD),
    SubjectKind.VIEWS: (Role.OPERATOR,),
    SubjectKind.POLICY: (Role.OPERATOR,),
    SubjectKind.MOCK: (Role.OPERATOR, Role.STEWARD),
    SubjectKind.TEMPLATE: (Role.OPERATOR,),
}


_NAMED: sa.BindParameter[str] = sa.bindparam("digests", expanding=True)
_CAST = (
    sa.select(t.vote.c.subject, t.vote.c.statement)
    .where(t.vote.c.subject.in_(_NAMED))
    .order_by(t.vote.c.number)
)
_PUT_UP = sa.select(t.subject.c.digest, t.subject.c.statement).where(t.subject.c.digest.in_(_NAMED))


@dataclass(frozen=True)
class Paper:
    """What was put up and the votes on it in their order, as stored."""

    digest: Digest
    statement: bytes
    votes: tuple[bytes, ...]


Papers = Mapping[Digest, Paper]


def load_papers(connection: Connection, digests: Sequence[Digest]) -> Papers:
    """Read these subjects and their votes; unknown ones are absent."""
    votes: dict[str, list[bytes]] = {digest: [] for digest in digests}
    named = {"digests": list(digests)}
    for row in connection.execute(_CAST, named):
        votes[row.subject].append(row.statement)
    return {
        Digest(row.digest): Paper(Digest(row.digest), row.statement, tuple(votes[row.digest]))
        for row in connection.execute(_PUT_UP, named)
    }


def check_votes(
    connection: Connection, room: Room, kind: SubjectKind, paper: Paper, party: str
) -> tuple[CastVote, ...]:
    """Check the stored votes again, in order, as if they were cast now."""
    proved = (kind, party, paper)
    cast = room.proofs.votes.get(proved)
    if cast is None:
        cast = _cast_again(prover(connection, room), kind, paper, party)
        room.proofs.make_place()
        room.proofs.votes[proved] = cast
    return cast


def check_approved(
    connection: Connection, room: Room, kind: SubjectKind, paper: Paper | None, party: str
) -> None:
    """Refuse unless all votes that the kind asks for are there and hold."""
    if paper is None:
        raise Refusal("APPROVAL_MISSING")
    check_complete(kind, check_votes(connection, room, kind, paper, party))


def prover(connection: Connection, room: Room) -> Lookup:
    """Answer who a key is or was, if two operators vouched for it, back to the founders."""
    founders = {founder.key_id: founder for founder in room.founders}
    being_proved: set[KeyId] = set()

    def find(key: KeyId) -> Enrolment | None:
        if key in founders or key in being_proved:  # nobody vouches for itself in a ring
            return founders.get(key)
        query = sa.select(t.enrolment.c.statement).where(t.enrolment.c.key == key)
        stored = connection.scalar(query)
        if stored is None:
            return None
        enrolled = room.proofs.enrolments.get(stored)
        if enrolled is None:
            being_proved.add(key)
            enrolled = check_enrolment(Statement.from_bytes(stored), find)
            being_proved.remove(key)
            room.proofs.make_place()
            room.proofs.enrolments[stored] = enrolled
        return enrolled if enrolled.key_id == key else None

    return find


def _cast_again(find: Lookup, kind: SubjectKind, paper: Paper, party: str) -> tuple[CastVote, ...]:
    statement = Statement.from_bytes(paper.statement)
    if statement.digest != paper.digest:
        raise Refusal("SIGNATURE_INVALID", "what was put up was changed")
    submitter = check_signer(statement, find, *_SUBMITTERS[kind])
    if kind is SubjectKind.VERSION and submitter.party != party:
        raise Refusal("ROLE", "the version is another party's")
    cast: list[CastVote] = []
    for stored in paper.votes:
        one = check_vote(Statement.from_bytes(stored), kind, submitter, cast, find, party)
        if one.vote.subject != paper.digest:
            raise Refusal("VOTE_INVALID", "the vote is on another subject")
        cast.append(one)
    return tuple(cast)
