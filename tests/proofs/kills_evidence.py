"""What is there to judge by: what people were told, what they hold, and the public files?

The log's bytes are read here by C2SP tlog-tiles and RFC 6962 anew, not by `saferoom/tlog`, so
that one mistake cannot both bend the log and excuse it. Only a receipt's own links are left
to `check_receipt`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import Trust

WIDTH = 256  # hashes in a full tile
Line = Mapping[str, Any]  # Any: JSON, as the room sent it


@dataclass(frozen=True)
class Answered:
    """One acknowledged answer to one score request; a repeat is one more."""

    request: str
    asked: float  # when it was first sent
    results: tuple[Line, ...]
    promised: tuple[str, ...]  # entry hashes


@dataclass(frozen=True)
class PublicLog:
    """The folder that is served under /log."""

    folder: Path

    @cached_property
    def newest(self) -> str:
        """Read the newest checkpoint, once."""
        return (self.folder / "checkpoint").read_text()

    @cached_property
    def size(self) -> int:
        """Count what the newest checkpoint covers."""
        return int(self.newest.split("\n")[1])

    @cached_property
    def leaves(self) -> list[bytes]:
        """Read every entry bundle."""
        leaves: list[bytes] = []
        for index in range(-(-self.size // WIDTH)):
            count = min(WIDTH, self.size - index * WIDTH)
            part = f"{index:03d}" if count == WIDTH else f"{index:03d}.p/{count}"
            data, at = (self.folder / "tile/entries" / part).read_bytes(), 0
            while at < len(data):
                end = at + 2 + int.from_bytes(data[at : at + 2], "big")
                leaves.append(data[at + 2 : end])
                at = end
        return leaves

    @cached_property
    def hashes(self) -> list[bytes]:
        """Hash each entry (RFC 6962 §2.1)."""
        return [hash_leaf(leaf) for leaf in self.leaves]

    @cached_property
    def roots(self) -> list[bytes]:
        """Compute the root of every size from 0 on: two logs agree where these do."""
        roots, stack = [hashlib.sha256(b"").digest()], list[tuple[int, bytes]]()
        for leaf in self.hashes:
            size, right = 1, leaf
            while stack and stack[-1][0] == size:
                size, right = 2 * size, hash_node(stack.pop()[1], right)
            stack.append((size, right))
            folded = stack[-1][1]
            for _, left in reversed(stack[:-1]):
                folded = hash_node(left, folded)
            roots.append(folded)
        return roots

    @cached_property
    def rows(self) -> dict[str, list[bytes]]:
        """Cut what every full tile of this log must hold."""
        rows: dict[str, list[bytes]] = {}
        _cut(rows, "entries", [len(leaf).to_bytes(2, "big") + leaf for leaf in self.leaves])
        level, row = 0, self.hashes
        while row:
            _cut(rows, str(level), row)
            full = range(0, len(row) // WIDTH * WIDTH, WIDTH)
            level, row = level + 1, [_fold(row[at : at + WIDTH]) for at in full]
        return rows

    @cached_property
    def kinds(self) -> Counter[str]:
        """Count the entries of each kind; of refusals their records, one for each line."""
        counted = Counter[str]()
        for leaf in map(json.loads, self.leaves):
            counted[leaf["kind"]] += leaf["records"]["count"] if leaf["kind"] == "refusal" else 1
        return counted


@dataclass(frozen=True)
class Evidence:
    """All of it, at the end of a story."""

    log: PublicLog
    sink: Path
    trust: bytes
    checkpoints: tuple[str, ...]  # in the order in which they were seen
    answers: tuple[Answered, ...]
    receipts: Mapping[str, bytes]
    spent: Mapping[str, int]  # by enterprise, as the ledger states it
    signed: Mapping[str, frozenset[str]]  # kind of entry → what the room acknowledged
    listed: Mapping[str, frozenset[str]]  # kind of entry → what the room lists
    revoked: Mapping[str, float] = field(default_factory=dict)  # grant → when acknowledged
    late: Mapping[str, frozenset[str]] = field(default_factory=dict)  # grant → releases after it

    @cached_property
    def opened(self) -> dict[str, dict[str, Any]]:
        """Verify each receipt by itself; say where its record stands and what it opens."""
        trust, opened = Trust.from_bytes(self.trust), dict[str, dict[str, Any]]()
        for name, data in self.receipts.items():
            seen = check_receipt(data, trust, check_papers=check_papers)
            told = json.loads(data)
            place = (seen.index, told["record_index"])
            opened[name] = {**seen.opened, "place": place, "told": told, "entry": seen.entry}
        return opened


def hash_leaf(leaf: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\0" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


def _cut(rows: dict[str, list[bytes]], level: str, row: list[bytes]) -> None:
    for index, at in enumerate(range(0, len(row), WIDTH)):
        rows[f"tile/{level}/{index:03d}"] = row[at : at + WIDTH]


def _fold(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = [hash_node(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
