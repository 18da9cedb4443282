"""Which day is the last of a month, and when does something become known?

Days are whole numbers since 1970-01-01, months whole numbers since January of year 0:
both are arrays' best friends, and NumPy's `datetime64` converts from either.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from saferoom.demo.economy.population import Ints

EPOCH_MONTH = 1970 * 12


def first_days(months: Ints) -> Ints:
    """Give each month's first day."""
    return (months - EPOCH_MONTH).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def last_days(months: Ints) -> Ints:
    """Give each month's last day."""
    return first_days(months + 1) - 1


def day_number(day: date) -> int:
    """Count the days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(np.int64))


def write_days(days: Ints) -> NDArray[np.str_]:
    """Write days as `2026-11-20`."""
    return np.datetime_as_string(days.astype("datetime64[D]"))


def write_months(months: Ints) -> NDArray[np.str_]:
    """Write months as `2026-11`."""
    return np.datetime_as_string((months - EPOCH_MONTH).astype("datetime64[M]"))
