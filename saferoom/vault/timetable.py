"""When is a snapshot published, whatever the data are?

At declared times of the local day, as of the end of the day before. Not because of rows that
came in: when a snapshot appears would else tell of them. A time at which the vault was away is
made up for once, at its start; a vault that never published waits for its first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from saferoom.core.moment import SHANGHAI
from saferoom.errors import BadInput


@dataclass(frozen=True)
class Timetable:
    """Times of the day, in Shanghai; none: only by an operator's order."""

    times: tuple[time, ...]
    since: datetime | None = None  # when the vault began to look

    def due(self, now: datetime, published_at: datetime | None) -> date | None:
        """Say as of which day to publish now, if at all."""
        last = self._last(now)
        before = published_at or self.since
        if last is None or before is None or before >= last:
            return None
        return last.date() - timedelta(days=1)

    def _last(self, now: datetime) -> datetime | None:
        local = now.astimezone(SHANGHAI)
        days = (local.date(), local.date() - timedelta(days=1))
        slots = [datetime.combine(day, at, SHANGHAI) for day in days for at in self.times]
        return max((slot for slot in slots if slot <= local), default=None)


BY_ORDER = Timetable(())


def read_timetable(text: str, since: datetime) -> Timetable:
    """Read `02:00` or `02:00,14:00`; nothing: no timetable."""
    try:
        times = tuple(time.fromisoformat(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise BadInput("SETTING_INVALID", "snapshot times are written 02:00,14:00") from error
    if any(one.tzinfo is not None for one in times):
        raise BadInput("SETTING_INVALID", "snapshot times are local")
    return Timetable(times, since)
