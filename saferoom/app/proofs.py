"""What has this process proved from signed bytes already?

Only what follows from the bytes themselves, so nothing here grows stale: a signature that
held over them holds for ever. What counts now (states, periods, replaced keys, suspensions)
is never remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from saferoom.canonical import Digest
from saferoom.core.approval import CastVote
from saferoom.core.enrolment import Enrolment
from saferoom.core.grant_text import GrantTemplate

MOST = 10_000


@dataclass(frozen=True)
class Proofs:
    """Enrolments by their statement's bytes, chains of votes by what they are of."""

    enrolments: dict[bytes, Enrolment] = field(default_factory=dict)
    votes: dict[object, tuple[CastVote, ...]] = field(default_factory=dict)
    templates: dict[Digest, GrantTemplate] = field(default_factory=dict)  # approved; there are few

    def make_place(self) -> None:
        """Forget everything when there is too much: it can be proved again."""
        for known in (self.enrolments, self.votes):
            if len(known) >= MOST:
                known.clear()
