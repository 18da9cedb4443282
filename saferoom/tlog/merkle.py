"""What is the root of an append-only list, and which hashes prove a place in it?

RFC 6962 §2.1 trees (RFC 9162 §2.1 restates them). A complete subtree of 2^level leaves is
a `Node`; everything else folds from nodes. Proofs are built over a one-method reader, so
they need O(log n) stored hashes and never the leaves. Checking stands in `proof`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()  # RFC 6962 §2.1: MTH({}) = SHA-256()


@dataclass(frozen=True)
class Node:
    """The complete subtree over leaves [index · 2^level, (index + 1) · 2^level)."""

    level: int
    index: int


class HashReader(Protocol):
    """Whoever stores the hashes of complete subtrees."""

    def read_hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the nodes' hashes, in the nodes' order."""
        ...


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 §2.1: the byte 0 keeps a leaf from passing for a node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1: the byte 1 keeps a node from passing for a leaf."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the leaves' bytes."""
    return root_of_hashes(leaf_hash(leaf) for leaf in leaves)


def root_of_hashes(hashes: Iterable[bytes]) -> bytes:
    """Return the root over hashes that stand side by side at one level."""
    return Frontier().extend(hashes).root()


@dataclass(frozen=True)
class Frontier:
    """The largest complete subtrees of a tree, left to right: all that appending needs."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def extend(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """Return the frontier with these leaves appended; one leaf costs O(log n)."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaf_hashes:
            hashes.append(leaf)
            full = size  # each trailing 1 of the old size is a subtree that this leaf completes
            while full & 1:
                right = hashes.pop()
                hashes.append(node_hash(hashes.pop(), right))
                full >>= 1
            size += 1
        return Frontier(size, tuple(hashes))

    def root(self) -> bytes:
        """Fold the subtrees from the right: the smaller one always hangs lower."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT


class MemoryReader:
    """A small tree held whole, such as one chunk's records."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels = [[leaf_hash(leaf) for leaf in leaves]]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    @property
    def size(self) -> int:
        """Count the leaves."""
        return len(self._levels[0])

    def read_hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the nodes' hashes, in the nodes' order."""
        return [self._levels[node.level][node.index] for node in nodes]


def frontier(reader: HashReader, size: int) -> Frontier:
    """Load what appending needs from stored hashes."""
    return Frontier(size, tuple(reader.read_hashes(_complete_nodes(0, size))))


def inclusion_proof(reader: HashReader, index: int, size: int) -> list[bytes]:
    """RFC 6962 §2.1.1: PATH(index, D[size]), lowest sibling first."""
    if not 0 <= index < size:
        raise IndexError("the leaf is not in the tree")
    return _read_ranges(reader, _path(index, 0, size))


def consistency_proof(reader: HashReader, old: int, new: int) -> list[bytes]:
    """RFC 6962 §2.1.2: PROOF(old, D[new]); empty for an empty or an equal tree."""
    if not 0 <= old <= new:
        raise IndexError("a log never shrinks")
    if old in (0, new):
        return []
    return _read_ranges(reader, _subproof(old, 0, new, whole=True))


def _path(index: int, low: int, high: int) -> list[tuple[int, int]]:
    if high - low == 1:
        return []
    middle = low + _split(high - low)
    if index < middle:
        return [*_path(index, low, middle), (middle, high)]
    return [*_path(index, middle, high), (low, middle)]


def _subproof(old: int, low: int, high: int, *, whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF of RFC 6962 §2.1.2; `whole` is its b: this subtree's root is known already."""
    if old == high:
        return [] if whole else [(low, high)]
    middle = low + _split(high - low)
    if old <= middle:
        return [*_subproof(old, low, middle, whole=whole), (middle, high)]
    return [*_subproof(old, middle, high, whole=False), (low, middle)]


def _read_ranges(reader: HashReader, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    parts = [_complete_nodes(low, high) for low, high in ranges]
    hashes = iter(reader.read_hashes([node for part in parts for node in part]))
    return [_fold([next(hashes) for _ in part]) for part in parts]


def _complete_nodes(low: int, high: int) -> list[Node]:
    """Cut a subtree of the recursion into complete ones, the largest first."""
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append(Node(level, low >> level))
        low += 1 << level
    return nodes


def _fold(hashes: Sequence[bytes]) -> bytes:
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count` (RFC 6962 §2.1's k)."""
    return 1 << ((count - 1).bit_length() - 1)
