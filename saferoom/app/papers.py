"""Which signed papers does an entry rest on, and whose enrolments lead to who signed them?

What is stored is brought as it was signed; the rules (`core/papers.py`) judge it at whoever
verifies. A field that was shredded names no paper, so the paper stays here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import loading
from saferoom.app.context import Room
from saferoom.canonical import Json
from saferoom.core.enrolment import Enrolment
from saferoom.core.papers import PAPERS, VOTED
from saferoom.core.vouching import leads
from saferoom.crypto.signing import KeyId, Statement

# Kind of entry → the table that keeps its papers; t.subject keeps what is voted on.
_KEPT: Mapping[str, sa.Table] = {
    "key_enrolled": t.enrolment,
    "party_suspended": t.suspension,
    "version_suspended": t.suspension,
    "budget_signed": t.budget,
    "grant_signed": t.permission,
    "grant_revoked": t.revocation,
    "erased": t.erasure,
}
_GRANT = ("release", "grant")


def gather(
    connection: Connection, room: Room, kind: str, said: Mapping[str, Json]
) -> tuple[list[Statement], list[Statement]]:
    """Return an entry's papers, and the enrolments that they need beyond the founders'."""
    papers = [*_papers(connection, kind, said)]
    return papers, _enrolments(connection, room, papers)


def _papers(connection: Connection, kind: str, said: Mapping[str, Json]) -> Iterator[Statement]:
    if kind == "vote_cast":
        yield from _votes(connection, said.get("subject"), [said.get("voter")])
        return
    for field in PAPERS.get(kind, {}):
        if said.get(field) is None:
            continue
        if field == "certificate":
            query = sa.select(t.erasure.c.certificate).where(
                t.erasure.c.digest == said["statement"]
            )
        else:
            table = t.permission if (kind, field) == _GRANT else _KEPT.get(kind, t.subject)
            query = sa.select(table.c.statement).where(table.c.digest == said[field])
        yield from map(Statement.from_bytes, connection.scalars(query))
    if kind in VOTED and isinstance(voters := said.get("voters"), list):
        yield from _votes(connection, said.get(VOTED[kind]), voters)


def _votes(connection: Connection, subject: Json, voters: Sequence[Json]) -> Iterator[Statement]:
    """Bring these people's votes; two may have signed the same words."""
    find = loading.lookup_ever(connection)
    query = sa.select(t.vote.c.statement, t.vote.c.key).where(t.vote.c.subject == subject)
    for row in connection.execute(query.order_by(t.vote.c.number)):
        voter = find(KeyId(row.key))
        if voter is not None and voter.holder in voters:
            yield Statement.from_bytes(row.statement)


def _enrolments(connection: Connection, room: Room, papers: Iterable[Statement]) -> list[Statement]:
    known = {founder.key_id for founder in room.founders}
    known |= {KeyId(key) for paper in papers for key in _enrolled_by(paper)}
    found: list[Statement] = []
    wanted = {key for paper in papers for key in leads(paper)} - known
    while wanted:
        known |= wanted
        query = sa.select(t.enrolment.c.statement).where(t.enrolment.c.key.in_(sorted(wanted)))
        new = [*map(Statement.from_bytes, connection.scalars(query))]
        found += new
        wanted = {key for one in new for key in leads(one)} - known
    return found


def _enrolled_by(paper: Statement) -> Iterator[str]:
    """Name the key that a paper itself enrols: it signed with it."""
    if paper.kind == Enrolment.KIND:
        yield Enrolment.from_body(paper.body).key_id
