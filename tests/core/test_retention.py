"""Nothing leaves the line before six months, and nothing is closed before three years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.retention import LEAST_ARCHIVE_DAYS, LEAST_ONLINE_DAYS, Retention, after
from saferoom.errors import BadInput


@pytest.mark.parametrize(
    ("online", "archive"),
    [
        (LEAST_ONLINE_DAYS - 1, LEAST_ARCHIVE_DAYS),
        (0, LEAST_ARCHIVE_DAYS),
        (LEAST_ONLINE_DAYS, LEAST_ARCHIVE_DAYS - 1),
        (LEAST_ARCHIVE_DAYS + 1, LEAST_ARCHIVE_DAYS),
    ],
)
def test_less_than_the_law_asks_for_is_refused(online: int, archive: int) -> None:
    with pytest.raises(BadInput):
        Retention(online, archive)


def test_a_month_ends_with_its_last_day() -> None:
    assert after("2026-11") == datetime(2026, 12, 1, tzinfo=UTC)
    assert after("2026-12") == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_day_counts_from_the_month_s_end() -> None:
    least = Retention(LEAST_ONLINE_DAYS, LEAST_ARCHIVE_DAYS)
    end = datetime(2026, 12, 1, tzinfo=UTC)
    for days, holds in ((LEAST_ONLINE_DAYS, least.archives), (LEAST_ARCHIVE_DAYS, least.destroys)):
        assert not holds("2026-11", end + timedelta(days=days, seconds=-1))
        assert holds("2026-11", end + timedelta(days=days))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.integers(0, 2_000))  # noqa: DTZ001  # given UTC below
def test_no_entry_leaves_before_six_months(written: datetime, days: int) -> None:
    at = written.replace(tzinfo=UTC)
    later = at + timedelta(days=days)
    month = f"{at:%Y-%m}"
    least = Retention(LEAST_ONLINE_DAYS, LEAST_ARCHIVE_DAYS)
    assert days >= LEAST_ONLINE_DAYS or not least.archives(month, later)
    assert days >= LEAST_ARCHIVE_DAYS or not least.destroys(month, later)
    assert least.archives(month, later) or not least.destroys(month, later)
