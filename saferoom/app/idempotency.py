"""Was this write done before under the same key?

Every use case answers the same statement with the same digest and changes nothing the
second time, so a crash between a write and its remembered answer does no harm. Scores
keep their own: do not wrap `scores.score`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app.context import Caller, Room
from saferoom.canonical import Digest, Json, canonical_bytes, parse_canonical
from saferoom.core.moment import write_instant
from saferoom.errors import Conflict

KEPT = timedelta(days=30)  # how long a retry gets its first answer; afterwards it is done anew


def once(room: Room, caller: Caller, key: str, request: Digest, act: Callable[[], Json]) -> Json:
    """Do a write once per (party, key); answer a retry with what was answered."""
    mine = sa.and_(t.idempotency.c.party == caller.party, t.idempotency.c.key == key)
    row = {
        "party": caller.party,
        "key": key,
        "request": request,
        "asked_at": write_instant(room.clock()),
    }
    with writing(room.database) as connection:
        insert_new(connection, t.idempotency, row)
        known = connection.execute(sa.select(t.idempotency).where(mine)).one()
    if known.request != request:
        raise Conflict("IDEMPOTENCY_CONFLICT")
    if known.answer is not None:
        return parse_canonical(known.answer)
    answer = act()
    with writing(room.database) as connection:
        stored = canonical_bytes(answer)
        connection.execute(sa.update(t.idempotency).where(mine).values(answer=stored))
    return answer


def forget_old(room: Room) -> int:
    """Delete what nobody retries any more."""
    before = write_instant(room.clock() - KEPT)
    with writing(room.database) as connection:
        old = sa.delete(t.idempotency).where(t.idempotency.c.asked_at < before)
        return connection.execute(old).rowcount
