"""Which materialisation is the current one, and which row is whose?

A snapshot is a folder of segments and a manifest. Its digest covers the as-of day, the
views, the row count, the digests of the encrypted files and a random nonce: nobody who
guesses rows can compute it. `current` is replaced last, so a crash leaves the old one. The
one before stays for whoever reads it still; older folders go, and their keys with them.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from saferoom.canonical import Digest, canonical_bytes, digest_bytes, parse_object
from saferoom.core.moment import write_instant
from saferoom.core.record import Record
from saferoom.errors import Tampered
from saferoom.vault.durable import sync, write_file
from saferoom.vault.keys import BUCKETS, Keys
from saferoom.vault.segments import Floats, Rows, Segment, write_segment

KEPT = 2


@dataclass(frozen=True, kw_only=True)
class SnapshotManifest(Record):
    """What was published."""

    KIND: ClassVar[str] = "saferoom/snapshot/1"
    as_of: str
    views: Digest
    columns: tuple[str, ...]
    enterprises: int
    segments: tuple[Digest, ...]  # of the encrypted files, by bucket
    published_at: str
    nonce: str


@dataclass(frozen=True)
class Found:
    """Rows of some enterprises, in the order asked; NaN where there is nothing."""

    matrix: Floats
    present: NDArray[np.bool_]
    disputed: NDArray[np.bool_]


class Snapshot:
    """One published materialisation, open for reading."""

    def __init__(self, folder: Path, keys: Keys, expected: Digest) -> None:
        """Open every segment."""
        data = (folder / "manifest.json").read_bytes()
        if digest_bytes(data) != expected:
            raise Tampered("CONTENT_CHANGED", "the snapshot's manifest")
        self.digest, self._keys = expected, keys
        self.manifest = SnapshotManifest.from_body(parse_object(data))
        self._segments = [
            Segment(segment_path(folder, bucket), keys, self.manifest.nonce, bucket)
            for bucket in range(BUCKETS)
        ]

    def rows(self, enterprises: Sequence[str], columns: Sequence[str]) -> Found:
        """Look up rows; whoever is not there has a row of NaN."""
        order = [self.manifest.columns.index(name) for name in columns]
        matrix = np.full((len(enterprises), len(order)), np.nan)
        present = np.zeros(len(enterprises), np.bool_)
        disputed = np.zeros(len(enterprises), np.bool_)
        for number, enterprise in enumerate(enterprises):
            segment = self._segments[self._keys.bucket_of(enterprise)]
            row = segment.find(enterprise)
            if row is not None:
                matrix[number] = segment.row(row)[order]
                present[number], disputed[number] = True, segment.disputed(row)
        return Found(matrix, present, disputed)

    def scan(self) -> Iterator[Rows]:
        """Decrypt everything, bucket by bucket."""
        return (segment.scan() for segment in self._segments)

    def __del__(self) -> None:
        for segment in getattr(self, "_segments", []):
            segment.close()


class SnapshotStore:
    """The folder of snapshots."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        """Open the current snapshot, if there is one, and clear what no one names."""
        self._folder, self._keys = folder, keys
        self._lock = threading.Lock()
        self._kept = self._read_kept()
        self._clear()
        self._current = self._open(self._kept[0]) if self._kept else None

    @property
    def current(self) -> Snapshot | None:
        """Return what scores are computed from now."""
        return self._current

    def publish(
        self,
        as_of: str,
        views: Digest,
        columns: tuple[str, ...],
        compute: Callable[[int], Rows],
        now: datetime,
    ) -> Snapshot:
        """Write all buckets and make them the current snapshot, all or nothing."""
        with self._lock:
            nonce = self._keys.new_key().hex()
            folder = self._folder / nonce[:32]
            folder.mkdir(mode=0o700)
            count, digests = 0, []
            for bucket in range(BUCKETS):
                rows = compute(bucket)
                count += len(rows.codes)
                path = segment_path(folder, bucket)
                written = write_segment(
                    path, rows, columns, snapshot=nonce, bucket=bucket, keys=self._keys
                )
                digests.append(written)
            manifest = SnapshotManifest(
                as_of=as_of,
                views=views,
                columns=columns,
                enterprises=count,
                segments=tuple(digests),
                published_at=write_instant(now),
                nonce=nonce,
            )
            data = canonical_bytes(manifest.to_body())
            write_file(folder / "manifest.json", data)
            return self._switch(f"{folder.name} {digest_bytes(data)}")

    def _switch(self, line: str) -> Snapshot:
        snapshot = self._open(line)
        kept = [line, *self._kept][:KEPT]
        sync(self._folder)
        write_file(self._folder / "current", "\n".join(kept).encode())
        self._kept, self._current = kept, snapshot
        self._clear()
        return snapshot

    def _open(self, line: str) -> Snapshot:
        name, digest = line.split(" ")
        try:
            return Snapshot(self._folder / name, self._keys, Digest(digest))
        except OSError as error:
            raise Tampered("CONTENT_CHANGED", "a snapshot") from error

    def _read_kept(self) -> list[str]:
        with suppress(FileNotFoundError):
            return (self._folder / "current").read_text(encoding="ascii").split("\n")
        return []

    def _clear(self) -> None:
        named = {line.split(" ")[0] for line in self._kept}
        for path in self._folder.iterdir():
            if path.is_dir() and path.name not in named:
                shutil.rmtree(path)


def segment_path(folder: Path, bucket: int) -> Path:
    """Name a bucket's file."""
    return folder / f"{bucket:02x}.segment"
