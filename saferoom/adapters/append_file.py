"""How is a file only ever appended to, so that what was acknowledged is never lost?

One sync a batch. A write that failed is cut away again, and so is a torn last line that a crash
left, which nobody was promised. A file that is shorter than what it acknowledged stays
unavailable. Several programs may append to one file: a lock lets one write at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

_BLOCK = 64 * 1024


class AppendFile:
    """Lines in one file; a fault is an OSError, and the next append heals it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._acknowledged = 0  # bytes, since we began
        self._lock = Lock()

    def append(self, lines: bytes) -> None:
        """Write durably; return only when they are."""
        with self._lock:
            try:
                self._append(lines)
            except OSError:
                self._close()
                raise

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines, oldest first."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))

    def last_lines(self, most: int) -> list[bytes]:
        """Return the last whole lines, without reading the file from its start."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            start = size = file.seek(0, os.SEEK_END)
            data = b""
            while start > 0 and data.count(b"\n") <= most:
                start = max(0, start - _BLOCK)
                file.seek(start)
                data = file.read(size - start)
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)
        return lines[-most:] if start == 0 else lines[1:][-most:]

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._close()

    def _append(self, lines: bytes) -> None:
        if self._file is None:
            self._file = self._open()
            sync_folder(self._path.parent)
        fcntl.flock(self._file, fcntl.LOCK_EX)  # the API and a worker apart append to one file
        try:
            start = _end(self._file, self._acknowledged)
            _write(self._file, lines, start)
            self._acknowledged = start + len(lines)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _end(file: int, acknowledged: int) -> int:
    """Find where to go on: behind the last whole line, which may be another program's."""
    stat = os.fstat(file)
    if stat.st_size == acknowledged and stat.st_nlink:
        return acknowledged
    end = _end_of_last_line(file, stat.st_size)
    if end < acknowledged or not stat.st_nlink:
        raise OSError("the sink lost what it had acknowledged")
    if end < stat.st_size:
        os.ftruncate(file, end)
        os.fsync(file)
    return end


def _write(file: int, lines: bytes, start: int) -> None:
    done = 0
    try:
        while done < len(lines):
            done += os.pwrite(file, lines[done:], start + done)
        os.fdatasync(file)
    except OSError:
        with suppress(OSError):  # what stays is whole lines twice, and a torn one that is cut
            os.ftruncate(file, start)
        raise


def _end_of_last_line(file: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as its files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
