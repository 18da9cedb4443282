"""How does the vault learn what it must verify for itself?

Lessons are queued in the transaction that changed the state, and taught after the
commit, in order, before the request returns. A vault that is away misses nothing: the
worker teaches what waits, and a score does so first. The other order, vault before
commit, was rejected: a crash between would leave the vault with approvals that the
room never recorded. Until a revocation is taught, the gate's own row stops a release.
A lesson that the vault refuses is set aside with its code and shown in /readyz.

The room also keeps how far the vault's chain of lessons had come. A vault that no longer passes
there was set back (a restored disk, a cut journal): it is taught everything again, in order,
before anything else is asked of it, and if it refuses then, nothing is. What it had erased it
erases again then; so every erasure is asked after once more, for what it certifies now.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app.context import Room
from saferoom.core.erasure import CERTIFIED, ORDERED
from saferoom.crypto.signing import Statement
from saferoom.errors import Isolation, SaferoomError, Unavailable

MOST_AT_ONCE = 500
_SEEN = sa.select(t.learnt.c.count, t.learnt.c.head)
_PAGE = (
    sa.select(t.lesson.c.number, t.lesson.c.statement)
    .where(t.lesson.c.state == sa.bindparam("state"), t.lesson.c.number > sa.bindparam("after"))
    .order_by(t.lesson.c.number)
    .limit(MOST_AT_ONCE)
)


def queue(connection: Connection, statements: Sequence[Statement]) -> None:
    """Remember lessons in the transaction that makes them true."""
    rows = [
        {"digest": one.digest, "statement": one.to_bytes(), "state": "waiting"}
        for one in statements
    ]
    if rows:
        connection.execute(sa.insert(t.lesson), rows)


def teach_now(room: Room) -> None:
    """Teach what waits; a vault that is away will be taught by the worker."""
    with suppress(Unavailable, Isolation):
        teach(room)


def teach(room: Room) -> int:
    """Teach what waits, in order; return how many lessons were taken or set aside."""
    if is_behind(room):
        _teach_again(room)
    done = 0
    while rows := _page(room, "waiting"):
        _teach_page(room, rows)
        done += len(rows)
    if done:
        _remember(room, again=False)
    return done


def is_behind(room: Room) -> bool:
    """Say whether the vault forgot what it was taught."""
    with reading(room.database) as connection:
        seen = connection.execute(_SEEN).one_or_none()
    if seen is None:
        return False
    count, head = seen
    return bool(room.vault.recall(count).head != head)


def _teach_again(room: Room) -> None:
    """Teach all that was taught; the vault skips what it still knows."""
    after = 0
    while rows := _page(room, "taught", after):
        try:
            room.vault.learn([Statement.from_bytes(row.statement) for row in rows])
        except Unavailable:
            raise
        except SaferoomError as error:
            raise Isolation("VAULT_BEHIND", error.code) from error
        after = rows[-1].number
    _remember(room, again=True)


def _remember(room: Room, *, again: bool) -> None:
    """Keep the furthest place of the chain, or the new chain's."""
    latest = room.vault.recall(0).latest
    row = {"name": "vault", "count": latest.count, "head": latest.head}
    with writing(room.database) as connection:
        if insert_new(connection, t.learnt, row):
            return
        if again:
            erased = sa.update(t.erasure).where(t.erasure.c.state == CERTIFIED)
            connection.execute(erased.values(state=ORDERED))
        further = sa.true() if again else t.learnt.c.count < latest.count
        connection.execute(sa.update(t.learnt).where(further).values(row))


def _page(room: Room, state: str, after: int = 0) -> Sequence[Row[int, bytes]]:
    with reading(room.database) as connection:
        return connection.execute(_PAGE, {"state": state, "after": after}).all()


def _teach_page(room: Room, rows: Sequence[Row[int, bytes]]) -> None:
    statements = [Statement.from_bytes(row.statement) for row in rows]
    try:
        room.vault.learn(statements)
    except (Unavailable, Isolation):
        raise
    except SaferoomError as error:
        if len(rows) > 1:  # find the one that is refused
            for row in rows:
                _teach_page(room, [row])
            return
        _settle(room, rows, error.code)
        return
    _settle(room, rows, "taught")


def _settle(room: Room, rows: Sequence[Row[int, bytes]], state: str) -> None:
    numbers = [row.number for row in rows]
    with writing(room.database) as connection:
        connection.execute(
            sa.update(t.lesson).where(t.lesson.c.number.in_(numbers)).values(state=state)
        )
