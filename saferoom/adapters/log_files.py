"""How does the public log stand on disk so that no crash can bend it?

The database decides every entry's index; these files follow and can be written again from
it at any time, to the same bytes. Tiles are written beside, synced, renamed, and their
folders synced; only then does the checkpoint that covers them take its place. So whatever
the checkpoint covers is there, and what a crash left beyond it is overwritten alike.
One writer at a time (the sequencer's lease sees to that); readers need no lock.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saferoom.crypto.signing import NoteSigner
from saferoom.errors import Conflict, Tampered, Unavailable
from saferoom.tlog.checkpoint import Checkpoint, read_note, sign_checkpoint
from saferoom.tlog.merkle import (
    Frontier,
    consistency_proof,
    frontier,
    inclusion_proof,
    leaf_hash,
)
from saferoom.tlog.tile import (
    HEIGHT,
    WIDTH,
    Edge,
    TileReader,
    entries_path,
    load_edge,
    read_entries,
    tile_path,
)


@dataclass(frozen=True)
class _State:
    """One published state of the log, replaced as a whole."""

    edge: Edge
    frontier: Frontier
    note: str


class LogFiles:
    """A folder with `checkpoint` and `tile/…`, as it is served under /log.

    The checkpoint on disk is looked at each time: another process may have published since.
    """

    def __init__(self, folder: Path, origin: str, keys: Sequence[NoteSigner]) -> None:
        self._folder = folder
        self._origin = origin
        self._keys = tuple(keys)
        self._state: _State | None = None  # nothing is signed only to look
        self._now()

    @property
    def size(self) -> int:
        """Count the entries that the published checkpoint covers."""
        return self._now().edge.size

    def checkpoint(self) -> str:
        """Return the newest published note; that of the empty log before there is one."""
        return self._now().note

    def extend(self, first: int, leaves: Sequence[bytes]) -> str:
        """Append leaves from index `first` on and publish; return the signed note.

        Entries that stand already must be the same; this is what a restart relies on.
        """
        old = self._now()
        if first > old.edge.size:
            raise Conflict("STATE", "the log's entries come without gaps")
        known = min(old.edge.size - first, len(leaves))
        self._check_same(first, leaves[:known])
        added = leaves[known:]
        edge, files = old.edge.grow(added)
        grown = old.frontier.extend(leaf_hash(leaf) for leaf in added)
        note = self._sign(grown)
        try:
            self._write(files)
            self._write({"checkpoint": note.encode()})
        except OSError as error:
            raise Unavailable("SINK_UNAVAILABLE", "the log's folder") from error
        self._prune(old.edge.size, edge.size)
        self._state = _State(edge, grown, note)
        return note

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove a leaf to the root of a published size."""
        return tuple(inclusion_proof(TileReader(self.fetch, size), index, size))

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of one published size grew into that of another."""
        return tuple(consistency_proof(TileReader(self.fetch, new), old, new))

    def root_with(self, leaves: Sequence[bytes]) -> bytes:
        """Return the root that the published log would have with these behind it."""
        return self._now().frontier.extend(map(leaf_hash, leaves)).root()

    def cosigned(self) -> str | None:
        """Return the newest note that a quorum of witnesses cosigned; None before there is one."""
        data = self.fetch("cosigned")
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError as error:
            raise Tampered("CONTENT_CHANGED", "the log's cosigned checkpoint") from error

    def keep_cosigned(self, note: str) -> None:
        """Publish a cosigned note; were it lost, the witnesses would be asked again."""
        try:
            self._write({"cosigned": note.encode()}, ".cosigned")
        except OSError as error:
            raise Unavailable("SINK_UNAVAILABLE", "the log's folder") from error

    def stamped(self) -> bytes | None:
        """Return the newest stamped checkpoint; None before there is one."""
        return self.fetch("stamped")

    def keep_stamped(self, data: bytes) -> None:
        """Publish a stamped checkpoint; were it lost, the next is asked for within the hour."""
        try:
            self._write({"stamped": data}, ".stamped")
        except OSError as error:
            raise Unavailable("SINK_UNAVAILABLE", "the log's folder") from error

    def entries(self, first: int) -> Iterable[bytes]:
        """Yield the published leaves from an index on."""
        size = self.size
        for index in range(first >> HEIGHT, -(-size // WIDTH)):
            leaves = read_entries(self.fetch, size, index)
            yield from leaves[max(0, first - index * WIDTH) :]

    def fetch(self, path: str) -> bytes | None:
        """Read one file of the folder; None where there is none."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def _now(self) -> _State:
        data = self.fetch("checkpoint")
        if data is None:
            return self._empty()
        state = self._state
        if state is None or data != state.note.encode():
            state = self._state = self._load(data)
        return state

    def _empty(self) -> _State:
        return _State(Edge(), Frontier(), self._sign(Frontier()))

    def _load(self, data: bytes) -> _State:
        """Trust the checkpoint's size only if the tiles give its root."""
        try:
            note = data.decode()
        except UnicodeDecodeError as error:
            raise Tampered("CONTENT_CHANGED", "the log's checkpoint") from error
        published = read_note(note).checkpoint
        edge = load_edge(self.fetch, published.size)
        grown = frontier(TileReader(self.fetch, published.size), published.size)
        if (published.origin, published.root) != (self._origin, grown.root()):
            raise Tampered("CONTENT_CHANGED", "the log's tiles do not give its checkpoint")
        return _State(edge, grown, note)

    def _sign(self, grown: Frontier) -> str:
        return sign_checkpoint(Checkpoint(self._origin, grown.size, grown.root()), *self._keys)

    def _check_same(self, first: int, leaves: Sequence[bytes]) -> None:
        for leaf, published in zip(leaves, self.entries(first), strict=False):
            if leaf != published:
                raise Tampered("CONTENT_CHANGED", "another entry stands at this index")

    def _write(self, files: Mapping[str, bytes], staging: str = ".new") -> None:
        """Put all files in place or, as far as a reader can tell, none half."""
        touched: set[Path] = set()
        beside = self._folder / staging
        _make_folder(beside, touched)
        staged = [(beside / str(number), name) for number, name in enumerate(files)]
        for stage, name in staged:
            _write_synced(stage, files[name])
        for stage, name in staged:
            target = self._folder / name
            _make_folder(target.parent, touched)
            touched.add(target.parent)
            stage.replace(target)
        for folder in touched:
            _sync_folder(folder)

    def _prune(self, old: int, new: int) -> None:
        """Drop partial tiles whose full one is published (C2SP tlog-tiles allows it)."""
        level = 0
        while new >> HEIGHT * (level + 1):
            for index in range(old >> HEIGHT * (level + 1), new >> HEIGHT * (level + 1)):
                names = [tile_path(level, index)] + [entries_path(index)] * (level == 0)
                for name in names:
                    shutil.rmtree(self._folder / f"{name}.p", ignore_errors=True)
            level += 1


def _make_folder(folder: Path, touched: set[Path]) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent, touched)
    folder.mkdir(exist_ok=True)
    touched.add(folder.parent)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
