"""How does a sink stand in a folder where nothing is ever written twice?

Each batch is a new file: created exclusively under the next number, without a right to write,
synced with its folder, and never opened for writing again. So it may lie on storage that
forbids changes (a write-once share, `chattr +a` on the folder). What a crash left of a batch
stays as it is: whole lines count, a torn one was never promised, and the batch comes again
under the next number. Numbers have no gaps, so a file that somebody took away is noticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

from saferoom.adapters.append_file import sync_folder
from saferoom.adapters.sink_lines import entry_lines, read_line
from saferoom.errors import Tampered, Unavailable

FILES_PER_FOLDER = 1_000
ENTRIES = "entries"


class WriteOnceSink:
    """A mandatory sink (ports.Sink, ports.Tail) in a folder."""

    def __init__(self, folder: Path, name: str = "folder") -> None:
        self.name = name  # for /readyz
        self._folder = folder
        self._next: dict[str, int] = {}
        self._lock = Lock()

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Store (entry id, leaf bytes) durably; without any, ask whether it could be done."""
        self._write(ENTRIES, entry_lines(entries))

    def keep(self, kind: str, lines: Sequence[bytes]) -> None:
        """Store lines of the tail durably."""
        self._write(kind, b"".join(line + b"\n" for line in lines))

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Yield what stands in the folder, oldest first."""
        return map(read_line, self._lines(ENTRIES))

    def newest(self, most: int) -> list[str]:
        """Return the ids of the newest entries."""
        found: list[str] = []
        for number in range(self._count(ENTRIES) - 1, -1, -1):
            found = [read_line(line)[0] for line in _whole(self._path(ENTRIES, number))] + found
            if len(found) >= most:
                break
        return found[-most:]

    def kept(self, kind: str) -> Iterator[bytes]:
        """Yield the lines of the tail, oldest first."""
        return self._lines(kind)

    def last(self, kind: str) -> bytes | None:
        """Return the last line of the tail; a file without a whole one is passed over."""
        for number in range(self._count(kind) - 1, -1, -1):
            if lines := _whole(self._path(kind, number)):
                return lines[-1]
        return None

    def close(self) -> None:
        """Nothing is held open."""

    def _write(self, kind: str, data: bytes) -> None:
        with self._lock:
            try:
                self._write_next(kind, data)
            except (OSError, Tampered) as error:
                raise Unavailable("SINK_UNAVAILABLE", self.name) from error

    def _write_next(self, kind: str, data: bytes) -> None:
        known = self._next.get(kind)
        number = self._count(kind) if known is None else known
        if known and not self._path(kind, known - 1).exists():
            raise OSError("the sink lost what it had acknowledged")
        if not data:
            self._folder.stat()
            return
        while (descriptor := _create(self._path(kind, number))) is None:
            number += 1  # another program of the room took this one
        self._next[kind] = number + 1  # whatever becomes of this file, its name is used up
        path = self._path(kind, number)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for folder in (path.parent, path.parent.parent, self._folder):
            sync_folder(folder)

    def _lines(self, kind: str) -> Iterator[bytes]:
        for number in range(self._count(kind)):
            yield from _whole(self._path(kind, number))

    def _count(self, kind: str) -> int:
        """Count the files, which are numbered without gaps; a gap is somebody's deed."""
        names = sorted(path.name for path in self._folder.glob(f"{kind}/*/*"))
        if names != [_name(number) for number in range(len(names))]:
            raise Tampered("CONTENT_CHANGED", "a file of a write-once sink is missing")
        return len(names)

    def _path(self, kind: str, number: int) -> Path:
        return self._folder / kind / _name(number // FILES_PER_FOLDER) / _name(number)


def _create(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    except FileExistsError:
        return None


def _name(number: int) -> str:
    return f"{number:012d}"


def _whole(path: Path) -> list[bytes]:
    return [line[:-1] for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
