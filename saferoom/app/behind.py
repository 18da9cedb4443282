"""Was this room set back, to a database that lacks entries which its log had already?

Whoever restores an old backup brings revoked grants back to life, and gives places of the log
a second time. So before a room starts its database is held against what the past left
elsewhere: the sinks' newest entries, the published tiles, and the notes that witnesses keep.
A note counts because we signed it: a witness can withhold it and cannot make it up. A witness
that only answers later stops a running room too, and that is remembered until the replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import trusting
from saferoom.app.context import Room
from saferoom.errors import BadInput, Isolation, Tampered, Unavailable
from saferoom.ports import Witness
from saferoom.tlog.checkpoint import Checkpoint, read_note

NEWEST = 1_000  # of each sink; what is behind those is behind them all
_BEHIND = "behind"  # in `standing`: a witness proved that this database is an old one


def check_whole(room: Room) -> None:
    """Refuse to start on a database that lacks what sinks, tiles or witnesses have."""
    with reading(room.database) as connection:
        check_not_found(connection)
        size = size_of(connection)
        for tail in room.tails:
            if missing(connection, tail.newest(NEWEST)):
                raise Isolation("LOG_BEHIND", f"the sink {tail.name} has more")
    if room.log.size > size:
        raise Isolation("LOG_BEHIND", "the published tiles have more")
    for witness in room.witnesses:
        with suppress(Unavailable):  # it is asked again while the room runs
            check_witness(room, witness)


def check_witness(room: Room, witness: Witness) -> None:
    """Refuse if the witness shows a note that we signed, over a larger tree than ours."""
    seen = shown_by(room, witness)
    if seen is None:
        return
    with reading(room.database) as connection:
        size = size_of(connection)
    if seen.size > size:
        with writing(room.database) as connection:
            remember(connection, seen.root.hex())
        raise Isolation("LOG_BEHIND", f"{witness.name} saw {seen.size} entries, here are {size}")


def shown_by(room: Room, witness: Witness) -> Checkpoint | None:
    """Return what the witness saw last of us, by our own signature; None: nothing."""
    text = witness.checkpoint(room.origin)
    trust = trusting.current(room)
    if text is None or trust is None:
        return None
    try:
        return trust.check_signatures(read_note(text), only_known=False).checkpoint
    except (BadInput, Tampered) as error:
        raise Unavailable("WITNESS_UNAVAILABLE", f"{witness.name} shows no note") from error


def check_not_found(connection: Connection) -> None:
    """Refuse what would go on from a past that a witness showed to be older than ours."""
    query = sa.select(t.standing.c.digest).where(t.standing.c.name == _BEHIND)
    if connection.scalar(query) is not None:
        raise Isolation("LOG_BEHIND")


def remember(connection: Connection, root: str = "") -> None:
    """Stay stopped until the replay, or until the log is closed."""
    insert_new(connection, t.standing, {"name": _BEHIND, "digest": root})


def forget(connection: Connection) -> None:
    """Go on, after what was lost was replayed."""
    connection.execute(sa.delete(t.standing).where(t.standing.c.name == _BEHIND))


def size_of(connection: Connection) -> int:
    """Count the entries that have a place."""
    last = connection.scalar(sa.select(sa.func.max(t.entry.c.leaf_index)))
    return 0 if last is None else int(last) + 1


def missing(connection: Connection, entries: Sequence[str]) -> list[str]:
    """Return those that this database does not have, in their order."""
    query = sa.select(t.entry.c.id).where(t.entry.c.id.in_(entries))
    known = set(connection.scalars(query))
    return [entry for entry in entries if entry not in known]
