"""Do thresholds, bounds and quantiles say the same thing in their three ways?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.errors import BadInput
from saferoom.scoring.form import Direction
from saferoom.sdk.grades import Grades, cut


def test_thresholds_number_the_grades() -> None:
    made = cut([0.1, 0.2], Direction.RISK)
    assert (made.names, made.thresholds) == (("G1", "G2", "G3"), (0.1, 0.2))


def test_bounds_rise_under_risk_and_fall_under_quality() -> None:
    risk = cut({"A": 0.1, "B": 0.2, "C": None}, Direction.RISK)
    quality = cut({"A": 700, "B": 600, "C": None}, Direction.QUALITY)
    assert (risk.names, risk.thresholds) == (("A", "B", "C"), (0.1, 0.2))
    assert (quality.names, quality.thresholds) == (("A", "B", "C"), (600.0, 700.0))


@given(st.lists(st.integers(-1000, 1000), min_size=40, max_size=60, unique=True))
def test_a_number_cuts_a_sample_into_equal_parts(sample: list[int]) -> None:
    made = cut(4, Direction.RISK, [float(each) for each in sample])
    below = [sum(each < bound for each in sample) / len(sample) for bound in made.thresholds]
    assert len(made.names) == 4
    assert all(abs(b - q) <= 0.05 for b, q in zip(below, (0.25, 0.5, 0.75), strict=True))


@pytest.mark.parametrize(
    ("grades", "direction"),
    [
        ([], Direction.RISK),
        ([0.2, 0.1], Direction.RISK),
        ([0.1, 0.1], Direction.RISK),
        ([float("nan")], Direction.RISK),
        ([float("inf")], Direction.RISK),
        (5, Direction.RISK),
        (True, Direction.RISK),
        ("AB", Direction.RISK),
        ({"A": None}, Direction.RISK),
        ({"A": 0.1, "B": 0.2}, Direction.RISK),
        ({"A": None, "B": None}, Direction.RISK),
        ({"A": 0.2, "B": 0.1, "C": None}, Direction.RISK),
        ({"A": 600, "B": 700, "C": None}, Direction.QUALITY),
    ],
)
def test_what_is_no_order_of_grades_is_refused(grades: Grades, direction: Direction) -> None:
    with pytest.raises(BadInput, match="grades"):
        cut(grades, direction)


@pytest.mark.parametrize("sample", [[], [1.0, float("nan")], [1.0, 1.0, 1.0]])
def test_a_sample_that_cannot_be_cut_is_refused(sample: list[float]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        cut(3, Direction.RISK, sample)


def test_one_grade_is_no_grade() -> None:
    with pytest.raises(BadInput, match="at least 2"):
        cut(1, Direction.RISK, [1.0, 2.0])
