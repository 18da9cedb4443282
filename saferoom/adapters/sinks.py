"""Where else must an entry stand before its answer is shown?

The file sink appends one JSON line per entry and syncs once a batch. It is the tail that a
restore finds beyond a backup, so it never loses what it acknowledged and never acknowledges
what it may lose: after any fault it cuts back to the last acknowledged byte before it goes
on. An entry may stand twice after a retry; its id tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

from saferoom.canonical import canonical_bytes
from saferoom.errors import Tampered, Unavailable

_BLOCK = 64 * 1024


class FileSink:
    """A mandatory sink (ports.Sink) in one append-only file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._acknowledged: int | None = None  # bytes; None until the file was first opened
        self._lock = Lock()

    @property
    def name(self) -> str:
        """Name the sink for /readyz."""
        return "file"

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Store (entry id, leaf bytes) durably; return only when they are."""
        lines = b"".join(
            canonical_bytes({"id": entry, "leaf": leaf.hex()}) + b"\n" for entry, leaf in entries
        )
        with self._lock:
            try:
                self._append(lines)
            except OSError as error:
                self._close()
                raise Unavailable("SINK_UNAVAILABLE", self.name) from error

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Yield what stands in the file, oldest first; a torn last line was never promised."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield _read_line(line)

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._close()

    def _append(self, lines: bytes) -> None:
        if self._file is None:
            self._file = self._open()
            self._acknowledged = _repair(self._file, self._acknowledged)
            _sync_folder(self._path.parent)
        start = self._acknowledged or 0
        done = 0
        while done < len(lines):
            done += os.pwrite(self._file, lines[done:], start + done)
        os.fdatasync(self._file)
        self._acknowledged = start + len(lines)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _repair(file: int, acknowledged: int | None) -> int:
    """Cut what was never acknowledged: our own failed write, or a torn last line."""
    size = os.fstat(file).st_size
    end = _end_of_last_line(file, size) if acknowledged is None else acknowledged
    if size < end:
        raise OSError("the sink lost what it had acknowledged")
    os.ftruncate(file, end)
    os.fsync(file)
    return end


def _end_of_last_line(file: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    """Make the file's name as durable as its lines."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_line(line: bytes) -> tuple[str, bytes]:
    try:
        value = json.loads(line)
        return str(value["id"]), bytes.fromhex(value["leaf"])
    except (ValueError, KeyError, TypeError) as error:
        raise Tampered("CONTENT_CHANGED", "a line of the file sink") from error
