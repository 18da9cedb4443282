"""How does a matrix rest encrypted, so that one row costs one small read?

A file of one bucket: a plain header, an encrypted index of codes and flags, then chunks of
64 rows of float64. Chunk n is AES-256-GCM under the file's own random key with n as the
nonce; its additional data is the header's digest and n, so chunks cannot move, within a
file or between files. Specified byte by byte in `docs/reference/segments.md`.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from saferoom.canonical import Digest, canonical_bytes, digest_bytes, parse_object
from saferoom.core.record import Record, check_field
from saferoom.core.views import DTYPE as FEATURE_DTYPE
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import SaferoomError, Tampered
from saferoom.vault.durable import sync
from saferoom.vault.keys import WRAPPED, Keys

MAGIC = b"SRSEG01\n"
CHUNK_ROWS = 64
DTYPE = np.dtype(FEATURE_DTYPE).newbyteorder("<").str
TAG = 16
INDEX = np.dtype([("code", "S18"), ("disputed", "u1")])
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Header(Record):
    """What stands in clear: shape and names, nothing of any enterprise."""

    KIND = "saferoom/segment/1"
    snapshot: str  # the snapshot's nonce: a file of another snapshot does not fit
    bucket: int
    rows: int
    columns: tuple[str, ...]
    dtype: str
    chunk_rows: int
    key: str  # the file's data key, wrapped

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.dtype == FEATURE_DTYPE, "dtype")
        check_field(self.chunk_rows > 0 and self.rows >= 0, "rows")
        hex_bytes(self.key, WRAPPED)


@dataclass(frozen=True)
class Rows:
    """One bucket's part of the matrix, sorted by code."""

    codes: Sequence[str]
    disputed: NDArray[np.bool_]
    matrix: Floats


def write_segment(
    path: Path, rows: Rows, columns: tuple[str, ...], *, snapshot: str, bucket: int, keys: Keys
) -> Digest:
    """Write one durable file; return the digest of its bytes."""
    key = keys.new_key()
    header = Header(
        snapshot=snapshot,
        bucket=bucket,
        rows=len(rows.codes),
        columns=columns,
        dtype=FEATURE_DTYPE,
        chunk_rows=CHUNK_ROWS,
        key=keys.wrap(key, _use(snapshot, bucket)).hex(),
    )
    head = canonical_bytes(header.to_body())
    running = hashlib.sha256()
    with path.open("xb") as file:
        for part in (MAGIC, struct.pack("<I", len(head)), head, *_chunks(key, head, rows)):
            running.update(part)
            file.write(part)
    sync(path)
    return Digest(running.hexdigest())


class Segment:
    """One open file; reads are independent of each other, so threads may share it."""

    def __init__(self, path: Path, keys: Keys, snapshot: str, bucket: int) -> None:
        """Open, and decrypt the index."""
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.header, self._head, start = _read_header(self._handle, snapshot, bucket)
            wrapped = hex_bytes(self.header.key, WRAPPED)
            self._cipher = AESGCM(keys.unwrap(wrapped, _use(snapshot, bucket)))
            index_size = self.header.rows * INDEX.itemsize + TAG
            index = self._decrypt(0, start, index_size)
        except BaseException:
            os.close(self._handle)
            raise
        self._index = np.frombuffer(index, INDEX)
        self._codes = np.ascontiguousarray(self._index["code"])
        self._start = start + index_size

    def find(self, code: str) -> int | None:
        """Find an enterprise's row."""
        at = int(np.searchsorted(self._codes, np.bytes_(code.encode())))
        return at if at < len(self._codes) and self._codes[at] == code.encode() else None

    def disputed(self, row: int) -> bool:
        """Say whether a record of this enterprise is disputed."""
        return bool(self._index["disputed"][row])

    def row(self, row: int) -> Floats:
        """Decrypt one row."""
        chunk = self._chunk(row // self.header.chunk_rows)
        wanted: Floats = chunk[row % self.header.chunk_rows]
        return wanted

    def scan(self) -> Rows:
        """Decrypt everything."""
        count = -(-self.header.rows // self.header.chunk_rows)
        chunks = [self._chunk(number) for number in range(count)]
        empty = np.empty((0, len(self.header.columns)))
        return Rows(
            [code.decode() for code in self._codes.tolist()],
            self._index["disputed"].astype(np.bool_),
            np.concatenate([empty, *chunks]),
        )

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def _chunk(self, number: int) -> Floats:
        width = 8 * len(self.header.columns)
        full = self.header.chunk_rows * width + TAG
        rows = min(self.header.chunk_rows, self.header.rows - number * self.header.chunk_rows)
        data = self._decrypt(number + 1, self._start + number * full, rows * width + TAG)
        return np.frombuffer(data, DTYPE).reshape(rows, len(self.header.columns))

    def _decrypt(self, number: int, offset: int, size: int) -> bytes:
        sealed = os.pread(self._handle, size, offset)
        try:
            return self._cipher.decrypt(_nonce(number), sealed, _aad(self._head, number))
        except InvalidTag as error:
            raise _changed() from error


def open_rows(path: Path, keys: Keys, snapshot: str, bucket: int) -> Rows:
    """Read a whole file once."""
    with closing(Segment(path, keys, snapshot, bucket)) as segment:
        return segment.scan()


def _chunks(key: bytes, head: bytes, rows: Rows) -> Iterator[bytes]:
    cipher = AESGCM(key)
    index = np.zeros(len(rows.codes), INDEX)
    index["code"] = [code.encode() for code in rows.codes]
    index["disputed"] = rows.disputed
    yield cipher.encrypt(_nonce(0), index.tobytes(), _aad(head, 0))
    for start in range(0, len(rows.codes), CHUNK_ROWS):
        number = start // CHUNK_ROWS + 1
        data = np.ascontiguousarray(rows.matrix[start : start + CHUNK_ROWS], DTYPE).tobytes()
        yield cipher.encrypt(_nonce(number), data, _aad(head, number))


def _read_header(handle: int, snapshot: str, bucket: int) -> tuple[Header, bytes, int]:
    fixed = os.pread(handle, len(MAGIC) + 4, 0)
    if len(fixed) < len(MAGIC) + 4 or not fixed.startswith(MAGIC):
        raise _changed()
    (length,) = struct.unpack_from("<I", fixed, len(MAGIC))
    head = os.pread(handle, min(length, 2**20), len(fixed))
    try:
        header = Header.from_body(parse_object(head))
    except SaferoomError as error:
        raise _changed() from error
    if (header.snapshot, header.bucket) != (snapshot, bucket):
        raise _changed()
    return header, head, len(fixed) + length


def _use(snapshot: str, bucket: int) -> str:
    return f"segment/{snapshot}/{bucket}"


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")  # the key is this file's alone, so a counter never repeats


def _aad(head: bytes, number: int) -> bytes:
    return bytes.fromhex(digest_bytes(head)) + number.to_bytes(8, "big")


def _changed() -> Tampered:
    return Tampered("CONTENT_CHANGED", "a segment")
