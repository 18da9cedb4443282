"""What proves to somebody that an entry stands in the log, and says what of it?

A receipt of any entry, or of one record of it: its leaf, its proof, and those openings that the
reader may have. What is not opened may be shredded, or be another's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.app import witnessing
from saferoom.app.context import Room
from saferoom.app.shredding import load_keys, open_openings
from saferoom.canonical import Json, parse_object
from saferoom.core.receipt import build_receipt, record_part
from saferoom.errors import NotYet
from saferoom.tlog.commitments import Opening

LEAF = -1  # where a leaf's own openings stand; records count from 0
Opened = Mapping[tuple[str, int], dict[str, Opening]]  # by entry and position


@dataclass(frozen=True)
class Place:
    """A row of `entry`, and which of its records; LEAF: none of them."""

    entry: Row[*tuple[object, ...]]
    position: int = LEAF

    @property
    def id(self) -> str:
        """Name the entry."""
        return str(self.entry.id)


def published(room: Room) -> int:
    """Count the entries that a receipt can be had of now."""
    return witnessing.note_over(room, None, overridden=False)[1]


def open_places(connection: Connection, room: Room, places: Sequence[Place]) -> Opened:
    """Open the leaves and the named records, as far as their keys are there."""
    wanted = {(one.id, at) for one in places for at in (LEAF, one.position)}
    query = sa.select(t.opening).where(
        t.opening.c.entry.in_({entry for entry, _ in wanted}),
        t.opening.c.position.in_({at for _, at in wanted}),
    )
    rows = [r for r in connection.execute(query) if (r.entry, r.position) in wanted]
    keys = load_keys(connection, room, {row.subject for row in rows})
    return {
        (row.entry, row.position): open_openings(
            keys[row.subject], row.sealed, row.entry, row.position
        )
        for row in rows
        if row.subject in keys
    }


def prove(
    connection: Connection,
    room: Room,
    place: Place,
    opened: Opened,
    only: Collection[str] | None = None,
) -> dict[str, Json]:
    """Write the receipt of one place; of the leaf's fields only these are opened, if some are."""
    entry, leaf = place.entry, opened.get((place.id, LEAF), {})
    override = witnessing.named_override(connection, leaf)
    index = entry.leaf_index
    note, size = witnessing.note_over(room, index, overridden=override is not None)
    if index is None or index >= size:
        raise NotYet("NOT_SEQUENCED")
    record = None
    if place.position != LEAF:
        query = sa.select(t.record.c.record).where(t.record.c.entry == place.id)
        lines = list(connection.scalars(query.order_by(t.record.c.position)))
        openings = opened.get((place.id, place.position), {})
        record = record_part(lines, place.position, openings)
    receipt = build_receipt(
        checkpoint=note,
        leaf=entry.leaf,
        leaf_index=index,
        leaf_proof=room.log.inclusion(index, size),
        openings={name: one for name, one in leaf.items() if only is None or name in only},
        record=record,
        override=override,
    )
    return parse_object(receipt)
