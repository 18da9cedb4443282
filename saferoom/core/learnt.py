"""How much was a vault taught, so that nobody can make it forget unnoticed?

A chain over the statements that it took, in order: count and head name them all. Whoever
taught keeps the last one that it saw; a vault whose chain no longer passes there has an older
truth, in which a revocation or a suspension may be missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from saferoom.canonical import Digest
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import hex_bytes

WIDTH = 32
START = hashlib.sha256(b"saferoom/learnt/1\0").digest()


@dataclass(frozen=True, kw_only=True)
class Learnt(Record):
    """A place in the chain."""

    count: int
    head: Digest

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.count >= 0, "count")
        hex_bytes(self.head, WIDTH)


class Chain:
    """All places, from the first to the last."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._heads = bytearray(START)  # 32 bytes a place: a million people take 32 MB

    def extend(self, statement: bytes) -> None:
        """Go on by one statement."""
        self._heads += hashlib.sha256(self._heads[-WIDTH:] + statement).digest()

    @property
    def latest(self) -> Learnt:
        """Return the last place."""
        return Learnt(count=len(self._heads) // WIDTH - 1, head=Digest(self._heads[-WIDTH:].hex()))

    def head(self, count: int) -> Digest | None:
        """Return the head after so many statements; None if there are fewer."""
        if not 0 <= count <= self.latest.count:
            return None
        return Digest(self._heads[count * WIDTH : (count + 1) * WIDTH].hex())
