"""How does a public leaf bind a personal value without saying it?

A commitment is SHA-256 over a context, a fresh 256-bit nonce and the value's canonical
bytes. Binding: no second value fits. Hiding: without the nonce, trying every value finds
nothing. So a nonce is used once and never derived; who destroys it shreds the value.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from saferoom.canonical import Json, canonical_bytes
from saferoom.errors import Tampered

CONTEXT = b"saferoom-commitment-v1\0"
NONCE_BYTES = 32


@dataclass(frozen=True)
class Opening:
    """What shows a commitment's value; kept outside the tree, under the subject's key."""

    nonce: bytes
    value: Json


def commit(value: Json, random_bytes: Callable[[int], bytes]) -> tuple[str, Opening]:
    """Commit to one value under a nonce of its own."""
    opening = Opening(random_bytes(NONCE_BYTES), value)
    return commitment(opening), opening


def commitment(opening: Opening) -> str:
    """Return the commitment that this opening opens, in hexadecimal."""
    data = CONTEXT + opening.nonce + canonical_bytes(opening.value)
    return hashlib.sha256(data).hexdigest()


def check_opening(committed: str, opening: Opening) -> None:
    """Refuse an opening that does not open this commitment."""
    # The nonce's fixed length keeps nonce and value from trading bytes.
    if len(opening.nonce) != NONCE_BYTES:
        raise Tampered("PROOF_INVALID", "a nonce has 32 bytes")
    if not hmac.compare_digest(commitment(opening), committed):
        raise Tampered("PROOF_INVALID", "an opening does not fit its commitment")
