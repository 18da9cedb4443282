"""How does a use case write its log entry in its own transaction?

The entry is stored unsequenced, with its openings encrypted per subject and a notice for
whom it concerns; the sequencer gives it a place later. Its id is the leaf's hash, so
nothing can be written twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app.concerns import write_concerns
from saferoom.app.context import Room
from saferoom.app.notices import Notice, concerned, write_notices
from saferoom.app.shredding import seal_openings, subject_keys
from saferoom.canonical import Digest, Json
from saferoom.core.log_events import Entry, build_entry
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.promise import Promise
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.tlog.merkle import leaf_hash

PROMISE_SECONDS = 60
_ENTRY, _RECORD, _OPENING = sa.insert(t.entry), sa.insert(t.record), sa.insert(t.opening)
_LEAF = -1  # where a leaf's own openings stand; records count from 0


@dataclass(frozen=True)
class Draft:
    """What an entry says; `subject` is whose key its own openings are under."""

    kind: str
    subject: str
    personal: Mapping[str, Json]
    artefacts: Mapping[str, Digest] = field(default_factory=dict)
    records: Sequence[Mapping[str, Json]] = ()
    record_subjects: Sequence[str] = ()
    concerns: Sequence[str] = ()  # parties that no field names, and that may have a receipt


def write_entry(connection: Connection, room: Room, draft: Draft) -> str:
    """Write one entry; return its id."""
    return write_entries(connection, room, [draft])[0]


def write_entries(connection: Connection, room: Room, drafts: Sequence[Draft]) -> list[str]:
    """Write entries in order; return their ids."""
    if not drafts:
        return []
    now = room.clock()
    built = [(draft, _build(room, draft, now)) for draft in drafts]
    ids = [leaf_hash(entry.leaf).hex() for _, entry in built]
    _insert_leaves(connection, built, ids, now)
    _insert_records(connection, built, ids)
    _insert_openings(connection, room, built, ids)
    _tell(connection, built, ids, now)
    write_concerns(connection, drafts, ids)
    return ids


def promise(room: Room, entry: str, written_at: str) -> Statement:
    """Sign that the entry will be in the log by its deadline; the same each time."""
    deadline = read_instant(written_at) + timedelta(seconds=PROMISE_SECONDS)
    promised = Promise(origin=room.origin, entry=entry, deadline=write_instant(deadline))
    return sign_statement(promised.to_body(), [room.log_key])


_Built = Sequence[tuple[Draft, Entry]]


def _build(room: Room, draft: Draft, now: datetime) -> Entry:
    return build_entry(
        draft.kind, draft.artefacts, draft.personal, now, room.random_bytes, draft.records
    )


def _insert_leaves(
    connection: Connection, built: _Built, ids: Sequence[str], now: datetime
) -> None:
    rows = [
        {
            "id": id_,
            "kind": draft.kind,
            "leaf": entry.leaf,
            "acknowledged": False,
            "written_at": write_instant(now),
        }
        for id_, (draft, entry) in zip(ids, built, strict=True)
    ]
    connection.execute(_ENTRY, rows)


def _insert_records(connection: Connection, built: _Built, ids: Sequence[str]) -> None:
    rows = [
        {"entry": id_, "position": position, "record": record}
        for id_, (_, entry) in zip(ids, built, strict=True)
        for position, record in enumerate(entry.records)
    ]
    if rows:
        connection.execute(_RECORD, rows)


def _insert_openings(connection: Connection, room: Room, built: _Built, ids: Sequence[str]) -> None:
    subjects = {s for draft, _ in built for s in (draft.subject, *draft.record_subjects)}
    keys = subject_keys(connection, room, subjects)
    rows = []
    for id_, (draft, entry) in zip(ids, built, strict=True):
        places = [(_LEAF, draft.subject, entry.openings)]
        places += [
            (position, subject, openings)
            for position, (subject, openings) in enumerate(
                zip(draft.record_subjects, entry.record_openings, strict=True)
            )
        ]
        rows += [
            {
                "entry": id_,
                "position": position,
                "subject": subject,
                "sealed": seal_openings(room, keys[subject], openings, id_, position),
            }
            for position, subject, openings in places
        ]
    connection.execute(_OPENING, rows)


def _tell(connection: Connection, built: _Built, ids: Sequence[str], now: datetime) -> None:
    written_at = write_instant(now)
    notices = [
        Notice(recipient, kind, id_, position, written_at)
        for id_, (draft, _) in zip(ids, built, strict=True)
        for recipient, kind, position in concerned(
            draft.kind, draft.subject, draft.personal, draft.record_subjects
        )
    ]
    write_notices(connection, notices)
