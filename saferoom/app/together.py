"""What if many want to log something at once, and each must be durable before it goes on?

An entry that changes no other state need not have a transaction of its own: whoever comes
first takes all that wait and commits them with one sync, and the others find theirs done.
Should the group fail, each is written alone, so that nobody fails for another's mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING

from saferoom.adapters.database.engine import writing

if TYPE_CHECKING:
    from saferoom.app.context import Room
    from saferoom.app.entries import Draft

MOST = 500
GATHER_SECONDS = 0.003  # a fraction of a sync, for those whom the last group let go


@dataclass
class _Waiting:
    draft: Draft
    id: str | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.id is not None or self.error is not None


@dataclass
class Group:
    """Who waits, and whether somebody writes for all."""

    waiting: list[_Waiting] = field(default_factory=list)
    led: bool = False
    last: int = 1  # how many the last group was
    changed: Condition = field(default_factory=Condition)


def write_together(room: Room, draft: Draft) -> str:
    """Write one entry durably, with those of others that wait; return its id."""
    mine, group = _Waiting(draft), room.group
    with group.changed:
        group.waiting.append(mine)
        if group.led and len(group.waiting) >= group.last:
            group.changed.notify_all()  # whoever gathers need not wait longer
    while taken := _take(group, mine):
        try:
            _write_all(room, taken)
        finally:
            with group.changed:
                group.led, group.last = False, len(taken)
                group.changed.notify_all()
    if mine.error is not None:
        raise mine.error
    assert mine.id is not None
    return mine.id


def _take(group: Group, mine: _Waiting) -> list[_Waiting]:
    """Wait until ours is written, or until it is on us to write for all who wait."""
    with group.changed:
        group.changed.wait_for(lambda: mine.done or not group.led)
        if mine.done:
            return []
        group.led = True
        group.changed.wait_for(lambda: len(group.waiting) >= group.last, GATHER_SECONDS)
        taken, group.waiting = group.waiting[:MOST], group.waiting[MOST:]
        return taken


def _write_all(room: Room, taken: list[_Waiting]) -> None:
    try:
        _write(room, taken)
    except Exception:  # noqa: BLE001  # whose it was shows when each is written alone
        for one in taken:
            try:
                _write(room, [one])
            except Exception as error:  # noqa: BLE001  # handed to whom it belongs
                one.error = error


def _write(room: Room, taken: list[_Waiting]) -> None:
    from saferoom.app.entries import write_entries  # noqa: PLC0415  # it knows the room, we it

    with writing(room.database) as connection:
        ids = write_entries(connection, room, [one.draft for one in taken])
    for one, id_ in zip(taken, ids, strict=True):
        one.id = id_
