"""How is a rule's object read from its row?

Always from the bytes that were signed, never from a column beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.core.admission import Admission
from saferoom.core.approval import CastVote, Vote
from saferoom.core.enrolment import Enrolment, Lookup
from saferoom.core.manifest import Manifest
from saferoom.core.record import Record
from saferoom.core.views import ViewSet
from saferoom.crypto.signing import KeyId, Statement
from saferoom.errors import NotFound, Tampered, Unavailable

R = TypeVar("R", bound=Record)
_IN_FORCE = t.enrolment.c.replaced_by.is_(None)
_ENROLLED = sa.select(t.enrolment.c.statement).where(t.enrolment.c.key == sa.bindparam("key"))
_ENROLLED_NOW = _ENROLLED.where(_IN_FORCE)
_ENROLLED_AMONG = sa.select(t.enrolment.c.key, t.enrolment.c.statement).where(
    t.enrolment.c.key.in_(sa.bindparam("keys", expanding=True)), _IN_FORCE
)
_SUBJECT = sa.select(t.subject.c.statement).where(t.subject.c.digest == sa.bindparam("digest"))
_MANIFEST = _SUBJECT.where(t.subject.c.kind == "version")
_ADMISSION = (
    sa.select(t.subject.c.statement)
    .join(t.party, t.party.c.admission == t.subject.c.digest)
    .where(t.party.c.party == sa.bindparam("party"))
)
_STANDING_SUBJECT = (
    sa.select(t.subject.c.statement)
    .join(t.standing, t.standing.c.digest == t.subject.c.digest)
    .where(t.standing.c.name == sa.bindparam("name"))
)
_REMEMBERED = 2_000  # records read lately; they never change, and follow from the bytes alone


def read(cls: type[R], statement: bytes) -> R:
    """Read a record from a stored statement."""
    return cast("R", _read(cls, statement))  # type: ignore[arg-type]  # a class is hashable


@lru_cache(_REMEMBERED)
def _read(cls: type[Record], statement: bytes) -> Record:
    return cls.from_body(Statement.from_bytes(statement).body)


def lookup(connection: Connection) -> Lookup:
    """Answer the enrolment in force for a key, reading each key once."""
    return _remembering(connection, {}, _ENROLLED_NOW)


def lookup_ever(connection: Connection) -> Lookup:
    """Answer also for replaced keys: a vote stands that was cast before."""
    return _remembering(connection, {}, _ENROLLED)


def lookup_among(connection: Connection, keys: Iterable[KeyId]) -> Lookup:
    """Answer as `lookup`, having read these keys in one query."""
    wanted = sorted(set(keys))
    known: dict[KeyId, Enrolment | None] = dict.fromkeys(wanted)
    for row in connection.execute(_ENROLLED_AMONG, {"keys": wanted}) if wanted else ():
        known[KeyId(row.key)] = read(Enrolment, row.statement)
    return _remembering(connection, known, _ENROLLED_NOW)


def enrolment_ever(connection: Connection, key: str) -> Enrolment:
    """Read who a key is or was."""
    found = lookup_ever(connection)(KeyId(key))
    if found is None:
        raise NotFound("NOT_FOUND", "key")
    return found


def admission_of(connection: Connection, party: str) -> Admission | None:
    """Read the admission in force, if there is one."""
    stored = connection.scalar(_ADMISSION, {"party": party})
    return None if stored is None else read(Admission, stored)


def manifest_of(connection: Connection, digest: str) -> Manifest:
    """Read a version's manifest."""
    stored = connection.scalar(_MANIFEST, {"digest": digest})
    if stored is None:
        raise NotFound("NOT_FOUND", "version")
    manifest = read(Manifest, stored)
    if manifest.digest != digest:
        raise Tampered("CONTENT_CHANGED", "version")
    return manifest


def standing(connection: Connection, name: str) -> str | None:
    """Name the view set, policy set or snapshot that counts now."""
    return connection.scalar(sa.select(t.standing.c.digest).where(t.standing.c.name == name))


def standing_subject(connection: Connection, name: str) -> Statement:
    """Read the view set or policy set that counts now; NOT_READY before there is one."""
    stored = connection.scalar(_STANDING_SUBJECT, {"name": name})
    if stored is None:
        raise Unavailable("NOT_READY", name)
    return Statement.from_bytes(stored)


def standing_views(connection: Connection) -> ViewSet:
    """Read the view set that counts now; NOT_READY before there is one."""
    return ViewSet.from_body(standing_subject(connection, "views").body)


def views_of(connection: Connection, digest: str) -> ViewSet:
    """Read an approved view set by its digest."""
    stored = connection.scalar(_SUBJECT, {"digest": digest})
    if stored is None:
        raise Unavailable("NOT_READY", "views")
    views = read(ViewSet, stored)
    if views.digest != digest:
        raise Tampered("CONTENT_CHANGED", "views")
    return views


def vote_statements(connection: Connection, subject: str) -> list[Statement]:
    """Read a subject's votes in the order in which they were cast."""
    query = (
        sa.select(t.vote.c.statement).where(t.vote.c.subject == subject).order_by(t.vote.c.number)
    )
    return [Statement.from_bytes(stored) for stored in connection.scalars(query)]


def cast_votes(connection: Connection, subject: str) -> list[CastVote]:
    """Pair stored votes with their voters; their signatures were checked when cast."""
    find = lookup_ever(connection)
    cast = []
    for statement in vote_statements(connection, subject):
        voter = find(statement.signatures[0].key)
        assert voter is not None  # a vote is stored with its voter's key
        cast.append(CastVote(Vote.from_body(statement.body), voter))
    return cast


def _remembering(
    connection: Connection,
    known: dict[KeyId, Enrolment | None],
    query: sa.Select[bytes],
) -> Lookup:
    def find(key: KeyId) -> Enrolment | None:
        if key not in known:
            stored = connection.scalar(query, {"key": key})
            known[key] = None if stored is None else read(Enrolment, stored)
        return known[key]

    return find
