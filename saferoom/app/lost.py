"""What do sinks, tiles and witnesses have that this database lacks, and in which order?

Read only. Entries come with their leaf, whose hash is their id; places from the tiles or from
what the sequencer told a tail. An order counts if it gives the very trees that witnesses saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import behind
from saferoom.app.context import Room
from saferoom.app.tailing import Line, all_places, read_tail
from saferoom.errors import Isolation, Tampered, Unavailable
from saferoom.ports import TAIL, Tail
from saferoom.tlog.checkpoint import Checkpoint
from saferoom.tlog.merkle import leaf_hash

_AT_ONCE = 1_000


@dataclass
class Lost:
    """What others hold and this database does not, whose log ends at `size`."""

    size: int
    leaves: dict[str, bytes] = field(default_factory=dict)  # in the order of the sinks
    waiting: dict[str, int] = field(default_factory=dict)  # known here, without a place: numbers
    places: dict[int, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def order(self, numbers: Mapping[str, int]) -> list[str]:
        """Put the entries in the order of their places; those without one follow by number."""
        placed = dict.fromkeys(self._placed())
        others = [entry for entry in self.leaves if entry not in placed]
        known = {**numbers, **self.waiting}
        return [*placed, *sorted(others, key=lambda entry: known.get(entry, math.inf))]

    def _placed(self) -> list[str]:
        placed: list[str] = []
        while self.places.get(self.size + len(placed)) in self.leaves:
            placed.append(self.places[self.size + len(placed)])
        return placed


def look(connection: Connection, room: Room, tails: Sequence[Tail]) -> Lost:
    """Gather from the tiles and from every tail."""
    lost = Lost(behind.size_of(connection))
    columns = (t.entry.c.id, t.entry.c.leaf, t.entry.c.number)
    for row in connection.execute(sa.select(*columns).where(t.entry.c.leaf_index.is_(None))):
        lost.leaves[row.id], lost.waiting[row.id] = row.leaf, row.number
    for at, leaf in enumerate(room.log.entries(lost.size), lost.size):
        entry = leaf_hash(leaf).hex()
        lost.leaves[entry], lost.places[at] = leaf, entry
    for tail in tails:
        for page in _pages(tail.entries()):
            _take(connection, lost, page, tail.name)
    for tail in tails:
        for first, entries in all_places(tail):
            _learn_places(lost, first, entries)
        new = lost.leaves.keys() - lost.waiting.keys()
        lost.lines += [
            line for line in map(read_tail, tail.kept(TAIL)) if not new.isdisjoint(line.entries)
        ]
    lost.lines.sort(key=lambda line: line.at)
    return lost


def seen_by_witnesses(room: Room) -> list[Checkpoint]:
    """Ask every witness that answers what it saw last; silent ones are no proof of anything."""
    found: list[Checkpoint] = []
    for witness in room.witnesses:
        with suppress(Unavailable):
            seen = behind.shown_by(room, witness)
            found += [] if seen is None else [seen]
    return found


def check_order(room: Room, lost: Lost, order: Sequence[str], seen: Iterable[Checkpoint]) -> int:
    """Return how many get their place now; refuse what does not give the trees that were seen."""
    placed, published = 0, room.log.size
    while placed < len(order) and lost.places.get(lost.size + placed) == order[placed]:
        placed += 1
    for one in seen:
        if one.size > lost.size + len(order):
            gone = one.size - lost.size - len(order)
            raise Isolation("LOG_BEHIND", f"{gone} entries that a witness saw are nowhere")
        if one.size >= published:
            beyond = order[max(0, published - lost.size) : one.size - lost.size]
            if room.log.root_with([lost.leaves[entry] for entry in beyond]) != one.root:
                raise Isolation("LOG_BEHIND", "the entries do not give the root that was seen")
        placed = max(placed, one.size - lost.size)
    return placed


def _pages(entries: Iterator[tuple[str, bytes]]) -> Iterator[dict[str, bytes]]:
    page: dict[str, bytes] = {}
    for entry, leaf in entries:
        page[entry] = leaf
        if len(page) == _AT_ONCE:
            yield page
            page = {}
    yield page


def _take(connection: Connection, lost: Lost, page: dict[str, bytes], sink: str) -> None:
    for entry in behind.missing(connection, list(page)):
        if leaf_hash(page[entry]).hex() != entry:
            raise Tampered("CONTENT_CHANGED", f"an entry of the sink {sink}")
        lost.leaves.setdefault(entry, page[entry])


def _learn_places(lost: Lost, first: int, entries: Sequence[str]) -> None:
    for at, entry in enumerate(entries, first):
        if at >= lost.size and lost.places.setdefault(at, entry) != entry:
            raise Tampered("CONTENT_CHANGED", "two entries at one place, by two sinks")
