"""When is something written, and what does a crash leave behind?

A whole file is replaced by write, fsync, rename. A log grows by frames, each synced before
the call returns: `u32 length | 16 bytes of SHA-256 of the payload | 16 bytes of SHA-256 of the
frame before's and of these | payload`, and a payload is a sequence of `u32 length | record`. A
frame that a crash tore is the last one: it was never acknowledged and is cut off. A broken frame
with others behind it, or a whole one that does not follow the one before, is no crash's work,
so we stop.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from saferoom.errors import Tampered

_HEAD = struct.Struct("<I16s16s")
_FIRST = bytes(16)
_CLOSED = -1
SYNCED_TOGETHER = 16


def write_file(path: Path, data: bytes) -> None:
    """Replace a file so that readers and crashes see the old or the new one, whole."""
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Sequence[Path]) -> None:
    """Make many durable, side by side: a disk takes them together."""
    with ThreadPoolExecutor(SYNCED_TOGETHER) as pool:
        for _ in pool.map(sync, paths):
            pass


class AppendLog:
    """Records that are never changed."""

    def __init__(self, path: Path) -> None:
        """Open or create; cut off a torn tail."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o600)
        self._path = path
        sync(path.parent)
        self._chained, whole = _FIRST, 0
        for payload in read_frames(self._path):
            self._chained = _chain(self._chained, _check_sum(payload))
            whole += _HEAD.size + len(payload)
        if whole < os.fstat(self._handle).st_size:
            os.ftruncate(self._handle, whole)
            os.fsync(self._handle)

    def append(self, records: Sequence[bytes]) -> None:
        """Write records as one frame; they are durable when this returns."""
        payload = b"".join(struct.pack("<I", len(record)) + record for record in records)
        check = _check_sum(payload)
        chained = _chain(self._chained, check)
        frame = memoryview(_HEAD.pack(len(payload), check, chained) + payload)
        before = os.fstat(self._handle).st_size
        try:
            while frame:
                frame = frame[os.write(self._handle, frame) :]
            os.fdatasync(self._handle)
        except OSError:
            os.ftruncate(self._handle, before)  # a full disk: leave no half of a frame
            raise
        self._chained = chained

    def records(self) -> Iterator[bytes]:
        """Read every record from the beginning."""
        for payload in read_frames(self._path):
            yield from _split(payload)

    def close(self) -> None:
        """Let go of the file; its number may be another file's from now on."""
        handle, self._handle = self._handle, _CLOSED
        os.close(handle)


def read_frames(path: Path) -> Iterator[bytes]:
    """Read every whole frame of a log, and change nothing."""
    before = _FIRST
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while (start := file.tell()) + _HEAD.size <= size:
            length, check, chained = _HEAD.unpack(file.read(_HEAD.size))
            end = start + _HEAD.size + length
            payload = file.read(length) if end <= size else b""
            if end > size or (_check_sum(payload) != check and end == size):
                return
            before = _chain(before, check)
            if _check_sum(payload) != check or chained != before:
                raise Tampered("CONTENT_CHANGED", "a journal of the vault")
            yield payload


def _check_sum(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()[:16]


def _chain(before: bytes, check: bytes) -> bytes:
    return _check_sum(before + check)


def _split(payload: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(payload):
        (length,) = struct.unpack_from("<I", payload, at)
        yield payload[at + 4 : at + 4 + length]
        at += 4 + length
