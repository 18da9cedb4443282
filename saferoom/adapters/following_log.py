"""What if another program of the room published the log's newest checkpoint?

`LogFiles` keeps the growing end in memory. The API may only read while a worker of its own
writes, and a sequencer may take over from another: so before each use the checkpoint's
file is looked at, and where it is not the one we know the folder is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import RLock

from saferoom.adapters.log_files import LogFiles
from saferoom.crypto.signing import NoteSigner


class FollowingLog:
    """A context.LogFiles that threads and programs may share."""

    def __init__(self, folder: Path, origin: str, keys: Sequence[NoteSigner]) -> None:
        self._folder, self._origin, self._keys = folder, origin, tuple(keys)
        self._lock = RLock()
        self._seen = self._look()
        self._log = LogFiles(folder, origin, keys)

    @property
    def size(self) -> int:
        """Count the entries that the published checkpoint covers."""
        with self._lock:
            return self._current().size

    def checkpoint(self) -> str:
        """Return the newest published note."""
        with self._lock:
            return self._current().checkpoint()

    def extend(self, first: int, leaves: Sequence[bytes]) -> str:
        """Append and publish; one sequencer at a time, by its lease."""
        with self._lock:
            note = self._current().extend(first, leaves)
            self._seen = self._look()
            return note

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove a leaf to the root of a published size; tiles never change, so no lock."""
        return self._log.inclusion(index, size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of one published size grew into that of another; no lock either."""
        return self._log.consistency(old, new)

    def root_with(self, leaves: Sequence[bytes]) -> bytes:
        """Return the root that the published log would have with these behind it."""
        with self._lock:
            return self._current().root_with(leaves)

    def entries(self, first: int) -> Iterable[bytes]:
        """Yield the published leaves from an index on."""
        with self._lock:
            current = self._current()
        return current.entries(first)

    def cosigned(self) -> str | None:
        """Return the newest note that a quorum of witnesses cosigned."""
        return self._log.cosigned()

    def keep_cosigned(self, note: str) -> None:
        """Publish such a note."""
        with self._lock:
            self._log.keep_cosigned(note)

    def stamped(self) -> bytes | None:
        """Return the newest stamped checkpoint."""
        return self._log.stamped()

    def keep_stamped(self, data: bytes) -> None:
        """Publish a stamped checkpoint."""
        with self._lock:
            self._log.keep_stamped(data)

    def _current(self) -> LogFiles:
        seen = self._look()
        if seen != self._seen:
            self._log = LogFiles(self._folder, self._origin, self._keys)
            self._seen = seen
        return self._log

    def _look(self) -> tuple[int, int, int] | None:
        """Tell one published checkpoint from the next: each is a new file."""
        try:
            stat = (self._folder / "checkpoint").stat()
        except FileNotFoundError:
            return None
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size)
