"""Where does the seed of the tail's keys rest, and how is an old one destroyed?

One file, `keys/tail.key`: a day and its seed (crypto/ratchet.py). It is replaced by a later
day's as time goes on. A copy of the keys that was made before still opens the tail from its
own day on, which is what a restore needs, and nothing from before.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from saferoom.adapters.append_file import sync_folder
from saferoom.crypto.ratchet import Ratchet
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import BadInput


class TailKeyFile:
    """A context.TailKeys in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._first = _read(path)
        self._newest = self._first

    def key(self, day: int) -> bytes | None:
        """Return a day's key; None: it was destroyed."""
        with self._lock:
            if day >= self._newest.day:
                found = self._newest = self._newest.at(day) or self._newest
            else:
                earlier = self._first.at(day)
                if earlier is None:
                    return None
                found = earlier
            return found.key

    def forget_before(self, day: int) -> None:
        """Destroy the keys of earlier days, durably."""
        with self._lock:
            later = self._first.at(day)
            if later is None or later.day == self._first.day:
                return
            write_seed(self._path, later)
            self._first = later
            self._newest = max(self._newest, later, key=lambda one: one.day)


def write_seed(path: Path, seed: Ratchet) -> None:
    """Put a seed in place of an earlier one."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(f"{seed.day} {seed.seed.hex()}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def _read(path: Path) -> Ratchet:
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput("KEY_FOLDER", f"{path.name} is readable by others")
        day, _, seed = path.read_text(encoding="ascii").strip().partition(" ")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("KEY_FOLDER", f"{path.name} cannot be read") from error
    if not day.isdecimal():
        raise BadInput("KEY_FOLDER", path.name)
    return Ratchet(int(day), hex_bytes(seed, 32))
