"""How does a matrix rest encrypted, so that one row costs one small read?

A file of one bucket's rows, or of some of them: a plain header, an encrypted index of codes and
flags, then chunks of 64 rows of float64. Chunk n is AES-256-GCM under the file's own random key
with n as the nonce; its additional data is the header's digest and n, so chunks cannot move,
within a file or between files. Specified byte by byte in `docs/reference/segments.md`.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from saferoom.canonical import Digest, canonical_bytes, digest_bytes, parse_object
from saferoom.core.record import Record, check_field
from saferoom.core.views import DTYPE as FEATURE_DTYPE
from saferoom.errors import SaferoomError, Tampered

MAGIC = b"SRSEG02\n"
CHUNK_ROWS = 64
DTYPE = np.dtype(FEATURE_DTYPE).newbyteorder("<").str
TAG = 16
INDEX = np.dtype([("code", "S18"), ("disputed", "u1")])
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Header(Record):
    """What stands in clear: shape and names, nothing of any enterprise."""

    KIND = "saferoom/segment/2"
    snapshot: str  # the snapshot's nonce: a file of another snapshot does not fit
    file: str
    rows: int
    columns: tuple[str, ...]
    dtype: str
    chunk_rows: int

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.dtype == FEATURE_DTYPE, "dtype")
        check_field(self.chunk_rows > 0 and self.rows >= 0, "rows")


@dataclass(frozen=True)
class Rows:
    """Some rows of the matrix, sorted by code."""

    codes: Sequence[str]
    disputed: NDArray[np.bool_]
    matrix: Floats

    def part(self, chosen: slice | NDArray[np.bool_]) -> Rows:
        """Choose some."""
        codes = np.array(self.codes, "S18")[chosen]
        matrix = self.matrix[chosen]
        return Rows([code.decode() for code in codes.tolist()], self.disputed[chosen], matrix)


def write_segment(
    path: Path, rows: Rows, columns: tuple[str, ...], *, snapshot: str, key: bytes
) -> Digest:
    """Write one file, not yet durable; return the digest of its bytes."""
    header = Header(
        snapshot=snapshot,
        file=path.name,
        rows=len(rows.codes),
        columns=columns,
        dtype=FEATURE_DTYPE,
        chunk_rows=CHUNK_ROWS,
    )
    head = canonical_bytes(header.to_body())
    running = hashlib.sha256()
    with path.open("xb") as file:
        for part in (MAGIC, struct.pack("<I", len(head)), head, *_chunks(key, head, rows)):
            running.update(part)
            file.write(part)
    return Digest(running.hexdigest())


class Segment:
    """One open file; reads are independent of each other, so threads may share it."""

    def __init__(self, path: Path, key: bytes, snapshot: str) -> None:
        """Open, and decrypt the index."""
        self._handle: int | None = None
        self._handle = handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.header, head, start = _read_header(handle, snapshot, path.name)
            self._cipher, self._aad = AESGCM(key), bytes.fromhex(digest_bytes(head))
            self._width = 8 * len(self.header.columns)
            self._full = self.header.chunk_rows * self._width + TAG
            sealed = os.pread(handle, self.header.rows * INDEX.itemsize + TAG, start)
            index = np.zeros(self.header.rows, INDEX)
            self._decrypt(0, sealed, index.view("u1").data)
        except BaseException:
            self.close()
            raise
        self._start = start + len(sealed)
        self.codes: NDArray[np.bytes_] = np.ascontiguousarray(index["code"])
        self.disputed = index["disputed"].astype(np.bool_)

    def find(self, code: str) -> int | None:
        """Find an enterprise's row."""
        at = int(np.searchsorted(self.codes, np.bytes_(code.encode())))
        return at if at < len(self.codes) and self.codes[at] == code.encode() else None

    def row(self, row: int) -> Floats:
        """Decrypt one row: one read, one decryption."""
        chunk, place = divmod(row, self.header.chunk_rows)
        scratch = np.empty((self.header.chunk_rows, len(self.header.columns)), DTYPE)
        self._read_chunk(chunk, scratch)
        wanted: Floats = scratch[place]
        return wanted

    def rows(self, wanted: Numbers, columns: Numbers | None = None) -> Floats:
        """Decrypt these rows, or some columns of them; each chunk once."""
        names = np.arange(len(self.header.columns)) if columns is None else columns
        found = np.empty((len(wanted), len(names)))
        order = np.argsort(wanted, kind="stable")
        chunks, places = np.divmod(wanted[order], self.header.chunk_rows)
        edges = np.append(np.flatnonzero(np.diff(chunks, prepend=-1)), len(chunks)).tolist()
        scratch = np.empty((self.header.chunk_rows, len(self.header.columns)), DTYPE)
        for start, end in pairwise(edges):
            self._read_chunk(int(chunks[start]), scratch)
            found[order[start:end]] = scratch[places[start:end, None], names]
        return found

    def scan(self) -> Rows:
        """Decrypt everything."""
        return Rows([code.decode() for code in self.codes.tolist()], self.disputed, self.matrix())

    def matrix(self, columns: Numbers | None = None) -> Floats:
        """Decrypt every row, or some columns of them; the codes are open already.

        Straight from the file's pages into the matrix: a copy between would cost as much again.
        """
        matrix = np.empty((self.header.rows, len(self.header.columns)), DTYPE)
        into, sealed = matrix.reshape(-1).view("u1").data, self._mapped()
        full, plain, start = self._full, self._full - TAG, self._start
        for number, at in enumerate(range(0, len(into), plain)):
            chunk, begins = into[at : at + plain], start + number * full
            self._decrypt(number + 1, sealed[begins : begins + len(chunk) + TAG], chunk)
        return matrix if columns is None else matrix[:, columns]

    def _mapped(self) -> memoryview:
        """Map the file as long as it is now; what was cut off is missing and noticed.

        All its pages at once: to be told of each of them when it is met takes longer.
        """
        assert self._handle is not None
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return memoryview(mmap.mmap(self._handle, 0, flags=flags, prot=mmap.PROT_READ))

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.close()

    def _read_chunk(self, number: int, into: Floats) -> None:
        rows = min(self.header.chunk_rows, self.header.rows - number * self.header.chunk_rows)
        plain = into.reshape(-1).view("u1").data[: rows * self._width]
        assert self._handle is not None
        sealed = os.pread(self._handle, len(plain) + TAG, self._start + number * self._full)
        self._decrypt(number + 1, sealed, plain)

    def _decrypt(self, number: int, sealed: bytes | memoryview, into: memoryview) -> None:
        aad = self._aad + number.to_bytes(8, "big")
        try:
            if len(sealed) != len(into) + TAG:
                raise _changed()
            self._cipher.decrypt_into(_nonce(number), sealed, aad, into)
        except InvalidTag as error:
            raise _changed() from error


def open_rows(path: Path, key: bytes, snapshot: str) -> Rows:
    """Read a whole file once."""
    with closing(Segment(path, key, snapshot)) as segment:
        return segment.scan()


def _chunks(key: bytes, head: bytes, rows: Rows) -> Iterator[bytes]:
    cipher, aad = AESGCM(key), bytes.fromhex(digest_bytes(head))
    index = np.zeros(len(rows.codes), INDEX)
    index["code"] = [code.encode() for code in rows.codes]
    index["disputed"] = rows.disputed
    yield cipher.encrypt(_nonce(0), index.tobytes(), aad + bytes(8))
    for start in range(0, len(rows.codes), CHUNK_ROWS):
        number = start // CHUNK_ROWS + 1
        data = np.ascontiguousarray(rows.matrix[start : start + CHUNK_ROWS], DTYPE)
        yield cipher.encrypt(_nonce(number), data.tobytes(), aad + number.to_bytes(8, "big"))


def _read_header(handle: int, snapshot: str, file: str) -> tuple[Header, bytes, int]:
    fixed = os.pread(handle, len(MAGIC) + 4, 0)
    if len(fixed) < len(MAGIC) + 4 or not fixed.startswith(MAGIC):
        raise _changed()
    (length,) = struct.unpack_from("<I", fixed, len(MAGIC))
    head = os.pread(handle, min(length, 2**20), len(fixed))
    try:
        header = Header.from_body(parse_object(head))
    except SaferoomError as error:
        raise _changed() from error
    if (header.snapshot, header.file) != (snapshot, file):
        raise _changed()
    if header.rows * INDEX.itemsize > os.fstat(handle).st_size:
        raise _changed()
    return header, head, len(fixed) + length


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")  # the key is this file's alone, so a counter never repeats


def _changed() -> Tampered:
    return Tampered("CONTENT_CHANGED", "a segment")
