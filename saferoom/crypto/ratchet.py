"""How can a key of each day be had later, and one of an earlier day never again?

A chain of seeds: each day's seed is a hash of the day before's, and each day's key is another
hash of its seed. Whoever holds one seed has that day's key and all later ones; destroying the
earlier seeds destroys the earlier keys, for whoever has no older copy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from saferoom.errors import BadInput

MOST_DAYS = 40_000  # a hundred years at once; more is a broken clock


@dataclass(frozen=True, repr=False)
class Ratchet:
    """The seed of one day, counted as `date.toordinal` does; never printed."""

    day: int
    seed: bytes

    def at(self, day: int) -> Ratchet | None:
        """Go on to a day; None where it lies behind."""
        if day < self.day:
            return None
        if day - self.day > MOST_DAYS:
            raise BadInput("FIELD_INVALID", "a day a century from now")
        seed = self.seed
        for _ in range(day - self.day):
            seed = _hash(b"next", seed)
        return Ratchet(day, seed)

    @property
    def key(self) -> bytes:
        """Return this day's key."""
        return _hash(b"key", self.seed)


def _hash(use: bytes, seed: bytes) -> bytes:
    return hashlib.sha256(b"saferoom/ratchet/1\0" + use + b"\0" + seed).digest()
