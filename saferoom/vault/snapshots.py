"""What is in a snapshot, and which row is whose?

A snapshot is a folder of segments and a manifest. Its digest covers the as-of day, the views,
the row count, the digests of the encrypted files as they were published and a random nonce:
nobody who guesses rows can compute it. It names a publication: an erasure takes a row away and
leaves the digest, for another one would charge everybody else's answers again.

`files` names the segments that are there now, each with its own data key, wrapped by the
snapshot's, which is in the ring of keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from saferoom.canonical import Digest, Json, digest_bytes, parse_object
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Tampered
from saferoom.vault.keys import BUCKETS, WRAPPED, Keys, bucket_of, unwrap
from saferoom.vault.segments import Floats, Rows, Segment

KEYS = "snapshot/"  # what the names of their keys begin with


@dataclass(frozen=True, kw_only=True)
class SnapshotManifest(Record):
    """What was published."""

    KIND: ClassVar[str] = "saferoom/snapshot/3"
    as_of: str
    views: Digest
    columns: tuple[str, ...]
    closed: tuple[str, ...]  # of the columns: not computed, for a table is below its gate
    enterprises: int
    segments: tuple[Digest, ...]  # of the encrypted files, in the order of `files`
    published_at: str
    nonce: str


@dataclass(frozen=True, kw_only=True)
class SegmentFile(Record):
    """One segment, and its key."""

    bucket: int
    name: str
    rows: int
    key: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 <= self.bucket < BUCKETS and "/" not in self.name, "a segment's file")
        hex_bytes(self.key, WRAPPED)


@dataclass(frozen=True, kw_only=True)
class SnapshotFiles(Record):
    """The segments that are there; each bucket's in the order of their codes."""

    KIND: ClassVar[str] = "saferoom/snapshot-files/1"
    renewed: int  # how often the snapshot was given a new key
    files: tuple[SegmentFile, ...]


@dataclass(frozen=True)
class Found:
    """Rows of some enterprises, in the order asked; NaN where there is nothing."""

    matrix: Floats
    present: NDArray[np.bool_]
    disputed: NDArray[np.bool_]


class Snapshot:
    """One published materialisation, open for reading."""

    def __init__(
        self, folder: Path, keys: Keys, expected: Digest, before: Snapshot | None = None
    ) -> None:
        """Open every segment; those that were open before stay so."""
        self.digest, self.folder, self._keys = expected, folder, keys
        self.manifest, self.files = read_papers(folder, expected)
        self._columns = {name: at for at, name in enumerate(self.manifest.columns)}
        known = {} if before is None else before.by_name
        self.by_name: dict[str, Segment] = {
            file.name: known.get(file.name) or self._open(file) for file in self.files.files
        }
        self._buckets = [self._gather(bucket) for bucket in range(BUCKETS)]

    @property
    def key_name(self) -> str:
        """Name the key by which its files' keys are wrapped."""
        return key_name(self.manifest.nonce, self.files.renewed)

    def file_key(self, file: SegmentFile) -> bytes:
        """Unwrap a file's key."""
        return file_key(self._keys, self.manifest, self.files, file)

    def rows(self, enterprises: Sequence[str], columns: Sequence[str]) -> Found:
        """Look up rows; whoever is not there has a row of NaN."""
        names = np.array([self._columns[name] for name in columns], np.int64)
        count = len(enterprises)
        found = Found(
            np.full((count, len(names)), np.nan),
            np.zeros(count, np.bool_),
            np.zeros(count, np.bool_),
        )
        if count == 1:
            self._fill_one(found, enterprises[0], names)
            return found
        buckets = np.array([self._keys.bucket_of(one) for one in enterprises], np.int64)
        codes = np.array(enterprises, "S18")
        for bucket in np.unique(buckets):
            asked = np.flatnonzero(buckets == bucket)
            self._fill(found, asked, codes[asked], self._buckets[bucket], names)
        return found

    def place_of(self, enterprise: str) -> tuple[SegmentFile, int] | None:
        """Find in which of the files an enterprise is, and in which row."""
        bucket = self._keys.bucket_of(enterprise)
        for file in self.files.files:
            if file.bucket == bucket:
                row = self.by_name[file.name].find(enterprise)
                if row is not None:
                    return file, row
        return None

    def scan(self) -> Iterator[Rows]:
        """Decrypt everything, file by file."""
        return (segment.scan() for segment in self.by_name.values())

    def code_of(self, mark: bytes) -> str | None:
        """Find whose mark this is."""
        codes = self._buckets[bucket_of(mark)].codes.tolist()
        return next((c.decode() for c in codes if self._keys.mark_of(c.decode()) == mark), None)

    def _open(self, file: SegmentFile) -> Segment:
        return Segment(self.folder / file.name, self.file_key(file), self.manifest.nonce)

    def _gather(self, bucket: int) -> _Bucket:
        segments = [self.by_name[one.name] for one in self.files.files if one.bucket == bucket]
        empty = np.empty(0, "S18")
        sizes = [len(segment.codes) for segment in segments]
        codes = np.concatenate([empty, *(segment.codes for segment in segments)])
        return _Bucket(segments, codes, np.cumsum([0, *sizes]))

    def _fill_one(self, found: Found, enterprise: str, names: NDArray[np.int64]) -> None:
        """Do the same for one; a batch's way costs it more than the read."""
        bucket, code = self._buckets[self._keys.bucket_of(enterprise)], enterprise.encode()
        at = int(bucket.codes.searchsorted(np.bytes_(code)))
        if at == len(bucket.codes) or bucket.codes[at] != code:
            return
        number = int(bucket.starts.searchsorted(at, "right")) - 1
        segment, row = bucket.segments[number], at - int(bucket.starts[number])
        found.matrix[0] = segment.row(row)[names]
        found.present[0], found.disputed[0] = True, segment.disputed[row]

    def _fill(  # one bucket's part of an answer
        self,
        found: Found,
        asked: NDArray[np.int64],
        codes: NDArray[np.bytes_],
        bucket: _Bucket,
        names: NDArray[np.int64],
    ) -> None:
        at = np.searchsorted(bucket.codes, codes)
        there = at < len(bucket.codes)
        there[there] = bucket.codes[at[there]] == codes[there]
        asked, at = asked[there], at[there]
        files = np.searchsorted(bucket.starts, at, side="right") - 1
        for number in np.unique(files):
            here = files == number
            segment, rows = bucket.segments[number], at[here] - bucket.starts[number]
            found.matrix[asked[here]] = segment.rows(rows, names)
            found.disputed[asked[here]] = segment.disputed[rows]
        found.present[asked] = True


@dataclass(frozen=True)
class _Bucket:
    """A bucket's segments, the codes of all of them, and where each one's begin."""

    segments: Sequence[Segment]
    codes: NDArray[np.bytes_]
    starts: NDArray[np.int64]


def read_papers(folder: Path, expected: Digest) -> tuple[SnapshotManifest, SnapshotFiles]:
    """Read what was published, and what is there now."""
    data = (folder / "manifest.json").read_bytes()
    if digest_bytes(data) != expected:
        raise Tampered("CONTENT_CHANGED", "the snapshot's manifest")
    files = SnapshotFiles.from_body(parse_object((folder / "files").read_bytes()))
    return SnapshotManifest.from_body(_as_now(parse_object(data))), files


def _as_now(body: dict[str, Json]) -> dict[str, Json]:
    """Read a manifest from before `closed` was said: there nothing was refused for it."""
    if body.get("kind") == "saferoom/snapshot/2" and "closed" not in body:
        return {**body, "kind": SnapshotManifest.KIND, "closed": []}
    return body


def file_key(
    keys: Keys, manifest: SnapshotManifest, files: SnapshotFiles, file: SegmentFile
) -> bytes:
    """Unwrap a file's key."""
    by = keys.key(key_name(manifest.nonce, files.renewed))
    return unwrap(by, hex_bytes(file.key, WRAPPED), key_use(manifest.nonce, file.name))


def key_name(nonce: str, renewed: int) -> str:
    """Name a snapshot's key in the ring."""
    return f"{KEYS}{nonce}/{renewed}"


def key_use(nonce: str, file: str) -> str:
    """Bind a file's key to its place."""
    return f"segment/{nonce}/{file}"
