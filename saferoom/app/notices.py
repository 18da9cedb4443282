"""What happened to a party, or in its name, since it last looked?

A notice is written in the transaction that it tells of, for one party, and holds no values:
only what kind of thing it was and where it stands in the log. What a release revealed is
read from the release itself, for the party alone that it concerns. Whoever wants to know asks;
where the room has a way to send (posting.py) the party's contact is told that there is something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app.context import Caller, Room
from saferoom.canonical import Json

MOST = 500  # told at once
WHOLE_ENTRY = -1  # a record of a release counts from 0
_NOTICE = sa.insert(t.notice)
_EACH = frozenset({"release", "refusal"})  # entries with a record for each enterprise
# Kind of entry → which of its fields names the party that it concerns.
CONCERNED: Mapping[str, str] = {
    "key_enrolled": "party",
    "contact_set": "party",
    "party_suspended": "party",
    "budget_signed": "enterprise",
    "grant_signed": "enterprise",
    "grant_revoked": "enterprise",
    "erased": "enterprise",
    "self_reported": "enterprise",
    "verified": "enterprise",
    "quality_ticket": "source",
    "own_record_given": "enterprise",
    "record_disputed": "enterprise",
    "looked_up": "enterprise",
}


@dataclass(frozen=True)
class Notice:
    """One thing that one party should know of."""

    recipient: str
    kind: str
    entry: str
    position: int
    written_at: str
    address: str | None = None  # another than the party's contact


def concerned(
    kind: str, subject: str, personal: Mapping[str, Json], record_subjects: Sequence[str]
) -> Iterator[tuple[str, str, int]]:
    """Name who should know of an entry: (recipient, kind of notice, position)."""
    if kind in _EACH:
        yield from ((who, kind, position) for position, who in enumerate(record_subjects))
    elif kind == "version_suspended":
        yield subject, kind, WHOLE_ENTRY
    elif kind in CONCERNED and personal[CONCERNED[kind]] is not None:  # None: it concerns all
        yield str(personal[CONCERNED[kind]]), _called(kind, personal), WHOLE_ENTRY
        if kind == "record_disputed":  # whoever brought it is to answer
            yield str(personal["source"]), kind, WHOLE_ENTRY


def _called(kind: str, personal: Mapping[str, Json]) -> str:
    if kind == "key_enrolled" and personal["replaces"] is not None:
        return "key_replaced"
    return "contact_changed" if kind == "contact_set" else kind


def write_notices(connection: Connection, notices: Sequence[Notice]) -> None:
    """Store notices beside what they tell of."""
    if notices:
        rows = [
            {**asdict(one), "state": "waiting", "attempts": 0, "next_at": one.written_at}
            for one in notices
        ]
        connection.execute(_NOTICE, rows)


def list_notices(room: Room, caller: Caller, after: int = 0) -> list[dict[str, Json]]:
    """List the notices of the caller's own party after a number, oldest first."""
    of_release = sa.and_(
        t.release.c.entry == t.notice.c.entry, t.release.c.position == t.notice.c.position
    )
    of_refusal = sa.and_(
        t.refusal.c.entry == t.notice.c.entry,
        t.refusal.c.enterprise.in_([t.notice.c.recipient, ""]),
    )
    query = (
        sa.select(
            t.notice,
            t.release.c.bank,
            t.release.c.purpose,
            t.release.c.charge_mbit,
            t.refusal.c.code,
            t.request.c.party.label("asked_by"),
        )
        .outerjoin(t.release, of_release)
        .outerjoin(t.refusal, of_refusal)
        .outerjoin(t.request, t.request.c.digest == t.refusal.c.request)
        .where(
            t.notice.c.recipient == caller.party,
            t.notice.c.address.is_(None),
            t.notice.c.number > after,
        )
        .order_by(t.notice.c.number)
        .limit(MOST)
    )
    with reading(room.database) as connection:
        rows = connection.execute(query).all()
    listed = []
    for row in rows:
        told: dict[str, Json] = {
            "number": row.number,
            "kind": row.kind,
            "time": row.written_at,
            "entry": row.entry,
        }
        if row.kind == "release":
            told |= {"bank": row.bank, "purpose": row.purpose, "charge_mbit": row.charge_mbit}
        if row.kind == "refusal":
            told |= {"bank": row.asked_by, "code": row.code}
        listed.append(told)
    return listed
