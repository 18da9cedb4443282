"""How is a short text marked under a key, a million times?

HMAC-SHA-256 (RFC 2104), for keys of at most one block: the two blocks that the key fills are hashed
once, and each mark goes on from there. `hmac.digest` hashes them anew and looks its hash up by
name, which takes more than twice as long.
"""

from __future__ import annotations

import hashlib

BLOCK = 64
_INNER, _OUTER = (
    bytes(byte ^ 0x36 for byte in range(256)),
    bytes(byte ^ 0x5C for byte in range(256)),
)


class Marker:
    """Marks under one key."""

    def __init__(self, key: bytes) -> None:
        assert len(key) <= BLOCK
        block = key.ljust(BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def mark(self, text: bytes) -> bytes:
        """Mark a text."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.digest()
