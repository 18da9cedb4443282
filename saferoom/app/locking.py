"""Which rows must stand still while a release is decided?

Always in this order: party, version, standing policy set and snapshot, grants (shared),
then the accounts over all banks and the group's (exclusive), each in enterprise order.
One order for everybody, so no two wait for each other in a ring. SQLite has no row locks:
there the whole transaction began IMMEDIATE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVarTuple

from sqlalchemy import Connection, Select, select

from saferoom.adapters.database import tables as t

Ts = TypeVarTuple("Ts")


def shared(query: Select[*Ts]) -> Select[*Ts]:
    """Let others read, and let nobody change, until we commit (FOR SHARE)."""
    return query.with_for_update(read=True)


def exclusive(query: Select[*Ts]) -> Select[*Ts]:
    """Let nobody else read for change or change, until we commit (FOR UPDATE)."""
    return query.with_for_update()


@dataclass(frozen=True)
class Lockable(Generic[*Ts]):
    """A query built once for both uses: the pre-check's, and the release's, which locks."""

    unlocked: Select[*Ts]
    locked: Select[*Ts]

    def __getitem__(self, lock: bool) -> Select[*Ts]:  # reads as: query[lock]
        return self.locked if lock else self.unlocked


def lockable_shared(query: Select[*Ts]) -> Lockable[*Ts]:
    """Build for reading what nobody may change meanwhile."""
    return Lockable(query, shared(query))


def lockable_exclusive(query: Select[*Ts]) -> Lockable[*Ts]:
    """Build for reading what we are about to change."""
    return Lockable(query, exclusive(query))


def lock_enterprises(connection: Connection, codes: Sequence[str]) -> None:
    """Hold the accounts over all banks, in enterprise order."""
    query = select(t.enterprise.c.code).where(t.enterprise.c.code.in_(codes))
    connection.execute(exclusive(query.order_by(t.enterprise.c.code))).all()
