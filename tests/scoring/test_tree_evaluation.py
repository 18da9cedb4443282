"""Are our own scores the doubles that LightGBM gives, and the form's slow reading?"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.cage import engines
from saferoom.scoring import tree_evaluation
from saferoom.scoring.evaluation import Evaluator
from saferoom.scoring.form import Form, check_form, trees_form
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.tree_evaluation import portable
from saferoom.scoring.trees import Missing, NumericSplit, Reading, Tree, Trees
from tests.scoring import oracle
from tests.scoring.forests import forest
from tests.scoring.training import (
    FEATURES,
    KINDS,
    LIGHTGBM,
    Floats,
    hostile_rows,
    needs_lightgbm,
    trained,
)

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=40, deadline=None)


def native(form: Form) -> Callable[[Floats], Floats]:
    return Evaluator(form, engines.choose(engines.NATIVE).load).scores


def ours(form: Form) -> Callable[[Floats], Floats]:
    return Evaluator(form, portable).scores


def same(ours: Floats, theirs: Floats) -> bool:
    """Compare bytes: 0.0 is not -0.0."""
    return ours.tobytes() == np.asarray(theirs, np.float64).tobytes()


def slowly(model: Form, matrix: Floats) -> Floats:
    return np.array([oracle.score(model, row) for row in matrix])


@needs_lightgbm
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_lightgbm_s_bit_for_bit(kind: str) -> None:
    assert LIGHTGBM is not None
    model = trained(kind)
    scores = ours(read_lightgbm(model.text))
    for matrix in (model.matrix, hostile_rows()):
        assert np.array_equal(scores(matrix), model.predict(matrix), equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_form_s(kind: str) -> None:
    form = read_lightgbm(trained(kind).text)
    matrix = np.concatenate([trained(kind).matrix[:60], hostile_rows()])
    assert np.array_equal(ours(form)(matrix), slowly(form, matrix), equal_nan=True)


@FEW
@given(SEEDS)
def test_any_forest_scores_as_the_form_says(seed: int) -> None:
    model = forest(random.Random(seed))
    check_form(model)
    assert same(ours(model)(hostile_rows()), slowly(model, hostile_rows()))


@needs_lightgbm
@FEW
@given(SEEDS)
def test_any_forest_scores_as_lightgbm_says(seed: int) -> None:
    model = forest(random.Random(seed))
    assert same(ours(model)(hostile_rows()), native(model)(hostile_rows()))


@FEW
@given(SEEDS, st.integers(1, 200))
def test_a_score_does_not_depend_on_the_rows_beside_it(seed: int, block: int) -> None:
    scores = ours(forest(random.Random(seed)))
    at_once = scores(hostile_rows())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_evaluation, "BLOCK", block)
        assert same(scores(hostile_rows()), at_once)
    assert same(scores(np.asfortranarray(hostile_rows()[::-1])), at_once[::-1])


def stumps(*leaves: float, slope: float | None = None) -> Form:
    trees = tuple(Tree((), (leaf,)) for leaf in leaves)
    return trees_form(("x",), Trees(trees, Reading.LIGHTGBM), slope)


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        ((1e16, 1.0, -1e16), 0.0),  # in another order it is 1
        ((1e16, -1e16, 1.0), 1.0),
        ((-0.0, -0.0), 0.0),
        ((0.1,) * 300, reduce(add, [0.1] * 300)),  # adding in pairs gives another last bit
    ],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_leaves_are_summed_in_order_from_zero(
    leaves: tuple[float, ...], expected: float, rows: int
) -> None:
    sums = ours(stumps(*leaves))(np.zeros((rows, 1)))
    assert same(sums, np.full(rows, expected))


@pytest.mark.parametrize(
    ("total", "expected"), [(1e5, 1.0), (-1e5, 0.0), (-709.8, 0.0), (0.0, 0.5)]
)
def test_the_link_has_ends(total: float, expected: float) -> None:
    scores = ours(stumps(total, slope=1.0))(np.zeros((2, 1)))
    assert scores.tolist() == [expected, expected]


def test_no_rows_have_no_scores() -> None:
    scores = ours(read_lightgbm(trained("numeric").text))
    assert scores(np.empty((0, len(FEATURES)))).shape == (0,)


def test_a_chain_of_splits_is_walked_to_its_end() -> None:
    count = 64  # the deepest that a form may be
    splits = tuple(
        NumericSplit(
            0,
            float(at),
            Missing.NEVER,
            default_left=False,
            left=-at - 1,
            right=at + 1 if at + 1 < count else -count - 1,
        )
        for at in range(count)
    )
    tree = Tree(splits, tuple(map(float, range(count + 1))))
    model = trees_form(("x",), Trees((tree,), Reading.LIGHTGBM))
    check_form(model)
    matrix = np.array([[-1.0], [0.5], [62.5], [1e9], [np.nan]])
    assert ours(model)(matrix).tolist() == [0.0, 1.0, 63.0, 64.0, 0.0]
