"""How does a room that was set back become what it was, and what stays lost?

From every surviving sink and from the tiles come the entries that the database lacks, their
places, and the rows that they led to (app/lost.py). All of it is written in one transaction,
or nothing: the entries, so that the log goes on to the very roots that witnesses saw; the
rows, so that what was revoked, suspended, spent, erased or enrolled is so again. Where a
witness saw a tree that these entries do not give, the room stays stopped.

What a destroyed day's key closed stays closed: such an entry comes back as a leaf alone and is
counted as unreadable. Erasures are ordered again, because the vault's folder may be an old
copy too; its lessons are taught again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import behind
from saferoom.app.context import Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.images import Images, Row
from saferoom.app.lost import Lost, check_order, look, seen_by_witnesses
from saferoom.app.putting_back import put_back, settle
from saferoom.app.tailing import open_rows
from saferoom.canonical import Json, parse_object
from saferoom.core.log_events import read_leaf
from saferoom.core.moment import write_instant
from saferoom.errors import Isolation
from saferoom.ports import Tail


@dataclass(frozen=True)
class Restored:
    """What came back, and what did not."""

    kinds: Mapping[str, int]  # kind of entry → how many came back
    unreadable: int  # of them, as leaves alone: what they led to is lost
    size: int  # of the log, with them

    @property
    def entries(self) -> int:
        """Count what came back."""
        return sum(self.kinds.values())

    def to_json(self) -> dict[str, Json]:
        """Render for programs."""
        kinds: dict[str, Json] = dict(sorted(self.kinds.items()))
        told = {"entries": self.entries, "unreadable": self.unreadable, "size": self.size}
        return {**told, "kinds": kinds}


def restore(room: Room, tails: Sequence[Tail], *, whole: bool = True) -> Restored:
    """Replay what the sinks and tiles have; LOG_BEHIND where a witness saw more than they have.

    Not `whole`: what they have and no more, in a room that stays stopped (closing.py).
    """
    with reading(room.database) as connection:
        lost = look(connection, room, tails)
    opened, readable = _open(room, lost)
    kept = {str(row["id"]): row for images in opened for row in images.get("entry", ())}
    order = lost.order({entry: int(str(row["number"])) for entry, row in kept.items()})
    placed = check_order(room, lost, order, seen_by_witnesses(room) if whole else ())
    new = [entry for entry in order if entry not in lost.waiting]
    done = Restored(
        kinds=Counter(str(parse_object(lost.leaves[entry])["kind"]) for entry in new),
        unreadable=len(set(new) - readable),
        size=lost.size + placed,
    )
    with writing(room.database) as connection:
        if behind.size_of(connection) != lost.size:
            raise Isolation("LOG_BEHIND", "somebody else writes to this database")
        _insert(connection, lost, _rows(lost, order, placed, kept))
        for images in opened:
            put_back(connection, images)
        settle(connection, opened)
        if not whole:
            behind.remember(connection)
            return done
        behind.forget(connection)
        if new:
            _tell(connection, room, done)
    return done


def _open(room: Room, lost: Lost) -> tuple[list[Images], set[str]]:
    """Open what can be opened; return also which entries that covers."""
    opened: list[Images] = []
    readable: set[str] = set()
    for line in lost.lines:
        images = open_rows(room, line)
        if images is not None:
            opened.append(images)
            readable |= set(line.entries)
    return opened, readable


def _rows(lost: Lost, order: Sequence[str], placed: int, kept: Mapping[str, Row]) -> list[Row]:
    rows: list[Row] = []
    for at, entry in enumerate(order):
        leaf = read_leaf(parse_object(lost.leaves[entry]))
        hour = write_instant(leaf.hour)
        rows.append(
            {
                "id": entry,
                "kind": leaf.kind,
                "leaf": lost.leaves[entry],
                "leaf_index": lost.size + at if at < placed else None,
                "acknowledged": False,  # a sink that is new here gets it too
                "written_at": kept[entry]["written_at"] if entry in kept else hour,
            }
        )
    return rows


def _insert(connection: Connection, lost: Lost, rows: Sequence[Row]) -> None:
    for row in rows:  # one after another: the database numbers them in this order
        if row["id"] in lost.waiting:
            known = sa.update(t.entry).where(t.entry.c.id == row["id"])
            connection.execute(known.values(leaf_index=row["leaf_index"]))
        else:
            connection.execute(sa.insert(t.entry).values(row))


def _tell(connection: Connection, room: Room, done: Restored) -> None:
    said: dict[str, Json] = {"entries": done.entries, "unreadable": done.unreadable}
    write_entry(connection, room, Draft("restored", room.origin, said))
