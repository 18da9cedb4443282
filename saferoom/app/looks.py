"""Who looked? All that the log holds about one enterprise, for that enterprise alone.

The list is made of the log's own entries, found by whose key their openings are under, and of
what auditors and operators looked at with everybody's. Each line comes with its receipt, so it
is checked against the public log and not believed; each page is signed as complete
(core/looks.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app.context import Caller, Room
from saferoom.app.proving import LEAF, Opened, Place, open_places, prove, published
from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.looks import EXPORT, LOOKUP, LooksPage, covers, place_name
from saferoom.crypto.signing import sign_statement
from saferoom.errors import BadInput, Refusal

PAGE = 100  # entries of one's own
MOST_BROAD = 1_000  # entries that concern everybody, looked through for one page
_Rows = Sequence[Row[*tuple[object, ...]]]


def list_looks(room: Room, caller: Caller, first: int = 0) -> dict[str, Json]:
    """List what concerns the caller's own enterprise from a place of the log on, oldest first."""
    if caller.role is not Role.ENTERPRISE:
        raise Refusal("ROLE", "an enterprise's own list")
    size = published(room)
    if first > size:
        raise BadInput("FIELD_INVALID", "first")
    with reading(room.database) as connection:
        own = _own_indices(connection, caller.party, size)
        mine = [index for index in own if index >= first][:PAGE]
        until = mine[-1] + 1 if len(mine) == PAGE else size
        broad, until = _broad(connection, first, until)
        places = _places(connection, caller.party, [i for i in mine if i < until])
        opened = open_places(connection, room, [*places, *broad])
        places += [one for one in broad if _concerns_all(one, opened, frozenset(own))]
        places.sort(key=lambda one: (one.entry.leaf_index, one.position))
        receipts = _receipts(connection, [one.id for one in places], caller.party)
        looks: list[Json] = [
            {
                "time": one.entry.written_at,
                "release": receipts.get(one.id),
                "proof": prove(connection, room, one, opened),
            }
            for one in places
        ]
    page = LooksPage(
        origin=room.origin,
        enterprise=caller.party,
        first=first,
        until=until,
        size=size,
        places=tuple(_name(one) for one in places),
    )
    signed = sign_statement(page.to_body(), [room.log_key])
    return {"page": signed.to_json(), "looks": looks, "next": until if until < size else None}


def _name(place: Place) -> str:
    position = None if place.position == LEAF else place.position
    return place_name(place.entry.leaf_index, position)


def _own_indices(connection: Connection, code: str, size: int) -> list[int]:
    """Find every entry with openings under the enterprise's own key."""
    query = (
        sa.select(t.entry.c.leaf_index)
        .join(t.opening, t.opening.c.entry == t.entry.c.id)
        .where(t.opening.c.subject == code, t.entry.c.leaf_index < size)
        .distinct()
        .order_by(t.entry.c.leaf_index)
    )
    return list(connection.scalars(query))


def _broad(connection: Connection, first: int, until: int) -> tuple[list[Place], int]:
    """Find what auditors and operators looked at with everybody's; a long stretch ends earlier."""
    place = t.entry.c.leaf_index
    query = (
        sa.select(t.entry)
        .where(t.entry.c.kind.in_([EXPORT, LOOKUP]), place >= first, place < until)
        .order_by(place)
        .limit(MOST_BROAD)
    )
    rows: _Rows = connection.execute(query).all()
    if len(rows) == MOST_BROAD:
        until = min(until, rows[-1].leaf_index + 1)
    return [Place(row) for row in rows], until


def _places(connection: Connection, code: str, indices: Sequence[int]) -> list[Place]:
    query = (
        sa.select(t.entry, t.opening.c.position.label("at"))
        .join(t.opening, t.opening.c.entry == t.entry.c.id)
        .where(t.opening.c.subject == code, t.entry.c.leaf_index.in_(indices))
    )
    return [Place(row, row.at) for row in connection.execute(query)]


def _concerns_all(place: Place, opened: Opened, own: frozenset[int]) -> bool:
    """Say whether everybody was looked at, this enterprise with them."""
    leaf = opened.get((place.id, LEAF), {})
    if place.entry.kind == LOOKUP:
        return "enterprise" in leaf and leaf["enterprise"].value is None
    return "entries" in leaf and covers(leaf["entries"].value, own)


def _receipts(connection: Connection, entries: Sequence[str], code: str) -> dict[str, str]:
    """Name the releases, by whose id a whole receipt can be fetched."""
    query = sa.select(t.release.c.entry, t.release.c.id).where(
        t.release.c.entry.in_(entries), t.release.c.enterprise == code
    )
    return {row.entry: row.id for row in connection.execute(query)}
