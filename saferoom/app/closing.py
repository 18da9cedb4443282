"""How does a room go on whose newest entries exist nowhere any more?

First everything that sinks and tiles still have is brought back; the room stays stopped. One
operator then signs what is left and what witnesses saw, another signs the same. With both the
entries that are left get their places in a new log behind its first entry, the closing; the
vault is taught it; and what is signed stands in the new trust file, by which the gate suspends
every grant of before. Each step finds what an interrupted one had done and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import behind, loading, trusting
from saferoom.app.context import Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.lost import seen_by_witnesses
from saferoom.app.restoring import restore
from saferoom.app.teaching import queue
from saferoom.core.closing import Closing
from saferoom.core.moment import write_instant
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, Isolation, Refusal
from saferoom.ports import Tail
from saferoom.tlog.checkpoint import Checkpoint
from saferoom.tlog.merkle import Frontier, leaf_hash

_KIND = "closing"  # among the subjects
_PAGE = 2_000


@dataclass(frozen=True)
class _Left:
    """What this database holds of the log."""

    placed: int
    size: int
    root: str


def propose(room: Room, tails: Sequence[Tail], successor: str, reason: str) -> Closing:
    """Bring back what is anywhere, and say what then is left; LOG_BEHIND goes on to hold."""
    try:
        restore(room, tails)
    except Isolation as error:
        if error.code != "LOG_BEHIND":
            raise
    else:
        raise Conflict("STATE", "nothing is lost: the replay brought everything back")
    restore(room, tails, whole=False)
    with reading(room.database) as connection:
        left = _left(connection)
    seen = _furthest(room)
    if seen is None or seen.size <= left.placed:
        raise Conflict("STATE", "no witness says that entries are lost")
    return Closing(
        origin=room.origin,
        successor=successor,
        placed=left.placed,
        size=left.size,
        root=left.root,
        seen_size=seen.size,
        seen_root=seen.root.hex(),
        reason=reason,
        closed_at=write_instant(room.clock()),
        nonce=room.random_bytes(16).hex(),
    )


def carry_out(room: Room, statement: Statement) -> Trust:
    """Begin the new log in the database, once; return the trust file that names both."""
    if room.trust is None or statement in room.trust.closed:
        raise Conflict("STATE", "this log is closed")
    closing = Closing.from_body(statement.body)
    with reading(room.database) as connection:
        held = trusting.refresh(connection, room) or room.trust
    trust = replace(  # which checks both signatures; today's witnesses are the new log's first
        room.trust,
        origin=closing.successor,
        witnesses=held.watchers,
        closed=(*room.trust.closed, statement),
    )
    if closing.origin != room.origin:
        raise Refusal("SIGNATURE_INVALID", "the closing of another log")
    with writing(room.database) as connection:
        find = loading.lookup(connection)
        if any(find(key) is None for key in statement.signers()):
            raise Refusal("APPROVAL_MISSING", "an operator's key was replaced")
        if not _done(connection, statement):
            _check_same(connection, room, closing)
            _begin(connection, room, statement, trust)
    return trust


def _furthest(room: Room) -> Checkpoint | None:
    return max(seen_by_witnesses(room), key=lambda one: one.size, default=None)


def _check_same(connection: Connection, room: Room, closing: Closing) -> None:
    """Refuse what no longer says what is here, or what witnesses saw."""
    if _left(connection) != _Left(closing.placed, closing.size, closing.root):
        raise Conflict("STATE", "other entries are left than was signed")
    seen = _furthest(room)
    if seen is not None and (seen.size, seen.root.hex()) != (closing.seen_size, closing.seen_root):
        raise Conflict("STATE", "witnesses saw another log than was signed")


def _done(connection: Connection, statement: Statement) -> bool:
    query = sa.select(t.subject.c.digest).where(
        t.subject.c.kind == _KIND, t.subject.c.digest == statement.digest
    )
    return connection.scalar(query) is not None


def _left(connection: Connection) -> _Left:
    frontier = Frontier()
    for page in _pages(connection):
        frontier = frontier.extend(leaf_hash(leaf) for leaf in page)
    return _Left(behind.size_of(connection), frontier.size, frontier.root().hex())


def _pages(connection: Connection) -> Iterator[list[bytes]]:
    """Yield leaves by their places, then those without one in the order of their numbers."""
    placed = sa.select(t.entry.c.leaf_index, t.entry.c.leaf)
    placed = placed.where(t.entry.c.leaf_index > sa.bindparam("after")).order_by("leaf_index")
    yield from _after(connection, placed)
    waiting = sa.select(t.entry.c.number, t.entry.c.leaf).where(t.entry.c.leaf_index.is_(None))
    waiting = waiting.where(t.entry.c.number > sa.bindparam("after")).order_by("number")
    yield from _after(connection, waiting)


def _after(connection: Connection, query: sa.Select[int, bytes]) -> Iterator[list[bytes]]:
    after = -1
    while rows := connection.execute(query.limit(_PAGE), {"after": after}).all():
        yield [row.leaf for row in rows]
        after = rows[-1][0]


def _begin(connection: Connection, room: Room, statement: Statement, trust: Trust) -> None:
    """Give every entry that is left the place behind the one that it would have had."""
    closing = Closing.from_body(statement.body)
    waiting = sa.select(t.entry.c.number).where(t.entry.c.leaf_index.is_(None))
    numbers = connection.scalars(waiting.order_by(t.entry.c.number)).all()
    place = t.entry.c.leaf_index
    # Below zero and back, for a place is nobody else's at any moment.
    connection.execute(sa.update(t.entry).where(place.is_not(None)).values(leaf_index=-place - 1))
    connection.execute(sa.update(t.entry).where(place.is_not(None)).values(leaf_index=-place))
    for at, number in enumerate(numbers, closing.placed + 1):
        of_one = sa.update(t.entry).where(t.entry.c.number == number)
        connection.execute(of_one.values(leaf_index=at))
    by = [str(one.body.get("holder")) for one in trust.operators]
    draft = Draft(
        "log_closed",
        closing.successor,
        {
            "origin": closing.origin,
            "successor": closing.successor,
            "lost": closing.lost,
            "by": [*by],
            "reason": closing.reason,
            "statement": statement.digest,
        },
        {"trust": trust.fingerprint, "closing": statement.digest},
    )
    first = write_entry(connection, room, draft)
    connection.execute(sa.update(t.entry).where(t.entry.c.id == first).values(leaf_index=0))
    queue(connection, [statement])
    row = {
        "digest": statement.digest,
        "kind": _KIND,
        "party": "",
        "submitter": statement.signers()[0],
        "state": "signed",
        "statement": statement.to_bytes(),
        "proposed_at": write_instant(room.clock()),
    }
    insert_new(connection, t.subject, row)
