"""Where did a batch go, and which models did an erased enterprise touch?

Forward, for whoever may know: a source its own batches, operators and auditors all of them. How
many enterprises a version answered about is told of twenty or more. An erasure's list is for
people to decide by: models that were trained on its rows, and versions that gave answers about
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.lineage import BATCHES, SNAPSHOT, papers, statement_of
from saferoom.app.lookups import SEES_ALL, note_lookup
from saferoom.canonical import Digest, Json
from saferoom.core.aggregates import LIMITS
from saferoom.core.enrolment import Role
from saferoom.core.lineage import BatchList, tables_of
from saferoom.core.source import SourceManifest
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound


def of_batch(room: Room, caller: Caller, number: int) -> dict[str, Json]:
    """Say, to its source, an operator or an auditor, where a batch went; not found for others."""
    with reading(room.database) as connection:
        query = sa.select(t.paper).where(
            t.paper.c.kind == BATCHES, t.paper.c.first <= number, t.paper.c.last >= number
        )
        row = connection.execute(query).one_or_none()
        lines = () if row is None else BatchList.from_body(statement_of(row).body).lines
        line = next((one for one in lines if one.number == number), None)
        if line is None or not _may_see_batch(connection, caller, line.connector):
            raise NotFound("NOT_FOUND", "batch")
        snapshots = papers(connection, SNAPSHOT, number)
        readers = list(_readers(connection, line.table, [str(one.about) for one in snapshots]))
    signed: list[Json] = [statement_of(one).to_json() for one in snapshots]
    return {"line": line.to_body(), "snapshots": signed, "versions": [*readers]}


def of_erasure(room: Room, caller: Caller, order: Digest) -> dict[str, Json]:
    """List the models that an erased enterprise touched, for people to decide."""
    with reading(room.database) as connection:
        query = sa.select(t.erasure).where(t.erasure.c.digest == order)
        row = connection.execute(query).one_or_none()
        if row is None or not (caller.role in SEES_ALL or caller.party == row.enterprise):
            raise NotFound("NOT_FOUND", "erasure")
        versions = list(_answered_about(connection, row.enterprise))
    note_lookup(room, caller, "erasure", row.enterprise)
    certificate = None if row.certificate is None else Statement.from_bytes(row.certificate)
    return {
        "order": order,
        "state": row.state,
        "certificate": None if certificate is None else certificate.to_json(),
        "trained": [] if certificate is None else certificate.body["models"],
        "versions": [*versions],
    }


def _may_see_batch(connection: Connection, caller: Caller, connector: str) -> bool:
    if caller.role in SEES_ALL:
        return True
    query = sa.select(t.subject.c.statement).where(
        t.subject.c.kind == "source", t.subject.c.party == caller.party
    )
    papers = map(Statement.from_bytes, connection.scalars(query))
    own = (one.body["name"] for one in papers if one.kind == SourceManifest.KIND)
    return caller.role is Role.STEWARD and connector in own


def _readers(
    connection: Connection, table: str, snapshots: Sequence[str]
) -> Iterator[dict[str, Json]]:
    """Name the versions that answered from these snapshots and read this table."""
    query = (
        sa.select(
            t.release.c.version,
            sa.func.count(t.release.c.enterprise.distinct()).label("enterprises"),
        )
        .where(t.release.c.snapshot.in_(snapshots))
        .group_by(t.release.c.version)
        .order_by(t.release.c.version)
    )
    for row in connection.execute(query).all():
        version = loading.manifest_of(connection, row.version)
        views = loading.views_of(connection, version.views).views
        features: list[Json] = [
            view.name
            for view in views
            if view.name in version.features and table in tables_of(view)
        ]
        if features:
            many = row.enterprises >= LIMITS.least_cohort
            told = row.enterprises if many else None
            yield {"version": row.version, "features": features, "enterprises": told}


def _answered_about(connection: Connection, enterprise: str) -> Iterator[dict[str, Json]]:
    query = (
        sa.select(
            t.release.c.version,
            t.version.c.bank,
            t.version.c.state,
            sa.func.count().label("releases"),
        )
        .join(t.version, t.version.c.digest == t.release.c.version)
        .where(t.release.c.enterprise == enterprise)
        .group_by(t.release.c.version, t.version.c.bank, t.version.c.state)
        .order_by(t.release.c.version)
    )
    for row in connection.execute(query).all():
        yield {name: getattr(row, name) for name in ("version", "bank", "state", "releases")}
