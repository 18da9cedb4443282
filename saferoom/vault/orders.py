"""What came of this order when it was obeyed before?

What an obeyed order gave is journalled, so the same order again has no second effect: whoever
lost the answer gets it, whoever kept the paper gets no more. The very paper that was obeyed, body
and signatures, gets it also when it is no longer fresh. An order that failed, or in whose
middle the vault died, may be brought again while it is fresh.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.enrolment import SOON
from saferoom.core.moment import read_instant, write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import Tampered
from saferoom.vault.durable import AppendLog

KEPT = 2 * SOON  # longer than an order that was obeyed can be fresh


@dataclass(frozen=True)
class _Done:
    at: datetime
    paper: Digest  # of the statement, signatures and all
    result: dict[str, Json]


class Orders:
    """The journal of obeyed orders."""

    def __init__(self, path: Path, now: datetime) -> None:
        """Read it; one in which nothing can be fresh any more starts anew."""
        self._lock = threading.Lock()
        self._log = AppendLog(path)
        self._done = dict(_read(record) for record in self._log.records())
        if self._done and not self._kept(now):
            self._log.close()
            path.unlink()
            self._log, self._done = AppendLog(path), {}

    def replay(self, statement: Statement) -> dict[str, Json] | None:
        """Return what this very paper gave; its signatures were checked then."""
        with self._lock:
            found = self._done.get(statement.digest)
            if found is None or found.paper != digest_bytes(statement.to_bytes()):
                return None
            return found.result

    def done(self, order: Digest) -> dict[str, Json] | None:
        """Return what it gave; None if it was not obeyed yet."""
        with self._lock:
            found = self._done.get(order)
            return None if found is None else found.result

    def finish(
        self, statement: Statement, result: dict[str, Json], now: datetime
    ) -> dict[str, Json]:
        """Remember what it gave; durable when this returns."""
        order, paper = statement.digest, digest_bytes(statement.to_bytes())
        body: dict[str, Json] = {"order": order, "paper": paper, "result": result}
        with self._lock:
            self._log.append([canonical_bytes({**body, "at": write_instant(now)})])
            self._done = {**self._kept(now), order: _Done(now, paper, result)}
        return result

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _kept(self, now: datetime) -> dict[Digest, _Done]:
        return {order: done for order, done in self._done.items() if abs(now - done.at) <= KEPT}


def _read(record: bytes) -> tuple[Digest, _Done]:
    match parse_object(record):
        case {"order": str(order), "paper": str(paper), "at": at, "result": dict(result)}:
            return Digest(order), _Done(read_instant(at), Digest(paper), result)
        case _:
            raise Tampered("CONTENT_CHANGED", "the vault's journal of orders")
