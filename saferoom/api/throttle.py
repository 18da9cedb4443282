"""Who has failed too often to get a token, and who asks for more than its share?

Windows per address and per organisation, in memory: tokens are random and signatures cannot
be guessed, so this only keeps a broken or hostile client from filling the log, or the vault's
time. A program that starts anew begins to count anew.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from saferoom.errors import TooOften

MOST_FAILURES = 10
WINDOW = timedelta(minutes=1)
MOST_ADDRESSES = 10_000  # the oldest is forgotten first


class Throttle:
    """Failures by address within the last minute."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def check(self, address: str, now: datetime) -> None:
        """Refuse an address whose failures fill its window."""
        with self._lock:
            times = self._failures.get(address)
            while times and now - times[0] > WINDOW:
                times.popleft()
            if times and len(times) >= MOST_FAILURES:
                raise TooOften("TOKEN_ATTEMPTS")

    def fail(self, address: str, now: datetime) -> None:
        """Remember one failure."""
        with self._lock:
            times = self._failures.setdefault(address, deque(maxlen=MOST_FAILURES))
            times.append(now)
            self._failures.move_to_end(address)
            while len(self._failures) > MOST_ADDRESSES:
                self._failures.popitem(last=False)


class Quota:
    """Calls of each organisation within a window; there are as many as were admitted."""

    def __init__(self, most: int, window: timedelta) -> None:
        self._most, self._window = most, window
        self._calls: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def spend(self, party: str, now: datetime) -> None:
        """Count one call, or refuse it."""
        with self._lock:
            times = self._calls.setdefault(party, deque())
            while times and now - times[0] >= self._window:
                times.popleft()
            if len(times) >= self._most:
                raise TooOften("TOO_OFTEN")
            times.append(now)


def score_quota(per_minute: int = 6000) -> Quota:
    """Bound what an organisation asks of the gate and writes into its log."""
    return Quota(per_minute, timedelta(minutes=1))


def submission_quota(per_day: int = 100) -> Quota:
    """Bound how many models an organisation has read in the cage."""
    return Quota(per_day, timedelta(days=1))


def report_quota(per_day: int = 24) -> Quota:
    """Bound how often an enterprise has the vault read what it says of itself."""
    return Quota(per_day, timedelta(days=1))


@dataclass(frozen=True)
class Quotas:
    """What an organisation may ask for, and how often."""

    scores: Quota = field(default_factory=score_quota)
    submissions: Quota = field(default_factory=submission_quota)
    reports: Quota = field(default_factory=report_quota)
