"""What proves this release?

Built on request from the entry, its proofs and the openings that are still there. The
bank, the enterprise, operators and auditors may ask; to others it does not exist. Before
delivery a receipt proves the record and the charge, and holds no answer; nor does it, but
for the enterprise itself, once the grant, the party or the version has ended. After an erasure
nobody's holds one.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import witnessing
from saferoom.app.context import Caller, Room
from saferoom.app.deliveries import DELIVERED
from saferoom.app.lookups import note_lookup
from saferoom.app.shredding import load_keys, open_openings
from saferoom.app.withholding import withheld_from_bank
from saferoom.core.enrolment import Role
from saferoom.core.receipt import RecordPart, build_receipt, record_part
from saferoom.errors import NotFound, NotYet
from saferoom.tlog.commitments import Opening

_SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})
_LEAF = -1
MOST_LISTED = 10_000


def get(room: Room, caller: Caller, release_id: str) -> bytes:
    """Build one receipt's canonical bytes; NOT_SEQUENCED (425) until the log has it."""
    with reading(room.database) as connection:
        release = find_release(connection, caller, release_id)
        entry = connection.execute(sa.select(t.entry).where(t.entry.c.id == release.entry)).one()
        openings = _openings(connection, room, release)
        override = witnessing.named_override(connection, openings.get(_LEAF, {}))
        note, size = witnessing.note_over(room, entry.leaf_index, overridden=override is not None)
        if entry.leaf_index is None or entry.leaf_index >= size:
            raise NotYet("NOT_SEQUENCED")
        record = _record(connection, release, openings.get(release.position, {}))
        shown = "answer" in record.openings and _shown(connection, room, caller, release)
    note_lookup(room, caller, "receipt", release.enterprise)
    return build_receipt(
        checkpoint=note,
        leaf=entry.leaf,
        leaf_index=entry.leaf_index,
        leaf_proof=room.log.inclusion(entry.leaf_index, size),
        openings=openings.get(_LEAF, {}),
        record=record,
        answer=(release.answer or None) if shown else None,  # empty: erased
        override=override,
    )


def list_receipts(
    room: Room, caller: Caller, version: str | None = None, since: str | None = None
) -> list[str]:
    """List receipt ids, oldest first: a bank's own, an enterprise's own, all for auditors."""
    query = sa.select(t.release.c.id).order_by(t.release.c.recorded_at, t.release.c.id)
    if caller.role not in _SEES_ALL:
        query = query.where(_own(caller))
    if version is not None:
        query = query.where(t.release.c.version == version)
    if since is not None:
        query = query.where(t.release.c.recorded_at >= since)
    with reading(room.database) as connection:
        return list(connection.scalars(query.limit(MOST_LISTED)))


def _own(caller: Caller) -> sa.ColumnElement[bool]:
    column = t.release.c.enterprise if caller.role is Role.ENTERPRISE else t.release.c.bank
    return column == caller.party


def find_release(
    connection: Connection, caller: Caller, release_id: str
) -> Row[*tuple[object, ...]]:
    """Find a release that the caller may know of."""
    query = sa.select(t.release).where(t.release.c.id == release_id)
    if caller.role not in _SEES_ALL:
        query = query.where(_own(caller))
    release = connection.execute(query).one_or_none()
    if release is None:
        raise NotFound("NOT_FOUND", "receipt")
    return release


def _shown(
    connection: Connection, room: Room, caller: Caller, release: Row[*tuple[object, ...]]
) -> bool:
    if release.state != DELIVERED:
        return False
    return caller.role is Role.ENTERPRISE or not withheld_from_bank(connection, room, release)


def _record(
    connection: Connection, release: Row[*tuple[object, ...]], openings: Mapping[str, Opening]
) -> RecordPart:
    query = (
        sa.select(t.record.c.record)
        .where(t.record.c.entry == release.entry)
        .order_by(t.record.c.position)
    )
    return record_part(list(connection.scalars(query)), release.position, openings)


def _openings(
    connection: Connection, room: Room, release: Row[*tuple[object, ...]]
) -> dict[int, dict[str, Opening]]:
    """Open what can be opened; a shredded subject's fields stay closed."""
    query = sa.select(t.opening).where(
        t.opening.c.entry == release.entry, t.opening.c.position.in_([_LEAF, release.position])
    )
    rows = connection.execute(query).all()
    keys = load_keys(connection, room, [row.subject for row in rows])
    return {
        row.position: open_openings(keys[row.subject], row.sealed, release.entry, row.position)
        for row in rows
        if row.subject in keys
    }
