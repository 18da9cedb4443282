"""Is anybody running this home already?"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saferoom.errors import Conflict


@contextmanager
def only_one(home: Path, program: str) -> Iterator[None]:
    """Hold the home for one program of a kind; the kernel lets go when it dies."""
    folder = home / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / f"{program}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("HOME_BUSY", program) from error
        yield
    finally:
        os.close(lock)
