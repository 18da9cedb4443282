"""How do figures become a feature?

Column by column over all enterprises of a bucket. NaN is missing and stays missing;
a division by zero and a logarithm of what has none are missing too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from saferoom.vault.formula import LONGEST_STREAK, Aggregate, Constant, Formula, Operation

Floats = NDArray[np.float64]
EPOCH_MONTH = 1970 * 12


def combine(formula: Formula, figures: Mapping[Aggregate, Floats], as_of: date) -> Floats:
    """Compute one feature from its aggregates."""
    match formula:
        case Aggregate():
            found = figures[formula]
            return _longest_run(found) if formula.op == "streak" else found
        case Constant():
            return np.array(float(formula.number))
        case Operation():
            operands = [combine(one, figures, as_of) for one in formula.operands]
            with np.errstate(all="ignore"):  # what has no value becomes NaN below
                value = _operate(formula, operands, as_of)
            value = np.where(np.isfinite(value), value, np.nan)
            return value if formula.clip is None else np.clip(value, *formula.clip)


def _operate(formula: Operation, operands: Sequence[Floats], as_of: date) -> Floats:
    match formula.op:
        case "months_since":
            return _months_since(operands[0], as_of)
        case "corr":
            return _corr(operands, formula.numbers[0])
        case "months_below":
            *months, peak = operands
            return _months_below(np.column_stack(months), peak, formula.numbers[0])
        case _:
            return SIMPLE[formula.op](*operands)


def _or_else(of: Floats, otherwise: Floats) -> Floats:
    """Take the second where the first is missing, and nowhere else."""
    taken: Floats = np.where(np.isnan(of), otherwise, of)
    return taken


SIMPLE: Mapping[str, Callable[..., Floats]] = {
    "ratio": lambda top, bottom: top / bottom,
    "growth": lambda top, bottom: top / bottom - 1,
    "difference": lambda of, minus: of - minus,
    "ln": np.log,
    "ln1p": np.log1p,
    "or_else": _or_else,
}


def _months_since(days: Floats, as_of: date) -> Floats:
    """Count the whole months from each day to the as-of day."""
    known = ~np.isnan(days)
    then = np.where(known, days, 0).astype("datetime64[D]")
    months = then.astype("datetime64[M]")
    day = (then - months.astype("datetime64[D]")).astype(np.int64) + 1
    whole = as_of.year * 12 + as_of.month - 1 - EPOCH_MONTH - months.astype(np.int64)
    return np.where(known, whole - (as_of.day < day), np.nan)


def _longest_run(marks: Floats) -> Floats:
    """Count the longest run of set bits: each step wears every run down by one month."""
    left = np.where(np.isnan(marks), 0, marks).astype(np.int64)
    longest = np.zeros(len(marks))
    for _ in range(LONGEST_STREAK):
        longest += left != 0
        left &= left << 1
    return np.where(np.isnan(marks), np.nan, longest)


def _corr(operands: Sequence[Floats], least: int) -> Floats:
    """Correlate two series over the months that both have."""
    half = len(operands) // 2
    first, second = np.column_stack(operands[:half]), np.column_stack(operands[half:])
    both = ~(np.isnan(first) | np.isnan(second))
    count = both.sum(axis=1)
    spread = [_centred(side, both, count) for side in (first, second)]
    product = (spread[0] * spread[1]).sum(axis=1)
    scale = np.sqrt((spread[0] ** 2).sum(axis=1)) * np.sqrt((spread[1] ** 2).sum(axis=1))
    return np.where(count >= least, np.clip(product / scale, -1, 1), np.nan)


def _centred(side: Floats, both: NDArray[np.bool_], count: NDArray[np.int64]) -> Floats:
    """Subtract the mean; a constant series becomes zeros, whatever its mean rounds to."""
    mean = np.where(both, side, 0).sum(axis=1) / count
    least = np.where(both, side, np.inf).min(axis=1)
    constant = least == np.where(both, side, -np.inf).max(axis=1)
    return np.where(both & ~constant[:, None], side - mean[:, None], 0)


def _months_below(months: Floats, peak: Floats, percent: int) -> Floats:
    """Count the months below a share of the peak; a month without a figure is not below."""
    below = (months < (peak * percent / 100)[:, None]).sum(axis=1)
    unknown = np.isnan(months).all(axis=1) | np.isnan(peak)
    return np.where(unknown, np.nan, below)
