"""Where do archives rest, and their keys apart from them?

`HOME/archive/NAME.json` may be copied anywhere: it is sealed and signed. Its key stands alone
in `HOME/keys/archive/NAME.key`, written first, so that no archive is ever without one, and is
what is destroyed. A copy of the keys that somebody else keeps must be destroyed there too.
"""

from __future__ import annotations

import os
from pathlib import Path

from saferoom.adapters.append_file import sync_folder
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Tampered, Unavailable


class ArchiveFolder:
    """A context.Archives in two folders."""

    def __init__(self, files: Path, keys: Path) -> None:
        self._files, self._keys = files, keys

    def names(self) -> list[str]:
        """List the archives, oldest first."""
        return sorted(path.stem for path in self._files.glob("*.json"))

    def put(self, name: str, data: bytes, key: bytes) -> None:
        """Store an archive and its key durably; what a crash left of it is replaced."""
        try:
            self._files.mkdir(mode=0o700, exist_ok=True)
            self._keys.mkdir(mode=0o700, exist_ok=True)
            _put(self._key(name), key.hex().encode())
            _put(self._file(name), data)
        except OSError as error:
            raise Unavailable("SINK_UNAVAILABLE", "the archive's folder") from error

    def read(self, name: str) -> bytes:
        """Read an archive."""
        try:
            return self._file(name).read_bytes()
        except OSError as error:
            raise Tampered("CONTENT_CHANGED", "an archive is missing") from error

    def key(self, name: str) -> bytes | None:
        """Return an archive's key; None: it was destroyed."""
        try:
            return hex_bytes(self._key(name).read_text(encoding="ascii"), 32)
        except FileNotFoundError:
            return None

    def destroy(self, name: str) -> bool:
        """Destroy an archive's key durably; False: it was destroyed before."""
        try:
            self._key(name).unlink()
        except FileNotFoundError:
            return False
        sync_folder(self._keys)
        return True

    def _file(self, name: str) -> Path:
        return self._files / f"{name}.json"

    def _key(self, name: str) -> Path:
        return self._keys / f"{name}.key"


def _put(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)
