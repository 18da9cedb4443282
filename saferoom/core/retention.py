"""For how long must what the log committed to be readable, and when is it closed for good?

The law asks for logs of at least six months and for what proves a grant of at least three
years. So openings stay on line for so many days, in whole months; then they go into a signed
archive, each under a key of its own; and once the archive's time is over its key is destroyed.
The leaves stay for ever: what was committed to is provable to whoever still holds an opening.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from saferoom.core.record import check_field

LEAST_ONLINE_DAYS = 184  # the longest six months
LEAST_ARCHIVE_DAYS = 1_096  # three years with a leap day


@dataclass(frozen=True)
class Retention:
    """Days from an entry's month on: on line, and readable at all."""

    online_days: int = 366
    archive_days: int = LEAST_ARCHIVE_DAYS

    def __post_init__(self) -> None:
        """Refuse less than the law asks for, and an archive that ends before it begins."""
        check_field(self.online_days >= LEAST_ONLINE_DAYS, "online_days")
        least = max(LEAST_ARCHIVE_DAYS, self.online_days)
        check_field(self.archive_days >= least, "archive_days")

    def archives(self, month: str, now: datetime) -> bool:
        """Say whether a month (`2026-11`) is to leave the line."""
        return after(month) + timedelta(days=self.online_days) <= now

    def destroys(self, month: str, now: datetime) -> bool:
        """Say whether a month's archive is to be closed for good."""
        return after(month) + timedelta(days=self.archive_days) <= now


def after(month: str) -> datetime:
    """Return the first instant after a month."""
    year, number = int(month[:4]), int(month[5:7])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
