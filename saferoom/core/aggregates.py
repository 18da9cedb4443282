"""Which figure about many enterprises may leave, and how exactly?

Counts, means, quantiles and histograms, each over at least k enterprises and rounded; nothing
else. A quantile is the mean of the k enterprises around its place, so no figure is one
enterprise's value, and the least and the greatest are never told. A mean is refused where one
enterprise is half of the total. There is no noise, so asking again gives the same and averaging
gains nothing. What two answers tell together is `core/differencing.py`'s affair.

Not protected: what a figure tells about everybody in it, and what somebody knows already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from saferoom.core.record import Record, check_field
from saferoom.errors import Refusal

Floats = NDArray[np.float64]
PERCENTS = (5, 25, 50, 75, 95)
_TENTHS = tuple(range(10, 100, 10))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How coarse is coarse enough; a room may be stricter and never finer."""

    least_cohort: int = 20
    largest_part_percent: int = 50  # of a total, that one enterprise may be
    count_step: int = 5
    digits: int = 3  # of a mean
    quantile_digits: int = 2
    most_cohorts: int = 50  # different ones, of one feature for one party

    def __post_init__(self) -> None:
        """Refuse limits that are wider than the house's."""
        check_field(self.least_cohort >= 20, "least_cohort")
        check_field(0 < self.largest_part_percent <= 50, "largest_part_percent")
        check_field(self.count_step >= 5, "count_step")
        check_field(1 <= self.digits <= 3 and 1 <= self.quantile_digits <= 2, "digits")
        check_field(0 < self.most_cohorts <= 50, "most_cohorts")


LIMITS = Limits()


class Statistic(StrEnum):
    """What can be asked of a cohort."""

    COUNT = "count"
    MEAN = "mean"
    QUANTILES = "quantiles"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True)
class Quantile(Record):
    """So many of a hundred lie below about this."""

    percent: int
    value: str


@dataclass(frozen=True, kw_only=True)
class Bin(Record):
    """About so many from this value on, up to the next bin's; the first and last are open."""

    starts: str | None
    count: int


def read_statistic(name: str) -> Statistic:
    """Read what is asked; the least, the greatest, a row or a list of values is none of it."""
    if name not in set(Statistic):
        raise Refusal("ROW_OUTPUT", "a statistic that is none")
    return Statistic(name)


def check_cohort(size: int, limits: Limits = LIMITS) -> None:
    """Refuse to speak of a few."""
    if size < limits.least_cohort:
        raise Refusal("K_ANON")


def count(size: int, limits: Limits = LIMITS) -> int:
    """Count a cohort."""
    check_cohort(size, limits)
    return _rounded(size, limits)


def part(size: int, whole: int, limits: Limits = LIMITS) -> int | None:
    """Count a part of a cohort; None where it, or what is left, is a few or none."""
    check_cohort(whole, limits)
    if min(size, whole - size) < limits.least_cohort:
        return None
    return _rounded(size, limits)


def mean(values: Floats, limits: Limits = LIMITS) -> str:
    """Average; refused where one enterprise makes up the total."""
    check_cohort(len(values), limits)
    if _dominated(values, limits):
        raise Refusal("DOMINANCE")
    return figure(math.fsum(values) / len(values), limits.digits)


def quantiles(
    values: Floats, percents: Sequence[int] = PERCENTS, limits: Limits = LIMITS
) -> tuple[Quantile, ...]:
    """Tell those quantiles on both of whose sides are k enterprises, and that none dominates."""
    check_cohort(len(values), limits)
    ordered = np.sort(values)
    told = []
    for percent in percents:
        if min(percent, 100 - percent) * len(values) >= 100 * limits.least_cohort:
            window = _around(ordered, percent, limits)
            if not _dominated(window, limits):
                middle = math.fsum(window) / limits.least_cohort
                value = figure(middle, limits.quantile_digits)
                told.append(Quantile(percent=percent, value=value))
    return tuple(told)


def histogram(values: Floats, limits: Limits = LIMITS) -> tuple[Bin, ...]:
    """Count between deciles as told; bins of a few are joined with the one before."""
    told = quantiles(values, _TENTHS, limits)
    edges = sorted({Decimal(one.value) for one in told})
    inner = np.array([float(edge) for edge in edges])
    counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(edges) + 1)
    joined: list[tuple[Decimal | None, int]] = []
    for edge, size in zip([None, *edges], counts.tolist(), strict=True):
        if joined and min(size, joined[-1][1]) < limits.least_cohort:
            joined[-1] = joined[-1][0], joined[-1][1] + size
        else:
            joined.append((edge, size))
    return tuple(
        Bin(starts=None if edge is None else format(edge, "f"), count=_rounded(size, limits))
        for edge, size in joined
    )


def figure(value: float, digits: int) -> str:
    """Write a number with so many significant digits, without an exponent."""
    number = Decimal(format(value, f".{digits - 1}e"))
    return format(number.normalize(), "f") if number else "0"


def _dominated(values: Floats, limits: Limits) -> bool:
    sizes = np.abs(values)
    return bool(sizes.max() * 100 > math.fsum(sizes) * limits.largest_part_percent)


def _around(ordered: Floats, percent: int, limits: Limits) -> Floats:
    first = (percent * len(ordered)) // 100 - limits.least_cohort // 2
    window: Floats = ordered[first : first + limits.least_cohort]
    return window


def _rounded(size: int, limits: Limits) -> int:
    step = limits.count_step
    return (size + step // 2) // step * step
