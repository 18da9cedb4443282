"""What happened to a party, or in its name, since it last looked?

A notice is written in the transaction that it tells of, for one party, and holds no values:
only what kind of thing it was and where it stands in the log. What a release revealed is
read from the release itself, for the party alone that it concerns. Nobody is sent anything;
whoever wants to know asks.
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
# Kind of entry → which of its fields names the party that it concerns.
CONCERNED: Mapping[str, str] = {
    "key_enrolled": "party",
    "party_suspended": "party",
    "budget_signed": "enterprise",
    "grant_signed": "enterprise",
    "grant_revoked": "enterprise",
    "erased": "enterprise",
    "quality_ticket": "source",
}


@dataclass(frozen=True)
class Notice:
    """One thing that one party should know of."""

    recipient: str
    kind: str
    entry: str
    position: int
    written_at: str


def concerned(
    kind: str, subject: str, personal: Mapping[str, Json], record_subjects: Sequence[str]
) -> Iterator[tuple[str, str, int]]:
    """Name who should know of an entry: (recipient, kind of notice, position)."""
    if kind == "release":
        yield from ((who, kind, position) for position, who in enumerate(record_subjects))
    elif kind == "version_suspended":
        yield subject, kind, WHOLE_ENTRY
    elif kind in CONCERNED:
        replaced = kind == "key_enrolled" and personal["replaces"] is not None
        yield str(personal[CONCERNED[kind]]), "key_replaced" if replaced else kind, WHOLE_ENTRY


def write_notices(connection: Connection, notices: Sequence[Notice]) -> None:
    """Store notices beside what they tell of."""
    if notices:
        connection.execute(sa.insert(t.notice), [asdict(one) for one in notices])


def list_notices(room: Room, caller: Caller, after: int = 0) -> list[dict[str, Json]]:
    """List the notices of the caller's own party after a number, oldest first."""
    of_release = sa.and_(
        t.release.c.entry == t.notice.c.entry, t.release.c.position == t.notice.c.position
    )
    query = (
        sa.select(t.notice, t.release.c.bank, t.release.c.purpose, t.release.c.charge_mbit)
        .outerjoin(t.release, of_release)
        .where(t.notice.c.recipient == caller.party, t.notice.c.number > after)
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
        listed.append(told)
    return listed
