"""May this checkpoint be cosigned, and is that remembered before anyone hears of it?

One request at a time: what was seen is read, compared and replaced under one lock, so that
no two requests can pass each other (C2SP tlog-witness, the race at its end). The order is
judge, store, sign, answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from saferoom.errors import BadInput
from saferoom.tlog.checkpoint import (
    MOST_SIGNATURES,
    Checkpoint,
    Note,
    NoteKey,
    SignatureLine,
    cosign_checkpoint,
)
from saferoom.witness.home import WitnessHome
from saferoom.witness.requests import (
    FORKED,
    UNKNOWN_LOG,
    UNREADABLE,
    Answer,
    Asked,
    judge,
    read_request,
)


@dataclass
class Witness:
    """One organisation's memory of the logs that it watches."""

    home: WitnessHome
    clock: Callable[[], datetime]
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def add_checkpoint(self, data: bytes) -> Answer:
        """Answer `add-checkpoint`; a cosignature only of what is stored."""
        try:
            asked = read_request(data)
        except BadInput:
            return UNREADABLE
        keys = self.home.logs().get(asked.note.checkpoint.origin)
        if keys is None:
            return UNKNOWN_LOG
        with self._lock:
            seen = self.home.last(asked.note.checkpoint.origin)
            refused = judge(asked, keys, None if seen is None else seen.checkpoint)
            if refused is None:
                self.home.keep(asked.note)
                return Answer(200, self._cosign(asked.note.checkpoint).text())
            self._accuse(asked, seen, refused)
            return refused

    def checkpoint(self, name: str) -> Answer:
        """Show monitors what was cosigned last of a log, named by its origin's SHA-256."""
        with self._lock:
            for origin in self.home.logs():
                if hashlib.sha256(origin.encode()).hexdigest() == name:
                    seen = self.home.last(origin)
                    if seen is not None:
                        mark = self._cosign(seen.checkpoint)
                        own = self.home.logs()[origin]
                        kept = [line for line in seen.signatures if _signed_by(line, own)]
                        lines = (*kept[: MOST_SIGNATURES - 1], mark)
                        return Answer(200, Note(seen.checkpoint, lines).text())
        return UNKNOWN_LOG

    def _cosign(self, checkpoint: Checkpoint) -> SignatureLine:
        now = int(self.clock().timestamp())
        return cosign_checkpoint(checkpoint, self.home.name, self.home.key, now)

    def _accuse(self, asked: Asked, seen: Note | None, refused: Answer) -> None:
        """Keep what the log signed twice for one size, or against its own past."""
        new = asked.note.checkpoint
        same_size = seen is not None and seen.checkpoint.size == new.size
        differs = same_size and seen is not None and seen.checkpoint.root != new.root
        if refused is FORKED or (refused.status == 409 and differs):
            self.home.accuse(asked.note)


def _signed_by(line: SignatureLine, keys: Sequence[NoteKey]) -> bool:
    """Say whether a line is under a key of the log: others' lines were never checked here."""
    return any((line.name, line.hint) == (key.name, key.hint) for key in keys)
