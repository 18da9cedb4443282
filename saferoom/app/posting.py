"""How do notices reach whoever they concern, without holding anything up?

The notices are the outbox: each is written in the transaction that it tells of, and waits. The
worker takes what is due, in a thread of its own, and sends one message to each address outside
any transaction; so a mail system that is away, slow or hostile delays no revocation, no
release and not the log. What was taken is due again after a pause that doubles, until it was
sent: a message may come twice, never not at all before the last attempt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.app.context import Room
from saferoom.core.moment import write_instant
from saferoom.core.notification import MOST_ATTEMPTS, Told, compose, pause_after
from saferoom.errors import Unavailable

MOST_AT_ONCE = 500
WAITING, SENT, FAILED, NOBODY = "waiting", "sent", "failed", "nobody"


@dataclass(frozen=True)
class _Due:
    told: Told
    attempts: int  # with the one that is about to be made


def post(room: Room) -> int:
    """Send what is due; return how many notices were sent."""
    if room.notifier is None:
        return 0
    sent = 0
    for address, due in _take(room).items():
        try:
            room.notifier.send(address, compose(room.origin, [one.told for one in due]))
        except Unavailable:
            _settle(room, [o for o in due if o.attempts >= MOST_ATTEMPTS], FAILED)
            continue  # the next address may be on another system
        _settle(room, due, SENT)
        sent += len(due)
    return sent


def _take(room: Room) -> Mapping[str, Sequence[_Due]]:
    """Take what is due, by address; whoever else looks meanwhile does not find it."""
    now = room.clock()
    query = (
        sa.select(
            t.notice.c.number,
            t.notice.c.kind,
            t.notice.c.attempts,
            sa.func.coalesce(t.notice.c.address, t.contact.c.address).label("to"),
        )
        .outerjoin(t.contact, t.contact.c.party == t.notice.c.recipient)
        .where(t.notice.c.state == WAITING, t.notice.c.next_at <= write_instant(now))
        .order_by(t.notice.c.number)
        .limit(MOST_AT_ONCE)
        .with_for_update(of=t.notice, skip_locked=True)
    )
    found: defaultdict[str, list[_Due]] = defaultdict(list)
    with writing(room.database) as connection:
        rows = connection.execute(query).all()
        _mark(connection, [row.number for row in rows if row.to is None], {"state": NOBODY})
        for row in rows:
            if row.to is not None:
                found[row.to].append(_Due(Told(row.number, row.kind), row.attempts + 1))
        by_attempts: defaultdict[int, list[int]] = defaultdict(list)
        for one in (one for due in found.values() for one in due):
            by_attempts[one.attempts].append(one.told.number)
        for attempts, numbers in by_attempts.items():
            next_at = write_instant(now + pause_after(attempts))
            _mark(connection, numbers, {"attempts": attempts, "next_at": next_at})
    return found


def _settle(room: Room, due: Sequence[_Due], state: str) -> None:
    if due:
        with writing(room.database) as connection:
            _mark(connection, [one.told.number for one in due], {"state": state})


def _mark(connection: Connection, numbers: Sequence[int], values: dict[str, object]) -> None:
    if numbers:
        change = sa.update(t.notice).where(t.notice.c.number.in_(numbers))
        connection.execute(change.values(values))
