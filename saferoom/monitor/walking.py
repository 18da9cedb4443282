"""Do the raw entries give every root that the log ever signed, and every tile?

Reads entry bundles from the first entry on, hashes each entry itself, folds the tree, and
compares: each served tile, the checkpoint's root, and the root of each size that anybody
handed in. Nothing that the log computed is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from saferoom.errors import SaferoomError
from saferoom.monitor.alarms import Alarm
from saferoom.tlog.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of_hashes
from saferoom.tlog.tile import WIDTH, Fetch, read_entries, read_tile

OnLeaf = Callable[[int, bytes, bytes], Iterator[Alarm]]  # index, entry, hash


@dataclass
class Walk:
    """One reading of a log of a signed size."""

    fetch: Fetch
    size: int
    wanted: Mapping[int, bytes]  # size → the root that was signed for it
    on_leaf: OnLeaf
    hashes: set[bytes] = field(default_factory=set)
    _rows: list[list[bytes]] = field(default_factory=lambda: [[]])
    _tiles: Frontier = field(default_factory=Frontier)

    def run(self) -> Iterator[Alarm]:
        """Read everything once."""
        if self.wanted.get(0, EMPTY_ROOT) != EMPTY_ROOT:
            yield Alarm("FORKED", "the empty log has a root")
        for number in range(-(-self.size // WIDTH)):
            try:
                entries = read_entries(self.fetch, self.size, number)
            except SaferoomError:
                yield Alarm("LOG_UNREADABLE", "an entry bundle", number * WIDTH)
                return
            yield from self._bundle(number, entries)
        for level in range(len(self._rows)):
            yield from self._check_tile(level, self.size >> (8 * level) >> 8)

    def _bundle(self, number: int, entries: list[bytes]) -> Iterator[Alarm]:
        row = [leaf_hash(entry) for entry in entries]
        first = number * WIDTH
        for offset, entry in enumerate(entries):
            digest = row[offset]
            if digest in self.hashes:
                yield Alarm("LEAF_TWICE", "the very same bytes", first + offset)
            self.hashes.add(digest)
            yield from self.on_leaf(first + offset, entry, digest)
        yield from self._check_roots(first, row)
        self._rows[0] = row
        if len(row) == WIDTH:
            yield from self._check_tile(0, number)
            self._tiles = self._tiles.extend([self._fold(row)])
            yield from self._carry(1, number)

    def _check_roots(self, first: int, row: list[bytes]) -> Iterator[Alarm]:
        for count in range(1, len(row) + 1):
            if (root := self.wanted.get(first + count)) is None:
                continue
            low = Frontier().extend(row[:count]).hashes if count < WIDTH else (self._fold(row),)
            high = self._tiles if count < WIDTH else self._tiles.extend(low)
            parts = high.hashes if count == WIDTH else (*high.hashes, *low)
            if Frontier(first + count, parts).root() != root:
                code = "ROOT_WRONG" if first + count == self.size else "FORKED"
                yield Alarm(code, f"at size {first + count}", first + count - 1)

    def _carry(self, level: int, number: int) -> Iterator[Alarm]:
        """Put a full tile's root into the level above; check that tile once it is full."""
        if len(self._rows) == level:
            self._rows.append([])
        row = self._rows[level]
        row.append(self._fold(self._rows[level - 1]))
        self._rows[level - 1] = []
        if len(row) == WIDTH:
            yield from self._check_tile(level, number >> 8)
            yield from self._carry(level + 1, number >> 8)

    def _check_tile(self, level: int, index: int) -> Iterator[Alarm]:
        computed = self._rows[level]
        if not computed:
            return
        try:
            served = read_tile(self.fetch, self.size, level, index)
        except SaferoomError:
            yield Alarm("LOG_UNREADABLE", f"tile {level}/{index}")
            return
        if served != computed:
            yield Alarm("TILE_WRONG", f"tile {level}/{index}")

    def _fold(self, row: list[bytes]) -> bytes:
        if self._folded is None or self._folded[0] is not row:
            self._folded = (row, root_of_hashes(row))
        return self._folded[1]

    _folded: tuple[list[bytes], bytes] | None = None
