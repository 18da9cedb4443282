"""Has every instant one spelling, and every day its Shanghai?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.moment import (
    SHANGHAI,
    coarse,
    end_of_local_day,
    local_day,
    read_day,
    read_instant,
    write_instant,
)
from saferoom.errors import BadInput

MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, SHANGHAI]),
)


@given(MOMENTS)
def test_what_is_written_reads_back_to_the_second(moment: datetime) -> None:
    read = read_instant(write_instant(moment))
    assert timedelta(0) <= moment - read < timedelta(seconds=1)
    assert write_instant(read) == write_instant(moment)


@pytest.mark.parametrize(
    "text",
    [
        None,
        1,
        "",
        "2026-11-20T10:51:00",
        "2026-11-20T10:51:00+00:00",
        "2026-11-20T10:51:00.0Z",
        "2026-11-20 10:51:00Z",
        "2026-11-20T10:51:00Z\n",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2026-11-20T10:51:60Z",
        "2026-02-30T10:51:00Z",
        "2026-13-01T10:51:00Z",
        "٢026-11-20T10:51:00Z",
    ],
)
def test_other_spellings_of_an_instant_are_refused(text: object) -> None:
    with pytest.raises(BadInput):
        read_instant(text)


def test_days_are_read_strictly() -> None:
    assert read_day("2026-11-20") == date(2026, 11, 20)


@pytest.mark.parametrize("text", [None, "", "2026-2-3", "20261120", "2026-02-30", "2026-W47-5"])
def test_other_spellings_of_a_day_are_refused(text: object) -> None:
    with pytest.raises(BadInput):
        read_day(text)


def test_the_public_log_knows_the_hour_only() -> None:
    assert coarse(datetime(2026, 11, 20, 10, 51, 7, tzinfo=UTC)) == "2026-11-20T10Z"


def test_days_turn_in_shanghai() -> None:
    late = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    assert local_day(late) == date(2026, 11, 21)
    assert local_day(late - timedelta(seconds=1)) == date(2026, 11, 20)
    assert end_of_local_day(date(2026, 11, 20)) == late - timedelta(seconds=1)
