"""What is put up for votes, and by whom?"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.teaching import queue, teach_now
from saferoom.canonical import Digest
from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Enrolment, Role, check_signer
from saferoom.core.grant_text import GrantTemplate
from saferoom.core.mock import MockSet
from saferoom.core.moment import write_instant
from saferoom.core.proposals import PolicySet
from saferoom.core.remote import RemoteNode
from saferoom.core.source import SourceManifest
from saferoom.core.verification import Verifier
from saferoom.core.views import ViewSet
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Refusal

# The vault's rules are code, no set widens them; and it has no part in mock data.
UNTAUGHT = frozenset({SubjectKind.POLICY, SubjectKind.MOCK})
OF_STEWARDS = frozenset({SubjectKind.SOURCE, SubjectKind.MOCK})

CONNECTED: Mapping[str, type[SourceManifest | Verifier | RemoteNode]] = {
    kind.KIND: kind for kind in (SourceManifest, Verifier, RemoteNode)
}


def propose(room: Room, _caller: Caller, statement: Statement) -> Digest:
    """Put something up for votes; an operator signs.

    A source's own steward may sign its manifest; the figures of mock data, any steward.
    """
    with writing(room.database) as connection:
        kind, party = _read(connection, room, statement)
        roles = (Role.OPERATOR, Role.STEWARD) if kind in OF_STEWARDS else (Role.OPERATOR,)
        signer = check_signer(statement, loading.lookup(connection), *roles)
        if signer.role is Role.STEWARD and party and signer.party != party:
            raise Refusal("ROLE")
        new = put_up(
            connection, room, statement, kind=kind, party=party or signer.party, submitter=signer
        )
        if new and kind not in UNTAUGHT:
            queue(connection, [statement])
    teach_now(room)
    return statement.digest


def put_up(
    connection: Connection,
    room: Room,
    statement: Statement,
    *,
    kind: SubjectKind,
    party: str,
    submitter: Enrolment,
) -> bool:
    """Store a subject; the same one again changes nothing and returns False."""
    query = sa.select(t.subject.c.digest).where(t.subject.c.digest == statement.digest)
    if connection.scalar(query) is not None:
        return False
    row = {
        "digest": statement.digest,
        "kind": str(kind),
        "party": party,
        "submitter": submitter.key_id,
        "state": "open",
        "statement": statement.to_bytes(),
        "proposed_at": write_instant(room.clock()),
    }
    connection.execute(sa.insert(t.subject).values(row))
    return True


def close_admissions(connection: Connection, party: str) -> None:
    """End every admission of this party that still waits for votes; its row is locked."""
    waiting = sa.and_(
        t.subject.c.kind == str(SubjectKind.ADMISSION),
        t.subject.c.party == party,
        t.subject.c.state == "open",
    )
    connection.execute(sa.update(t.subject).where(waiting).values(state="closed"))


def _read(connection: Connection, room: Room, statement: Statement) -> tuple[SubjectKind, str]:
    """Read strictly; what cannot be used must not be voted for."""
    match statement.kind:
        case ViewSet.KIND:
            ViewSet.from_body(statement.body)
            return SubjectKind.VIEWS, ""
        case MockSet.KIND:
            MockSet.from_body(statement.body).of(loading.standing_views(connection))
            return SubjectKind.MOCK, ""
        case PolicySet.KIND:
            room.load_policy(statement.body)
            return SubjectKind.POLICY, ""
        case GrantTemplate.KIND:
            GrantTemplate.from_body(statement.body)
            return SubjectKind.TEMPLATE, ""
        case SourceManifest.KIND | Verifier.KIND | RemoteNode.KIND:
            manifest = CONNECTED[statement.kind].from_body(statement.body)
            query = sa.select(t.party.c.party).where(t.party.c.party == manifest.party)
            if connection.scalar(query) is None:
                raise NotFound("NOT_FOUND", "party")
            return SubjectKind.SOURCE, manifest.party
        case _:
            raise BadInput("FIELD_INVALID", "kind")
