"""How do waiting entries get their places in the log, and reach the sinks?

The database decides every place first; tiles and checkpoint follow from it and can be
written again to the same bytes. So a crash between the two loses nothing: the next turn
publishes what has a place and no tile yet. One sequencer at a time: a lease whose epoch
moves with its owner, and a place is only given while the epoch is still ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import behind
from saferoom.app.context import Room
from saferoom.app.tailing import keep_rows
from saferoom.core.moment import read_instant, write_instant
from saferoom.errors import Tampered

LEASE = timedelta(seconds=10)
MOST_AT_ONCE = 2_000
_NAME = "sequencer"
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_UNACKNOWLEDGED = (
    sa.select(t.entry.c.id, t.entry.c.leaf, t.entry.c.kind)
    .where(t.entry.c.id.in_(_IDS), t.entry.c.acknowledged.is_(False))
    .order_by(t.entry.c.number)
)
_ACKNOWLEDGE = sa.update(t.entry).where(t.entry.c.id.in_(_IDS)).values(acknowledged=True)


def sequence(room: Room) -> int:
    """Assign gap-free indices, extend the tiles, sign a checkpoint; returns how many.

    Zero also where another sequencer holds the lease.
    """
    with reading(room.database) as connection:
        behind.check_not_found(connection)
        if _size(connection) == room.log.size and not _waiting(connection, 1):
            return 0
    epoch = _take_lease(room)
    if epoch is None:
        return 0
    with writing(room.database) as connection:
        if not _still_ours(connection, room, epoch):
            return 0
        placed = _place(connection, room.log.size)
    _publish(room)
    return placed


def deliver(room: Room) -> int:
    """Offer waiting entries to every mandatory sink; returns how many are acknowledged."""
    query = (
        sa.select(t.entry.c.id)
        .where(t.entry.c.acknowledged.is_(False))
        .order_by(t.entry.c.number)
        .limit(MOST_AT_ONCE)
    )
    with reading(room.database) as connection:
        waiting = connection.scalars(query).all()
    acknowledge(room, waiting)
    return len(waiting)


def acknowledge(room: Room, entries: Sequence[str]) -> None:
    """Return only when every mandatory sink holds these entries; some may hold one twice."""
    if offered := offer(room, entries):
        with writing(room.database) as connection:
            mark_acknowledged(connection, offered)


def offer(room: Room, entries: Sequence[str]) -> list[str]:
    """Give the sinks what they did not acknowledge yet; return it, to be marked as such."""
    with reading(room.database) as connection:
        found = connection.execute(_UNACKNOWLEDGED, {"ids": list(entries)}).all()
    if found:
        keep_rows(room, [(row.id, row.kind) for row in found])  # first: they can be replayed
        for sink in room.sinks:
            sink.append([(row.id, row.leaf) for row in found])
    return [row.id for row in found]


def mark_acknowledged(connection: Connection, entries: Sequence[str]) -> None:
    """Remember that every sink holds these."""
    connection.execute(_ACKNOWLEDGE, {"ids": list(entries)})


def _take_lease(room: Room) -> int | None:
    """Renew our lease, or take one that ran out; the epoch moves when the owner does."""
    now = room.clock()
    until = write_instant(now + LEASE)
    first = {"name": _NAME, "owner": room.owner, "epoch": 1, "until": until}
    with writing(room.database) as connection:
        if insert_new(connection, t.lease, first):
            return 1
        query = sa.select(t.lease).where(t.lease.c.name == _NAME).with_for_update()
        held = connection.execute(query).one()
        ours = held.owner == room.owner
        if not ours and read_instant(held.until) > now:
            return None
        epoch = int(held.epoch) + (0 if ours else 1)
        change = sa.update(t.lease).where(t.lease.c.name == _NAME)
        connection.execute(change.values(owner=room.owner, epoch=epoch, until=until))
        return epoch


def _still_ours(connection: Connection, room: Room, epoch: int) -> bool:
    query = sa.select(t.lease.c.owner, t.lease.c.epoch).where(t.lease.c.name == _NAME)
    held = connection.execute(query.with_for_update()).one()
    return (held.owner, held.epoch) == (room.owner, epoch)


def _place(connection: Connection, published: int) -> int:
    size = _size(connection)
    if size < published:  # an old backup would give a second entry a place that is taken
        raise Tampered("CONTENT_CHANGED", "the published log is longer than the database")
    numbers = _waiting(connection, MOST_AT_ONCE)
    if numbers:
        change = (
            sa.update(t.entry)
            .where(t.entry.c.number == sa.bindparam("waiting"))
            .values(leaf_index=sa.bindparam("place"))
        )
        rows = [{"waiting": n, "place": size + at} for at, n in enumerate(numbers)]
        connection.execute(change, rows)
    return len(numbers)


def _waiting(connection: Connection, most: int) -> Sequence[int]:
    query = (
        sa.select(t.entry.c.number)
        .where(t.entry.c.leaf_index.is_(None))
        .order_by(t.entry.c.number)
        .limit(most)
    )
    return connection.scalars(query).all()


def _size(connection: Connection) -> int:
    last = connection.scalar(sa.select(sa.func.max(t.entry.c.leaf_index)))
    return 0 if last is None else int(last) + 1


def _publish(room: Room) -> None:
    """Write what has a place and no tile yet, page by page."""
    while True:
        first = room.log.size
        query = (
            sa.select(t.entry.c.leaf, t.entry.c.leaf_index)
            .where(t.entry.c.leaf_index >= first)
            .order_by(t.entry.c.leaf_index)
            .limit(MOST_AT_ONCE)
        )
        with reading(room.database) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return
        room.log.extend(first, [row.leaf for row in rows])
