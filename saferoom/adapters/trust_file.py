"""What does the home's trust file say now, if somebody put a newer one in its place?

Its stamp is looked at each time, its signatures are checked once for each stamp.
"""

from __future__ import annotations

from pathlib import Path

from saferoom.core.trust import Trust

_Stamp = tuple[int, int, int]


class TrustFile:
    """Reads HOME/trust.json again where it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: tuple[_Stamp, Trust] | None = None

    def __call__(self) -> Trust:
        """Return it; what is unsigned or not read strictly is refused."""
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._held is None or self._held[0] != stamp:
            self._held = (stamp, Trust.from_bytes(self._path.read_bytes()))
        return self._held[1]
