"""Where does each hash and each leaf of the log stand, and how does the log grow?

C2SP tlog-tiles: tiles of height 8, so a full tile is 256 hashes; a tile at level L holds
the roots of complete subtrees of 2^(8·L) leaves; entry bundles hold 256 leaves, each after
a 16-bit length. The last tile of a level is partial and is written as `.p/W`. All paths and
bytes follow from the leaves alone, so writing them again writes the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from saferoom.errors import BadInput, Tampered
from saferoom.tlog.merkle import HASH_BYTES, Node, leaf_hash, root_of_hashes

HEIGHT = 8
WIDTH = 1 << HEIGHT
LARGEST_ENTRY = 65_535

Fetch = Callable[[str], bytes | None]  # a path's bytes, or None where nothing stands


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Name a hash tile: `tile/<L>/<N>[.p/<W>]`."""
    return f"tile/{level}/{_number(index, width)}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """Name an entry bundle: `tile/entries/<N>[.p/<W>]`."""
    return f"tile/entries/{_number(index, width)}"


def width_at(size: int, level: int, index: int) -> int:
    """Count the hashes that a tile holds in a tree of this size."""
    return max(0, min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH))


def _number(index: int, width: int) -> str:
    """C2SP tlog-tiles: groups of three digits, all but the last marked with an x."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == WIDTH else f"{path}.p/{width}"


def write_bundle(leaves: Sequence[bytes]) -> bytes:
    """Join leaves, each after its 16-bit big-endian length."""
    if any(len(leaf) > LARGEST_ENTRY for leaf in leaves):
        raise BadInput("TOO_LARGE", "a log entry")
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


def read_bundle(data: bytes) -> list[bytes]:
    """Split an entry bundle; refuse one that does not end with a leaf."""
    leaves, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if len(data) - at < 2 or len(data) < end:
            raise Tampered("CONTENT_CHANGED", "an entry bundle is cut")
        leaves.append(data[at + 2 : end])
        at = end
    return leaves


@dataclass(frozen=True)
class Edge:
    """The log's growing end: the partial tile of every level and the partial bundle."""

    size: int = 0
    hashes: tuple[tuple[bytes, ...], ...] = ()  # by level, lowest first
    leaves: tuple[bytes, ...] = ()

    def grow(self, leaves: Sequence[bytes]) -> tuple[Edge, dict[str, bytes]]:
        """Append; return the new edge, and the files that this size of log adds."""
        files: dict[str, bytes] = {}
        if not leaves:
            return self, files
        rest = _cut(self.size, [*self.leaves, *leaves], files, entries_path, write_bundle)
        levels: list[tuple[bytes, ...]] = []
        added = [leaf_hash(leaf) for leaf in leaves]
        start = self.size
        while added or len(levels) < len(self.hashes):
            level = len(levels)
            row = [*(self.hashes[level] if level < len(self.hashes) else ()), *added]
            tiles: dict[str, bytes] = {}
            levels.append(_cut(start, row, tiles, _tile_namer(level), b"".join))
            files |= tiles if added else {}
            full = len(row) // WIDTH * WIDTH
            added = [root_of_hashes(row[at : at + WIDTH]) for at in range(0, full, WIDTH)]
            start >>= HEIGHT
        return Edge(self.size + len(leaves), tuple(levels), rest), files


def load_edge(fetch: Fetch, size: int) -> Edge:
    """Read the growing end of a log of this size."""
    levels: list[tuple[bytes, ...]] = []
    while size >> (HEIGHT * len(levels)):
        level = len(levels)
        index = size >> (HEIGHT * (level + 1))
        levels.append(tuple(read_tile(fetch, size, level, index)))
    return Edge(size, tuple(levels), tuple(read_entries(fetch, size, size >> HEIGHT)))


def read_tile(fetch: Fetch, size: int, level: int, index: int) -> list[bytes]:
    """Return the hashes that a tile holds in a tree of this size."""
    width = width_at(size, level, index)
    data = _fetch_prefix(fetch, width, tile_path(level, index, width), tile_path(level, index))
    if len(data) < width * HASH_BYTES or len(data) % HASH_BYTES:
        raise Tampered("CONTENT_CHANGED", "a tile of the log is cut")
    return [data[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(width)]


def read_entries(fetch: Fetch, size: int, index: int) -> list[bytes]:
    """Return the leaves that an entry bundle holds in a tree of this size."""
    width = width_at(size, 0, index)
    data = _fetch_prefix(fetch, width, entries_path(index, width), entries_path(index))
    leaves = read_bundle(data)
    if len(leaves) < width:
        raise Tampered("CONTENT_CHANGED", "an entry bundle is cut")
    return leaves[:width]


class TileReader:
    """Reads nodes from tiles (merkle.HashReader); a proof touches O(log n) of them."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def read_hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the nodes' hashes, in the nodes' order."""
        return [self._read(node) for node in nodes]

    def _read(self, node: Node) -> bytes:
        level, height = divmod(node.level, HEIGHT)
        first = node.index << height
        index, offset = divmod(first, WIDTH)
        if (level, index) not in self._tiles:
            self._tiles[level, index] = read_tile(self._fetch, self._size, level, index)
        row = self._tiles[level, index][offset : offset + (1 << height)]
        if len(row) != 1 << height:
            raise IndexError("the tree has no such node yet")
        return root_of_hashes(row)


def _fetch_prefix(fetch: Fetch, width: int, path: str, full_path: str) -> bytes:
    """C2SP tlog-tiles lets a log drop a partial tile once the full one stands."""
    if width == 0:
        return b""
    data = fetch(path)
    if data is None and path != full_path:
        data = fetch(full_path)
    if data is None:
        raise Tampered("CONTENT_CHANGED", "a tile of the log is missing")
    return data


def _tile_namer(level: int) -> Callable[[int, int], str]:
    return lambda index, width: tile_path(level, index, width)


def _cut(
    start: int,
    row: Sequence[bytes],
    files: dict[str, bytes],
    name: Callable[[int, int], str],
    write: Callable[[Sequence[bytes]], bytes],
) -> tuple[bytes, ...]:
    """Cut one level into files from the tile that `start` stands in; return what is partial."""
    first = start >> HEIGHT
    for offset in range(0, len(row), WIDTH):
        part = row[offset : offset + WIDTH]
        files[name(first + offset // WIDTH, len(part))] = write(part)
    return tuple(row[len(row) // WIDTH * WIDTH :])
