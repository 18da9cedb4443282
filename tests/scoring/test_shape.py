"""Is what a form promises true of every row that we can think of?"""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.scoring.evaluation import Evaluator
from saferoom.scoring.form import (
    Characteristic,
    Direction,
    Form,
    Input,
    Linear,
    Member,
    Scorecard,
    Source,
    Step,
    scorecard_form,
)
from saferoom.scoring.functions import Divide, Impute, IsMissing, Logistic, Lookup, Multiply
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.shape import Way, bounds, reachable_grades, ways
from saferoom.scoring.tree_evaluation import portable
from tests.scoring.forests import forest
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import KINDS, hostile_rows, trained


def test_a_constrained_model_is_proved_monotone() -> None:
    found = ways(read_lightgbm(trained("monotone").text))
    assert found["age_m"] is Way.RISING
    assert found["sales_12"] in {Way.FALLING, Way.UNUSED}
    assert found["industry"] is Way.MIXED


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_scores_outside_the_bounds(kind: str) -> None:
    form = read_lightgbm(trained(kind).text)
    low, high = bounds(form)
    scores = Evaluator(form, portable).scores(trained(kind).matrix)
    assert low <= scores.min() <= scores.max() <= high


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_said_of_a_forest_is_true(seed: int) -> None:
    form = forest(random.Random(seed))
    evaluator, rows = Evaluator(form, portable), hostile_rows()
    rows = np.where(np.isnan(rows) | (np.abs(rows) < 1e-30), 0.25, rows)  # zero may be missing
    low, high = bounds(form)
    scores = evaluator.scores(rows)
    assert ((low <= scores) & (scores <= high)).all()
    for place, way in enumerate(ways(form).values()):
        more = rows.copy()
        more[:, place] = np.where(rows[:, place] < 0, -0.25, np.inf)
        change = evaluator.scores(more) - scores
        assert not (way is Way.RISING and (change < -1e-9 * np.abs(scores)).any())
        assert not (way is Way.FALLING and (change > 1e-9 * np.abs(scores)).any())
        assert not (way is Way.UNUSED and change.any())


def test_a_scorecard_s_points_say_which_way() -> None:
    assert ways(scorecard_form(CARD)) == {"age_m": Way.RISING, "tax_grade": Way.UNUSED}
    assert bounds(scorecard_form(CARD)) == (480.0, 515.75)
    up_and_down = Characteristic("x", (0.0, 1.0), (0.0, 1.0, 0.0), 9.0)
    assert ways(scorecard_form(Scorecard(0.0, (up_and_down,)))) == {"x": Way.MIXED}


def linear(finish: tuple[Logistic, ...] = (), weight: float = 1.0) -> Form:
    never = Lookup((1.0,), (2.0,), 0.0, 0.0, refuses_unknown=False)
    steps = (Step(0, Multiply(-2.0)), Step(1, IsMissing()), Step(2, never), Step(1, Impute(0.0)))
    names = tuple(Input(name) for name in ("down", "up", "key", "idle"))
    scorer = Linear(0.5, (4, 5, 6, 7), (1.0, 1.0, 1.0, 1.0))
    return Form(Source.SCIKIT_LEARN, names, steps, (Member(scorer, finish, weight),), (Divide(2),))


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_a_sum_goes_with_its_weights_and_columns(weight: float) -> None:
    up, down = (Way.RISING, Way.FALLING) if weight > 0 else (Way.FALLING, Way.RISING)
    assert ways(linear(weight=weight)) == {
        "down": down,
        "up": up,
        "key": Way.MIXED,
        "idle": Way.UNUSED,
    }
    assert bounds(linear()) == (-math.inf, math.inf)
    assert bounds(linear((Logistic(1.0),), weight)) == ((0, 0.5) if weight > 0 else (-0.5, 0))


def test_grades_out_of_bounds_cannot_be_reached() -> None:
    form = scorecard_form(CARD)
    cuts = (400.0, 490.0, 600.0)
    assert list(reachable_grades(form, cuts, Direction.RISK)) == [1, 2]
    assert list(reachable_grades(form, cuts, Direction.QUALITY)) == [1, 2]
    assert list(reachable_grades(linear(), cuts, Direction.RISK)) == [0, 1, 2, 3]
