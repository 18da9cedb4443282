"""Does this proof really lead from the leaf, or from the old root, to the root?

The checks of RFC 9162 §2.1.3.2 and §2.1.4.2 (the trees are RFC 6962's). They read nothing
but their arguments, so whoever holds a checkpoint needs no one's word.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from saferoom.errors import Tampered
from saferoom.tlog.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

LONGEST_PROOF = 64


def check_inclusion(
    *, index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Refuse unless the leaf is at `index` of the tree with this size and root."""
    _check_shape(proof)
    if not 0 <= index < size:  # §2.1.3.2 step 1
        raise Tampered("PROOF_INVALID", "the leaf's index is outside the tree")
    place, last, computed = index, size - 1, leaf_hash  # steps 2 and 3
    for sibling in proof:  # step 4
        if last == 0:
            raise Tampered("PROOF_INVALID", "the path is too long")
        if place & 1 or place == last:
            computed = node_hash(sibling, computed)
            place, last = _skip_missing_levels(place, last)
        else:
            computed = node_hash(computed, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or not hmac.compare_digest(computed, root):  # step 5
        raise Tampered("PROOF_INVALID")


def check_consistency(
    *, old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Refuse unless the new tree only appended to the old one."""
    _check_shape(proof)
    if not 0 <= old_size <= new_size:
        raise Tampered("CONSISTENCY", "the newer log is shorter")
    if old_size in (0, new_size):
        expected = new_root if old_size else EMPTY_ROOT
        if proof or not hmac.compare_digest(old_root, expected):
            raise Tampered("CONSISTENCY")
        return
    old, new = _fold_both(old_size, new_size, old_root, proof)
    if not (hmac.compare_digest(old, old_root) and hmac.compare_digest(new, new_root)):
        raise Tampered("CONSISTENCY")  # §2.1.4.2 step 7


def _fold_both(
    old_size: int, new_size: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """RFC 9162 §2.1.4.2, steps 1 to 6: the old and the new root that the path gives."""
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # step 2: the old root is itself a node of the new tree
        path.insert(0, old_root)
    if not path:  # step 1
        raise Tampered("CONSISTENCY", "the proof is empty")
    place, last = old_size - 1, new_size - 1  # step 3
    while place & 1:  # step 4
        place, last = place >> 1, last >> 1
    old = new = path[0]  # step 5
    for sibling in path[1:]:  # step 6
        if last == 0:
            raise Tampered("CONSISTENCY", "the proof is too long")
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            place, last = _skip_missing_levels(place, last)
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise Tampered("CONSISTENCY", "the proof is too short")
    return old, new


def _skip_missing_levels(place: int, last: int) -> tuple[int, int]:
    """On the right edge a node has no sibling at some levels (the inner loop of both steps)."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _check_shape(proof: Sequence[bytes]) -> None:
    if len(proof) > LONGEST_PROOF or any(len(step) != HASH_BYTES for step in proof):
        raise Tampered("PROOF_INVALID", "a proof is at most 64 hashes")
