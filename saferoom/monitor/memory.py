"""What did this log sign when we, or whoever handed us a receipt, last looked?

The monitor's own durable memory: sizes and roots, and nothing else. Whoever deletes it makes
the monitor believe the next checkpoint that it sees.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import BadInput
from saferoom.tlog.checkpoint import Checkpoint

KIND = "saferoom/monitor/1"
MOST = 4_096  # of the oldest every second one goes


def remember(
    path: Path | None, origin: str, closed: str | None = None
) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Read what was seen of this log, and of the closed one before it; nothing at first."""
    if path is None or not path.exists():
        return {}, {}
    body = parse_object(path.read_bytes())
    seen = body.get("seen")
    named = body.get("origin")
    if body.get("kind") != KIND or named not in {origin, closed} or not isinstance(seen, dict):
        raise BadInput("FIELD_INVALID", "the monitor's memory, or of another log")
    read = {int(size): hex_bytes(root, 32) for size, root in seen.items()}
    return (read, {}) if named == origin else ({}, read)


def keep(path: Path | None, origin: str, seen: dict[int, bytes]) -> None:
    """Write it, durably."""
    if path is None:
        return
    kept = _thin(sorted(seen))
    roots: dict[str, Json] = {str(size): seen[size].hex() for size in kept}
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(canonical_bytes({"kind": KIND, "origin": origin, "seen": roots}))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def conflicts(seen: dict[int, bytes], others: Iterable[Checkpoint]) -> list[int]:
    """Add others' checkpoints; return the sizes for which two roots were signed."""
    return [one.size for one in others if seen.setdefault(one.size, one.root) != one.root]


def _thin(sizes: list[int]) -> list[int]:
    while len(sizes) > MOST:
        half = len(sizes) // 2
        sizes = [*sizes[:half:2], *sizes[half:]]
    return sizes
