"""Which materialisation is the current one, and what becomes of the others?

`current` names the newest snapshot and the one before, which stays for whoever reads it still;
it is replaced last, so a crash leaves the old one. Older folders go, and first their keys. An
erasure or a new key replaces a snapshot's list of files in the same way: new key and new segment
first, then the list, then the old key is destroyed and the old segment removed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from saferoom.canonical import Digest, canonical_bytes, digest_bytes
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import Tampered
from saferoom.vault.durable import sync, sync_all, write_file
from saferoom.vault.keys import BUCKETS, Keys, wrap
from saferoom.vault.segments import Rows, write_segment
from saferoom.vault.snapshots import (
    KEYS,
    SegmentFile,
    Snapshot,
    SnapshotFiles,
    SnapshotManifest,
    key_name,
    key_use,
)

KEPT = 2
PAPER = "paper"
PaperOf = Callable[[Digest, SnapshotManifest], Statement]
MOST_ROWS = 16_384  # of one file, which is what an erasure rewrites


class SnapshotStore:
    """The folder of snapshots."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        """Open the kept snapshots, and clear what no one names."""
        self._folder, self._keys = folder, keys
        self._lock = threading.Lock()
        self._kept = [self._open(line) for line in read_kept(folder)]
        self._clear()

    @property
    def current(self) -> Snapshot | None:
        """Return what scores are computed from now."""
        return self._kept[0] if self._kept else None

    @property
    def kept(self) -> tuple[Snapshot, ...]:
        """Return every snapshot that can still be read, the newest first."""
        return tuple(self._kept)

    def publish(  # noqa: PLR0917  # what a snapshot is
        self,
        as_of: str,
        views: Digest,
        columns: tuple[str, ...],
        compute: Callable[[int], Rows],
        now: datetime,
        paper_of: PaperOf | None = None,
        *,
        closed: tuple[str, ...] = (),
    ) -> Snapshot:
        """Compute and write every bucket, then switch; of what fails nothing stays.

        What it was made of is said in a paper beside it, if anybody signs one.
        """
        with self._lock, self._cleared_if_it_fails():
            nonce = self._keys.new_key().hex()
            self._keys.add([key_name(nonce, 0)])
            folder = self._folder / nonce[:32]
            folder.mkdir(mode=0o700)
            writer = _Writer(folder, nonce, columns, self._keys)
            for bucket in range(BUCKETS):
                writer.write(bucket, compute(bucket))
            manifest = SnapshotManifest(
                as_of=as_of,
                views=views,
                columns=columns,
                closed=closed,
                enterprises=sum(file.rows for file in writer.files),
                segments=tuple(writer.digests),
                published_at=write_instant(now),
                nonce=nonce,
            )
            data = canonical_bytes(manifest.to_body())
            sync_all([folder / file.name for file in writer.files])
            _write_files(folder, SnapshotFiles(renewed=0, files=tuple(writer.files)))
            write_file(folder / "manifest.json", data)
            if paper_of is not None:
                write_file(folder / PAPER, paper_of(digest_bytes(data), manifest).to_bytes())
            sync(self._folder)
            made = self._open((folder.name, digest_bytes(data)))
            self._switch([made, *self._kept][:KEPT])
            return made

    @contextmanager
    def _cleared_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._clear()
            raise

    def paper(self, snapshot: Snapshot) -> Statement | None:
        """Read what a snapshot was said to be made of; None for one from before papers."""
        path = snapshot.folder / PAPER
        return Statement.from_bytes(path.read_bytes()) if path.exists() else None

    def renew(self) -> None:
        """Give every kept snapshot a new key; its files' keys are wrapped anew."""
        with self._exchanging():
            self._kept = [self._renewed(one, one.files.files) for one in self._kept]

    def erase(self, mark: bytes, enterprise: str | None) -> None:
        """Write an enterprise's segment of each kept snapshot again without it.

        Who goes on with an erasure after a crash knows its mark only, and looks for it.
        """
        with self._exchanging():
            self._kept = [self._without(one, enterprise or one.code_of(mark)) for one in self._kept]

    @contextmanager
    def _exchanging(self) -> Iterator[None]:
        """Exchange lists of files; after a fault it counts what they say, not what we remember."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._kept = [self._open(line) for line in read_kept(self._folder)]
                raise
            self._clear()

    def _without(self, snapshot: Snapshot, enterprise: str | None) -> Snapshot:
        place = snapshot.place_of(enterprise) if enterprise is not None else None
        if place is None:
            return snapshot
        file, row = place
        rows = snapshot.by_name[file.name].scan()
        renewed = snapshot.files.renewed + 1
        self._keys.add([key_name(snapshot.manifest.nonce, renewed)])
        writer = _Writer(
            snapshot.folder,
            snapshot.manifest.nonce,
            snapshot.manifest.columns,
            self._keys,
            renewed,
        )
        writer.write(file.bucket, rows.part(np.arange(len(rows.codes)) != row))
        sync_all([snapshot.folder / one.name for one in writer.files])
        files = list(snapshot.files.files)
        at = files.index(file)
        return self._renewed(snapshot, [*files[:at], *writer.files, *files[at + 1 :]])

    def _renewed(self, snapshot: Snapshot, files: Sequence[SegmentFile]) -> Snapshot:
        """Wrap every file's key by the snapshot's next key, and open it so."""
        nonce, renewed = snapshot.manifest.nonce, snapshot.files.renewed + 1
        self._keys.add([key_name(nonce, renewed)])
        known = {file.name for file in snapshot.files.files}
        wrapped = tuple(
            replace(file, key=self._wrap(nonce, renewed, file.name, snapshot.file_key(file)))
            if file.name in known
            else file
            for file in files
        )
        _write_files(snapshot.folder, SnapshotFiles(renewed=renewed, files=wrapped))
        return Snapshot(snapshot.folder, self._keys, snapshot.digest, snapshot)

    def _wrap(self, nonce: str, renewed: int, file: str, key: bytes) -> str:
        by = self._keys.key(key_name(nonce, renewed))
        return wrap(by, key, key_use(nonce, file), self._keys.random).hex()

    def _switch(self, kept: list[Snapshot]) -> None:
        lines = [f"{one.folder.name} {one.digest}" for one in kept]
        write_file(self._folder / "current", "\n".join(lines).encode())
        self._kept = kept
        self._clear()

    def _open(self, line: tuple[str, str]) -> Snapshot:
        name, digest = line
        try:
            return Snapshot(self._folder / name, self._keys, Digest(digest))
        except OSError as error:
            raise Tampered("CONTENT_CHANGED", "a snapshot") from error

    def _clear(self) -> None:
        """Destroy the keys first: what a crash leaves of the files opens no more."""
        self._keys.keep_only(KEYS, {one.key_name for one in self._kept})
        kept = {one.folder: {file.name for file in one.files.files} for one in self._kept}
        for folder in [path for path in self._folder.iterdir() if path.is_dir()]:
            if folder not in kept:
                shutil.rmtree(folder)
                continue
            for path in folder.glob("*.segment"):
                if path.name not in kept[folder]:
                    path.unlink()


@dataclass
class _Writer:
    """Writes segments of one snapshot."""

    folder: Path
    nonce: str
    columns: tuple[str, ...]
    keys: Keys
    renewed: int = 0

    def __post_init__(self) -> None:
        self.files: list[SegmentFile] = []
        self.digests: list[Digest] = []

    def write(self, bucket: int, rows: Rows) -> None:
        """Write a bucket's rows, or what is left of a file of them, in even files."""
        count = -(-len(rows.codes) // MOST_ROWS)
        edges = [len(rows.codes) * number // max(count, 1) for number in range(count + 1)]
        for start, end in pairwise(edges):
            self._write_one(bucket, rows.part(slice(start, end)))

    def _write_one(self, bucket: int, rows: Rows) -> None:
        name = f"{bucket:02x}-{self.keys.new_key()[:8].hex()}.segment"
        key = self.keys.new_key()
        path = self.folder / name
        self.digests.append(write_segment(path, rows, self.columns, snapshot=self.nonce, key=key))
        by = self.keys.key(key_name(self.nonce, self.renewed))
        wrapped = wrap(by, key, key_use(self.nonce, name), self.keys.random).hex()
        self.files.append(SegmentFile(bucket=bucket, name=name, rows=len(rows.codes), key=wrapped))


def read_kept(folder: Path) -> list[tuple[str, str]]:
    """Name the kept snapshots and their digests, the newest first."""
    with suppress(FileNotFoundError):
        lines = (folder / "current").read_text(encoding="ascii").split("\n")
        return [(name, digest) for name, digest in (line.split(" ") for line in lines)]
    return []


def _write_files(folder: Path, files: SnapshotFiles) -> None:
    write_file(folder / "files", canonical_bytes(files.to_body()))
