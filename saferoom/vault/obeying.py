"""How is one order obeyed at a time, and each of them once?

Orders wait for nobody: whoever comes while another is obeyed is told to come back. The very paper
that was obeyed gets what it gave, whatever its age and whoever brings it: nothing is done again.
Before anything else is done here, the erasures that this vault owes are carried out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from saferoom.canonical import Json
from saferoom.crypto.signing import Statement
from saferoom.errors import Unavailable
from saferoom.vault.orders import Orders

Clock = Callable[[], datetime]
Act = Callable[[], dict[str, Json]]
OWN_WORK_SECONDS = 600.0  # for which an order waits: a snapshot by the timetable is the longest


class Obedience:
    """One order's turn at a time."""

    def __init__(self, orders: Orders, clock: Clock, settle: Callable[[], object]) -> None:
        """Take what is owed, too; each turn begins with it."""
        self._orders, self._clock, self._settle = orders, clock, settle
        self._busy, self._tidying = threading.Lock(), False

    @contextmanager
    def turn(self, *, tidying: bool = False, settling: bool = True) -> Iterator[None]:
        """Let one order be obeyed at a time; the next is told to come back.

        The vault's own work is short and no reason to send anybody away: it is waited for.
        """
        seconds = OWN_WORK_SECONDS if self._tidying else 0
        if not self._busy.acquire(timeout=seconds):
            raise Unavailable("VAULT_BUSY", "another order of a steward or operator")
        self._tidying = tidying
        try:
            if settling:
                self._settle()
            yield
        finally:
            self._tidying = False
            self._busy.release()

    def once(self, order: Statement, prepare: Callable[[datetime], Act]) -> dict[str, Json]:
        """Verify an order, then do what it says, once; the same order again gets what it gave."""
        if (before := self._orders.replay(order)) is not None:
            return before
        now = self._clock()
        act = prepare(now)
        with self.turn():
            if (before := self._orders.done(order.digest)) is not None:
                return before
            return self._orders.finish(order, act(), now)
