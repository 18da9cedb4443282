"""How much of the vault may one bank hold at a time?

A request keeps a thread of the vault and one of the API until it ends. All scores together
leave some threads to teaching and to questions of health; one bank's leave half of the rest
to the others. Who finds no place is told at once and does not wait.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from saferoom.errors import Unavailable

MOST_SCORES = 24  # of the server's 32 connections
MOST_OF_A_BANK = MOST_SCORES // 2


class Places:
    """Who is being scored for right now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, bank: str) -> Iterator[None]:
        """Hold one of the bank's places, or refuse."""
        with self._lock:
            if self._taken[bank] >= MOST_OF_A_BANK or self._taken.total() >= MOST_SCORES:
                raise Unavailable("VAULT_BUSY", "scores at the same time")
            self._taken[bank] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[bank] -= 1
