"""How is one entry of the log written in a sink, whatever the sink is?"""

from __future__ import annotations

import json
from collections.abc import Sequence

from saferoom.canonical import canonical_bytes
from saferoom.errors import Tampered


def entry_line(entry: str, leaf: bytes) -> bytes:
    """Write one entry, without the newline."""
    return canonical_bytes({"id": entry, "leaf": leaf.hex()})


def entry_lines(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """Write entries, a line each."""
    return b"".join(entry_line(entry, leaf) + b"\n" for entry, leaf in entries)


def read_line(line: bytes) -> tuple[str, bytes]:
    """Read an entry; a collector's own words before it are passed over."""
    try:
        value = json.loads(line[max(0, line.find(b'{"id"')) :])
        return str(value["id"]), bytes.fromhex(value["leaf"])
    except (ValueError, KeyError, TypeError) as error:
        raise Tampered("CONTENT_CHANGED", "a line of a sink") from error
