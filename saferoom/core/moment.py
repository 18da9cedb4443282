"""What time is it, in which words?

Instants are UTC to the second, written `2026-11-20T10:51:00Z`; days are local
(Asia/Shanghai). The clock itself is always passed in.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from saferoom.errors import BadInput

FRESH = timedelta(minutes=5)  # for how long what is signed to be done now may be done
SKEW = timedelta(minutes=5)  # by which another's clock may be ahead of ours
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991
# `[0-9]`, since `\d` also matches other scripts' digits; midnight is never 24:00.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DAY.pattern + r"T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z")


def write_instant(moment: datetime) -> str:
    """Write an aware datetime as UTC to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def read_instant(text: object) -> datetime:
    """Read exactly what `write_instant` writes."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise BadInput("FIELD_INVALID", "an instant is written 2026-11-20T10:51:00Z")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput("FIELD_INVALID", "an instant is written 2026-11-20T10:51:00Z") from error


def check_not_ahead(text: str, now: datetime, name: str) -> None:
    """Refuse what says that it was signed in the future, but for two clocks' difference."""
    if read_instant(text) > now + SKEW:
        raise BadInput("FIELD_INVALID", f"{name} lies in the future")


def read_day(text: object) -> date:
    """Read `2026-11-20`."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise BadInput("FIELD_INVALID", "a day is written 2026-11-20")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput("FIELD_INVALID", "a day is written 2026-11-20") from error


def coarse(moment: datetime) -> str:
    """Write the hour only, for the public log."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%HZ")


def local_day(moment: datetime) -> date:
    """Name the day in Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def end_of_local_day(day: date) -> datetime:
    """Return the last instant of a day in Shanghai, for `known_at` comparisons."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    return midnight + timedelta(days=1) - timedelta(seconds=1)
