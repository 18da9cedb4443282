"""What does the vault remember of what it was taught?

A journal of verified statements, one frame and one sync for a lesson of many. At a start
all of it is verified again, so a changed journal teaches nothing. A lesson is taken up to
its first refused statement; sent again, what is known is skipped. A journal that was cut short
verifies too: so whoever taught can ask for any place of its chain (`core/learnt.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from saferoom.canonical import Digest
from saferoom.core.enrolment import Enrolment
from saferoom.core.learnt import Chain, Learnt
from saferoom.crypto.signing import Statement, VerifyKey
from saferoom.errors import SaferoomError, Tampered
from saferoom.vault.durable import AppendLog
from saferoom.vault.roster import Roster

MOST_AT_ONCE = 2_000


class Memory:
    """The roster and its journal."""

    def __init__(self, path: Path, founders: Sequence[Enrolment], own: VerifyKey) -> None:
        """Read the journal again from its beginning; `own` is this vault's answer key."""
        self._lock = threading.RLock()
        self._founders, self._own = founders, own
        self._log = AppendLog(path)
        self._roster, self._chain = self._replay()

    def learn(self, statements: Sequence[Statement]) -> int:
        """Verify and keep; durable when this returns."""
        with self._lock:
            new: list[bytes] = []
            try:
                new.extend(one.to_bytes() for one in statements if self._roster.learn(one))
            finally:
                self._keep(new)
            return len(new)

    def recall(self, count: int) -> tuple[Learnt, Digest | None]:
        """Return the last place of the chain, and the head after so many statements."""
        with self._lock:
            return self._chain.latest, self._chain.head(count)

    @contextmanager
    def roster(self) -> Iterator[Roster]:
        """Look at a state in which nothing moves."""
        with self._lock:
            yield self._roster

    def _keep(self, new: Sequence[bytes]) -> None:
        if not new:
            return
        try:
            self._log.append(new)
        except OSError:
            self._roster, self._chain = self._replay()  # what is not durable was not learnt
            raise
        for statement in new:
            self._chain.extend(statement)

    def _replay(self) -> tuple[Roster, Chain]:
        roster, chain = Roster(self._founders, self._own), Chain()
        try:
            for record in self._log.records():
                roster.learn(Statement.from_bytes(record))
                chain.extend(record)
        except SaferoomError as error:
            raise Tampered("CONTENT_CHANGED", "the vault's journal of statements") from error
        return roster, chain

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()
