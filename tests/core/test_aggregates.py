"""Does a figure tell of many, and never of one?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core import aggregates
from saferoom.core.aggregates import Floats, Limits, figure, histogram, mean, part, quantiles
from saferoom.errors import BadInput, Refusal

MANY = np.arange(1, 1001, dtype=np.float64)
samples = st.lists(st.floats(-1e9, 1e9), min_size=20, max_size=400).map(np.array)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 19])
def test_nothing_is_told_of_a_few(size: int) -> None:
    few = np.ones(size)
    for tell in (mean, quantiles, histogram):
        assert code_of(partial(tell, few)) == "K_ANON"
    assert code_of(lambda: aggregates.count(size)) == "K_ANON"
    assert code_of(lambda: part(0, size)) == "K_ANON"


@pytest.mark.parametrize(("size", "told"), [(20, 20), (22, 20), (23, 25), (1002, 1000)])
def test_counts_are_rounded_to_fives(size: int, told: int) -> None:
    assert aggregates.count(size) == told


@pytest.mark.parametrize(("size", "told"), [(0, None), (19, None), (20, 20), (80, 80), (81, None)])
def test_a_part_is_not_told_where_it_or_the_rest_is_a_few(size: int, told: int | None) -> None:
    assert part(size, 100) == told


def test_a_mean_is_told_to_three_digits() -> None:
    assert mean(MANY * 12345.678) == "6180000"
    assert mean(-MANY) == "-500"
    assert mean(np.zeros(20)) == "0"


def test_one_dominant_firm_is_no_mean() -> None:
    """A mean of twenty, of whom nineteen are small, is the twentieth's figure."""
    firms = np.full(20, 1000.0)
    firms[7] = 19_001
    assert code_of(lambda: mean(firms)) == "DOMINANCE"
    firms[7] = 19_000
    assert mean(firms) == "1900"
    firms[7] = -19_001  # a great loss as well
    assert code_of(lambda: mean(firms)) == "DOMINANCE"


def test_quantiles_keep_k_enterprises_on_both_sides() -> None:
    assert [one.percent for one in quantiles(MANY)] == [5, 25, 50, 75, 95]
    assert [one.percent for one in quantiles(MANY[:399])] == [25, 50, 75]
    assert quantiles(MANY[:39]) == ()
    assert [one.value for one in quantiles(MANY)] == ["50", "250", "500", "750", "950"]


@pytest.mark.parametrize("extreme", [1e30, -1e30])
def test_the_least_and_the_greatest_move_nothing_that_is_told(extreme: float) -> None:
    other = MANY.copy()
    other[-1 if extreme > 0 else 0] = extreme
    assert quantiles(other) == quantiles(MANY)
    assert histogram(other) == histogram(MANY)


@pytest.mark.parametrize("name", ["min", "max", "row", "values", "first", "Mean", ""])
def test_what_is_no_statistic_of_many_is_refused(name: str) -> None:
    assert code_of(lambda: aggregates.read_statistic(name)) == "ROW_OUTPUT"


def test_the_four_statistics_are_read() -> None:
    known = [
        aggregates.read_statistic(name) for name in ("count", "mean", "quantiles", "histogram")
    ]
    assert known == list(aggregates.Statistic)


@given(samples)
def test_every_bin_has_k_enterprises_and_open_ends(
    values: Floats,
) -> None:
    bins = histogram(values)
    assert bins[0].starts is None
    assert all(one.count >= 20 and one.count % 5 == 0 for one in bins)
    assert abs(sum(one.count for one in bins) - len(values)) <= 2 * len(bins) + 2


@given(samples)
def test_asking_again_in_whatever_order_gives_the_same(values: Floats) -> None:
    """So there is nothing to average away."""
    shuffled = values[np.random.default_rng(3).permutation(len(values))]
    assert quantiles(values) == quantiles(shuffled)
    assert histogram(values) == histogram(shuffled)
    told = {_told(values), _told(shuffled)}
    assert len(told) == 1


def _told(values: Floats) -> str:
    try:
        return mean(values)
    except Refusal as error:
        return error.code


def test_a_feature_of_two_values_is_one_bin_for_each() -> None:
    flags = np.repeat([0.0, 1.0], [700, 300])
    assert [(one.starts, one.count) for one in histogram(flags)] == [(None, 700), ("1", 300)]
    assert [one.count for one in histogram(np.zeros(50))] == [50]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 3, "0"),
        (-0.0, 2, "0"),
        (1234.5, 3, "1230"),
        (0.0012345, 2, "0.0012"),
        (99.99, 3, "100"),
        (-0.5, 1, "-0.5"),
    ],
)
def test_a_figure_has_its_digits_and_no_exponent(value: float, digits: int, text: str) -> None:
    assert figure(value, digits) == text


@pytest.mark.parametrize(
    "wider",
    [
        {"least_cohort": 19},
        {"largest_part_percent": 51},
        {"largest_part_percent": 0},
        {"count_step": 1},
        {"digits": 4},
        {"quantile_digits": 3},
        {"most_cohorts": 51},
    ],
)
def test_no_room_is_less_strict_than_the_house(wider: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        Limits(**wider)


def test_a_room_may_be_stricter() -> None:
    strict = Limits(least_cohort=100, digits=1)
    assert mean(MANY, strict) == "500"
    assert code_of(lambda: mean(MANY[:99], strict)) == "K_ANON"


def test_a_quantile_is_not_one_firm_s_value_among_zeros() -> None:
    """Of 400, 389 owe nothing: the window around the 95th holds one debtor and nineteen zeros."""
    owed = np.array([0.0] * 389 + [7_400_000.0] + [9_000_000.0] * 10)
    told = {one.percent: one.value for one in aggregates.quantiles(owed)}
    assert "370000" not in told.values()
    assert 95 not in told
    assert told[50] == "0"
