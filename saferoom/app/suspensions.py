"""Who or what was stopped, and by which signed paper?

A suspension is stored under its own digest, so it works once, beside the digest of what it
stopped: a version, or the admission that was in force. What is stored here decides in the
gate, whatever a state beside it says; the vault was taught the same paper.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.writing import insert_new
from saferoom.app import loading
from saferoom.canonical import Digest
from saferoom.core.approval import SubjectKind
from saferoom.core.proposals import Suspension, check_newer, check_soon
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal

_STOPPED = sa.select(t.suspension.c.stopped).where(
    t.suspension.c.stopped.in_(sa.bindparam("digests", expanding=True))
)


def check_timely(connection: Connection, suspended_at: str, stopped: str, now: datetime) -> None:
    """Refuse old paper: kept back, or older than the approval that it would undo."""
    check_soon(suspended_at, now)
    check_newer(suspended_at, loading.cast_votes(connection, stopped))


def store(connection: Connection, statement: Statement, stopped: str) -> None:
    """Keep what was signed; REPLAY if it was used before."""
    row = {
        "digest": statement.digest,
        "stopped": stopped,
        "statement": statement.to_bytes(),
    }
    if not insert_new(connection, t.suspension, row):
        raise Refusal("REPLAY")


def stopped(connection: Connection, digests: Collection[Digest]) -> set[str]:
    """Name those of these versions and admissions that were stopped."""
    return set(connection.scalars(_STOPPED, {"digests": list(digests)}))


def last_suspended_at(connection: Connection, party: str) -> str | None:
    """Say when a party was last suspended, by its papers."""
    query = (
        sa.select(t.suspension.c.statement)
        .join(t.subject, t.subject.c.digest == t.suspension.c.stopped)
        .where(t.subject.c.kind == str(SubjectKind.ADMISSION), t.subject.c.party == party)
    )
    papers = [loading.read(Suspension, stored) for stored in connection.scalars(query)]
    return max((paper.suspended_at for paper in papers), default=None)
