"""Where did a score come from, and where did a batch go?

The room keeps what the vault signed of batches and snapshots, each paper's digest in the log. It
puts together what belongs to one release; whoever reads it checks every link and believes none
(core/lineage.py). Nothing here is about a row, and no table is asked that could be changed unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.lookups import note_lookup
from saferoom.app.proving import Place, open_places, prove
from saferoom.app.receipts import find_release
from saferoom.canonical import Digest, Json
from saferoom.core.lineage import BatchList, SnapshotPaper, tables_read
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound
from saferoom.tlog.merkle import leaf_hash

BATCHES, SNAPSHOT = "batches", "snapshot"
MOST_PAPERS = 10_000
_Papers = Sequence[Row[*tuple[object, ...]]]


def catch_up(room: Room) -> None:
    """Keep the vault's word for every batch that is not known here yet."""
    while True:
        with reading(room.database) as connection:
            query = sa.select(sa.func.max(t.paper.c.last)).where(t.paper.c.kind == BATCHES)
            known = int(connection.scalar(query) or 0)
        paper = room.steward.batches(known)
        if paper is None:
            return
        lines = BatchList.from_body(paper.body).lines
        with writing(room.database) as connection:
            draft = Draft("batches_taken", room.origin, {}, {"paper": paper.digest})
            place = (lines[0].number, lines[-1].number)
            _keep(connection, room, paper, draft, BATCHES, str(place[0]), place)


def keep_snapshot_paper(
    connection: Connection, room: Room, paper: Statement, snapshot: Digest
) -> None:
    """Keep the vault's word for what a snapshot was made of, as it is published."""
    said = SnapshotPaper.from_body(paper.body)
    if said.snapshot == snapshot:  # else the vault published another meanwhile: its turn comes
        artefacts = {"snapshot": snapshot, "paper": paper.digest}
        draft = Draft("snapshot_made", room.origin, {}, artefacts)
        _keep(connection, room, paper, draft, SNAPSHOT, snapshot, (1, said.batches))


def of_release(room: Room, caller: Caller, release_id: str) -> dict[str, Json]:
    """Put together all that a release rests on, down to the batches; not found for others."""
    with reading(room.database) as connection:
        release = find_release(connection, caller, release_id)
        told = _told(connection, room, release)
    note_lookup(room, caller, "lineage", release.enterprise)
    return told


def _told(connection: Connection, room: Room, release: Row[*tuple[object, ...]]) -> dict[str, Json]:
    version = loading.manifest_of(connection, release.version)
    views = loading.views_of(connection, version.views)
    query = sa.select(t.paper).where(
        t.paper.c.kind == SNAPSHOT, t.paper.c.about == release.snapshot
    )
    made = connection.execute(query).one_or_none()
    if made is None:
        raise NotFound("NOT_FOUND", "the paper of its snapshot, which is older than papers are")
    tables = tables_read(version, views)
    batches = papers(connection, BATCHES, 1, until=made.last)
    entry = connection.execute(sa.select(t.entry).where(t.entry.c.id == release.entry)).one()
    return {
        "proof": _proof(connection, room, Place(entry, release.position)),
        "manifest": version.to_body(),
        "views": views.to_body(),
        "snapshot": _with_proof(connection, room, made),
        "batches": [_batch_part(connection, room, one, tables) for one in batches],
        "erasures": [*_erasures(connection, release.enterprise)],
    }


def _batch_part(
    connection: Connection, room: Room, row: Row[*tuple[object, ...]], tables: set[str]
) -> Json:
    """Show a paper whole where the score's tables came by it, else the hashes of its lines."""
    lines = BatchList.from_body(statement_of(row).body).lines
    if any(line.table in tables for line in lines):
        return _with_proof(connection, room, row)
    return {"hashes": [leaf_hash(line.leaf).hex() for line in lines]}


def _with_proof(connection: Connection, room: Room, row: Row[*tuple[object, ...]]) -> Json:
    entry = connection.execute(sa.select(t.entry).where(t.entry.c.id == row.entry)).one()
    proof = _proof(connection, room, Place(entry))
    return {"paper": statement_of(row).to_json(), "proof": proof}


def _proof(connection: Connection, room: Room, place: Place) -> dict[str, Json]:
    return prove(connection, room, place, open_places(connection, room, [place]))


def _keep(  # noqa: PLR0917  # one row and its entry
    connection: Connection,
    room: Room,
    paper: Statement,
    draft: Draft,
    kind: str,
    about: str,
    place: tuple[int, int],
) -> None:
    """Store a paper once, with its entry."""
    query = sa.select(t.paper.c.digest).where(t.paper.c.kind == kind, t.paper.c.about == about)
    if connection.scalar(query) is not None:
        return
    row = {
        "digest": paper.digest,
        "kind": kind,
        "about": about,
        "first": place[0],
        "last": place[1],
        "statement": paper.to_bytes(),
        "entry": write_entry(connection, room, draft),
    }
    insert_new(connection, t.paper, row)


def papers(connection: Connection, kind: str, number: int, until: int | None = None) -> _Papers:
    """Read papers that tell of this batch or later ones, in order."""
    query = sa.select(t.paper).where(t.paper.c.kind == kind, t.paper.c.last >= number)
    if until is not None:
        query = query.where(t.paper.c.first <= until)
    return connection.execute(query.order_by(t.paper.c.first, t.paper.c.last)).all()


def statement_of(row: Row[*tuple[object, ...]]) -> Statement:
    """Read a stored paper."""
    return Statement.from_bytes(row.statement)


def _erasures(connection: Connection, enterprise: str) -> Iterable[Json]:
    query = sa.select(t.erasure).where(
        t.erasure.c.enterprise == enterprise, t.erasure.c.certificate.is_not(None)
    )
    for row in connection.execute(query.order_by(t.erasure.c.ordered_at)):
        order, told = Statement.from_bytes(row.statement), Statement.from_bytes(row.certificate)
        yield {"order": order.to_json(), "certificate": told.to_json()}
