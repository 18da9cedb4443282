"""What proves that this was logged, and by whose word?

Built on request from an entry, its proofs, the openings that are still there, and the signed
papers that it rests on. A release's receipt goes by the release's id; every other kind's by the
entry's, or one record's of it (`ENTRY-3`). Whom an entry concerns may ask, and operators and
auditors; to others it does not exist.

Of a release: before delivery a receipt proves the record and the charge, and holds no answer;
nor does it, but for the enterprise itself, once the grant, the party or the version has ended.
After an erasure nobody's holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import papers, witnessing
from saferoom.app.concerns import WHOLE_ENTRY
from saferoom.app.context import Caller, Room
from saferoom.app.deliveries import DELIVERED
from saferoom.app.lookups import SEES_ALL, note_lookup
from saferoom.app.shredding import load_keys, open_openings
from saferoom.app.withholding import withheld_from_bank
from saferoom.canonical import Json, parse_object
from saferoom.core.enrolment import Role
from saferoom.core.log_events import KINDS, read_leaf
from saferoom.core.receipt import RecordPart, build_receipt, record_part
from saferoom.errors import BadInput, NotFound, NotYet
from saferoom.tlog.commitments import Opening

RELEASE = "release"
_RELEASE_ID = 32  # digits; an entry's id has twice as many
MOST_LISTED = 10_000
Release = Row[*tuple[object, ...]]


class _Place(NamedTuple):
    """What a receipt is of."""

    entry: str
    position: int
    release: Release | None = None


def get(room: Room, caller: Caller, receipt_id: str) -> bytes:
    """Build one receipt's canonical bytes; NOT_SEQUENCED (425) until the log has it."""
    with reading(room.database) as connection:
        place = _find(connection, caller, receipt_id)
        entry = connection.execute(sa.select(t.entry).where(t.entry.c.id == place.entry)).one()
        openings = _openings(connection, room, place)
        leaf, of_record = openings.get(WHOLE_ENTRY, {}), openings.get(place.position, {})
        override = witnessing.named_override(connection, leaf)
        note, size = witnessing.note_over(room, entry.leaf_index, overridden=override is not None)
        if entry.leaf_index is None or entry.leaf_index >= size:
            raise NotYet("NOT_SEQUENCED")
        record = None if place.position == WHOLE_ENTRY else _record(connection, place, of_record)
        said: dict[str, Json] = dict(read_leaf(parse_object(entry.leaf)).artefacts)
        said |= {name: one.value for name, one in {**of_record, **leaf}.items()}
        signed, enrolments = papers.gather(connection, room, entry.kind, said)
        answer = _answer(connection, room, caller, place) if "answer" in of_record else None
        about = place.release.enterprise if place.release else said.get("enterprise")
    if about is not None:
        note_lookup(room, caller, "receipt", str(about))
    return build_receipt(
        checkpoint=note,
        leaf=entry.leaf,
        leaf_index=entry.leaf_index,
        leaf_proof=room.log.inclusion(entry.leaf_index, size),
        openings=leaf,
        record=record,
        answer=answer,
        override=override,
        papers=signed,
        enrolments=enrolments,
    )


def list_receipts(
    room: Room,
    caller: Caller,
    version: str | None = None,
    since: str | None = None,
    kind: str = RELEASE,
) -> list[str]:
    """List ids of one kind, oldest first: what concerns the caller, all for auditors.

    Only releases are listed by version.
    """
    if kind not in KINDS or (kind != RELEASE and version is not None):
        raise BadInput("FIELD_INVALID", "kind")
    if kind != RELEASE:
        return _list_entries(room, caller, kind, since)
    query = sa.select(t.release.c.id).order_by(t.release.c.recorded_at, t.release.c.id)
    if caller.role not in SEES_ALL:
        query = query.where(_own(caller))
    if version is not None:
        query = query.where(t.release.c.version == version)
    if since is not None:
        query = query.where(t.release.c.recorded_at >= since)
    with reading(room.database) as connection:
        return list(connection.scalars(query.limit(MOST_LISTED)))


def _list_entries(room: Room, caller: Caller, kind: str, since: str | None) -> list[str]:
    """List entries, or their records where the kind has them."""
    if caller.role not in SEES_ALL:
        place, mine = t.concern, t.concern.c.party == caller.party
    else:
        place, mine = t.opening, t.opening.c.position != _other_parts(kind)
    query = (
        sa.select(t.entry.c.id, place.c.position)
        .join(place, place.c.entry == t.entry.c.id)
        .where(t.entry.c.kind == kind, mine)
        .order_by(t.entry.c.number, place.c.position)
    )
    if since is not None:
        query = query.where(t.entry.c.written_at >= since)
    with reading(room.database) as connection:
        rows = connection.execute(query.limit(MOST_LISTED)).all()
    return [_name(row.id, row.position) for row in rows]


def _other_parts(kind: str) -> int | None:
    """Leave out the leaf where the records are what is listed."""
    return WHOLE_ENTRY if KINDS[kind].record else None


def _name(entry: str, position: int) -> str:
    return entry if position == WHOLE_ENTRY else f"{entry}-{position}"


def _own(caller: Caller) -> sa.ColumnElement[bool]:
    column = t.release.c.enterprise if caller.role is Role.ENTERPRISE else t.release.c.bank
    return column == caller.party


def _find(connection: Connection, caller: Caller, receipt_id: str) -> _Place:
    if len(receipt_id) != _RELEASE_ID:
        return _find_entry(connection, caller, receipt_id)
    release = find_release(connection, caller, receipt_id)
    return _Place(release.entry, release.position, release)


def find_release(connection: Connection, caller: Caller, release_id: str) -> Release:
    """Find a release that the caller may know of."""
    query = sa.select(t.release).where(t.release.c.id == release_id)
    if caller.role not in SEES_ALL:
        query = query.where(_own(caller))
    release = connection.execute(query).one_or_none()
    if release is None:
        raise NotFound("NOT_FOUND", "receipt")
    return release


def _find_entry(connection: Connection, caller: Caller, receipt_id: str) -> _Place:
    entry, _, record = receipt_id.partition("-")
    place = _Place(entry, int(record) if record else WHOLE_ENTRY)
    if caller.role not in SEES_ALL:
        table, mine = t.concern, t.concern.c.party == caller.party
    else:
        table, mine = t.opening, sa.true()
    query = sa.select(table.c.entry).where(
        table.c.entry == place.entry, table.c.position == place.position, mine
    )
    if connection.scalar(query.limit(1)) is None:
        raise NotFound("NOT_FOUND", "receipt")
    return place


def _answer(connection: Connection, room: Room, caller: Caller, place: _Place) -> bytes | None:
    """Return the sealed answer if it may be shown; an erased one is empty."""
    if place.release is None or not _shown(connection, room, caller, place.release):
        return None
    stored: bytes = place.release.answer
    return stored or None


def _shown(connection: Connection, room: Room, caller: Caller, release: Release) -> bool:
    if release.state != DELIVERED:
        return False
    return caller.role is Role.ENTERPRISE or not withheld_from_bank(connection, room, release)


def _record(connection: Connection, place: _Place, openings: Mapping[str, Opening]) -> RecordPart:
    query = (
        sa.select(t.record.c.record)
        .where(t.record.c.entry == place.entry)
        .order_by(t.record.c.position)
    )
    return record_part(list(connection.scalars(query)), place.position, openings)


def _openings(connection: Connection, room: Room, place: _Place) -> dict[int, dict[str, Opening]]:
    """Open what can be opened; a shredded subject's fields stay closed."""
    query = sa.select(t.opening).where(
        t.opening.c.entry == place.entry,
        t.opening.c.position.in_({WHOLE_ENTRY, place.position}),
    )
    rows = connection.execute(query).all()
    keys = load_keys(connection, room, [row.subject for row in rows])
    return {
        row.position: open_openings(keys[row.subject], row.sealed, place.entry, row.position)
        for row in rows
        if row.subject in keys
    }
