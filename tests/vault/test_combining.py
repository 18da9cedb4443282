"""Does a figure of figures keep missing what is missing, to the last month and bit?"""

from __future__ import annotations

import math
from datetime import date
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.vault.combining import combine
from saferoom.vault.formula import LONGEST_STREAK, Aggregate, Constant, Operation, Span, Window

AS_OF = date(2026, 11, 19)
NAN = float("nan")


def figure(number: int, op: str = "sum") -> Aggregate:
    window = Window(Span.MONTHS, number, number)
    return Aggregate("tax_month", op, None, window, (), (), zero_if_empty=False)


def value(operation: str, *operands: float, **more: object) -> float:
    """Combine single numbers."""
    ones = [figure(number) for number in range(1, len(operands) + 1)]
    formula = Operation(operation, tuple(ones), **more)  # type: ignore[arg-type]
    figures = {one: np.array([number]) for one, number in zip(ones, operands, strict=True)}
    return float(combine(formula, figures, AS_OF)[0])


@pytest.mark.parametrize(
    ("operation", "operands", "expected"),
    [
        ("ratio", (1.0, 4.0), 0.25),
        ("ratio", (1.0, 0.0), NAN),
        ("ratio", (0.0, 0.0), NAN),
        ("ratio", (NAN, 2.0), NAN),
        ("growth", (3.0, 2.0), 0.5),
        ("growth", (3.0, -2.0), -2.5),
        ("growth", (3.0, 0.0), NAN),
        ("difference", (5.0, 3.0), 2.0),
        ("difference", (5.0, NAN), NAN),
        ("ln", (1.0,), 0.0),
        ("ln", (0.0,), NAN),
        ("ln", (-1.0,), NAN),
        ("ln1p", (0.0,), 0.0),
        ("ln1p", (-1.0,), NAN),
        ("months_since", (NAN,), NAN),
    ],
)
def test_operations(operation: str, operands: tuple[float, ...], expected: float) -> None:
    assert value(operation, *operands) == pytest.approx(expected, nan_ok=True)


def test_a_clipped_value_stays_missing() -> None:
    assert value("growth", 100.0, 1.0, clip=(-1, 5)) == 5
    assert value("growth", 0.0, 1.0, clip=(0, 5)) == 0
    assert math.isnan(value("growth", 1.0, 0.0, clip=(-1, 5)))


@given(st.dates(date(1900, 1, 1), AS_OF))
def test_months_since_counts_whole_months(born: date) -> None:
    months = (AS_OF.year - born.year) * 12 + AS_OF.month - born.month
    expected = months if AS_OF.day >= born.day else months - 1
    assert value("months_since", float((born - date(1970, 1, 1)).days)) == expected


@given(st.lists(st.booleans(), min_size=1, max_size=LONGEST_STREAK))
def test_the_longest_run(months: list[bool]) -> None:
    marks = sum(1 << place for place, marked in enumerate(months) if marked)
    one = figure(1, "streak")
    found = combine(one, {one: np.array([float(marks), NAN])}, AS_OF)
    runs = [len(list(run)) for marked, run in groupby(months) if marked]
    assert found[0] == max(runs, default=0)
    assert math.isnan(found[1])


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_a_correlation_needs_enough_months_and_change(series: list[float]) -> None:
    assert math.isnan(value("corr", *series, *series, numbers=(4,)))
    assert math.isnan(value("corr", *series, 0.1, 0.1, 0.1, numbers=(3,)))
    if max(series) - min(series) > 1:
        assert value("corr", *series, *series, numbers=(3,)) == pytest.approx(1)
        assert value("corr", *series, *(-one for one in series), numbers=(3,)) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("months", "peak", "expected"),
    [
        ((0.0, 0.99, 1.0), 100.0, 2),
        ((NAN, 0.0, 50.0), 100.0, 1),
        ((NAN, NAN, NAN), 100.0, NAN),
        ((0.0, 0.0, 0.0), NAN, NAN),
        ((0.0, 0.0, 0.0), 0.0, 0),  # never used any: nothing stopped
    ],
)
def test_months_below_a_share_of_the_peak(
    months: tuple[float, ...], peak: float, expected: float
) -> None:
    found = value("months_below", *months, peak, numbers=(1,))
    assert found == pytest.approx(expected, nan_ok=True)


def test_a_constant_is_one() -> None:
    one = figure(1)
    formula = Operation("ratio", (one, Constant(10)))
    assert combine(formula, {one: np.array([7.0])}, AS_OF).tolist() == [0.7]
