"""Whom did the vault erase, by which order, and what did it certify?

An erasure is journalled before it begins: a vault that dies in its middle goes on with it at the
next start, before it answers anybody. The journal holds the enterprise's keyed mark and the
digest of the order, never its code; the marks are the tombstones. An order that was obeyed
gets the same certificate for ever, but where the vault forgot it: a restored one erases again and
certifies that.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from saferoom.canonical import Digest, canonical_bytes, parse_object
from saferoom.core.moment import read_instant, write_instant
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Tampered
from saferoom.vault.durable import AppendLog


@dataclass(frozen=True)
class Erasure:
    """One that was ordered."""

    order: Digest
    mark: bytes
    at: datetime
    again: datetime | None = None  # when a restored vault did it once more


class Erasures:
    """The journal."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        self._lock = threading.Lock()
        self._log = AppendLog(path)
        self._begun: dict[Digest, Erasure] = {}
        self._certified: dict[Digest, Statement] = {}
        for record in self._log.records():
            self._read(record)

    @property
    def marks(self) -> dict[bytes, datetime]:
        """Return whose records do not come back, and until when they were known."""
        ordered = sorted(self._begun.values(), key=lambda one: one.at)
        return {one.mark: one.at for one in ordered}  # of several the last

    @property
    def pending(self) -> list[Erasure]:
        """Return those in whose middle the vault died."""
        return [one for order, one in self._begun.items() if order not in self._certified]

    def certificate(self, order: Digest) -> Statement | None:
        """Return what was certified; None if it was not obeyed yet."""
        return self._certified.get(order)

    def begun(self, order: Digest) -> Erasure | None:
        """Return what was promised of an order, finished or not."""
        return self._begun.get(order)

    def begin(self, erasure: Erasure) -> None:
        """Promise it; durable when this returns."""
        body = {"order": erasure.order, "mark": erasure.mark.hex(), "at": write_instant(erasure.at)}
        if erasure.again is not None:
            body["again"] = write_instant(erasure.again)
        with self._lock:
            self._log.append([canonical_bytes(body)])
            self._begun[erasure.order] = erasure

    def finish(self, order: Digest, certificate: Statement) -> None:
        """Keep what was certified."""
        body = {"order": order, "certificate": certificate.to_json()}
        with self._lock:
            self._log.append([canonical_bytes(body)])
            self._certified[order] = certificate

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _read(self, record: bytes) -> None:
        match parse_object(record):
            case {"order": str(order), "mark": mark, "at": at, **more}:
                again = read_instant(more["again"]) if "again" in more else None
                digest = Digest(order)
                self._begun[digest] = Erasure(digest, hex_bytes(mark, 32), read_instant(at), again)
            case {"order": str(order), "certificate": certificate}:
                self._certified[Digest(order)] = Statement.from_json(certificate)
            case _:
                raise Tampered("CONTENT_CHANGED", "the vault's journal of erasures")
