"""Does the compiled kernel give the very doubles of the engine that needs none?"""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.cage import engines, quick
from saferoom.scoring.evaluation import Evaluator
from saferoom.scoring.form import Form, trees_form
from saferoom.scoring.functions import Floats
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.tree_evaluation import portable
from saferoom.scoring.trees import Reading, Tree, Trees
from saferoom.sdk.models import read
from tests.cage.twins import needs_kernel
from tests.scoring.forests import forest, grow
from tests.scoring.training import KINDS, hostile_rows, trained
from tests.sdk.sklearn_zoo import economy, fitted

pytestmark = needs_kernel


@cache
def engine() -> engines.Engine:
    return engines.choose(engines.QUICK)


def check(form: Form, *matrices: Floats) -> None:
    """Compare bytes: 0.0 is not -0.0."""
    compiled = Evaluator(form, engine().load)
    plain = Evaluator(form, portable)
    for matrix in matrices:
        assert compiled.scores(matrix).tobytes() == plain.scores(matrix).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_real_models_have_the_same_scores(kind: str) -> None:
    check(read_lightgbm(trained(kind).text), trained(kind).matrix, hostile_rows())


@pytest.mark.parametrize("kind", ["histogram categories", "forest", "extra trees", "boosting"])
def test_other_readings_and_starts_have_the_same_scores(kind: str) -> None:
    form = read(fitted(kind)).form
    check(form, economy(300, 5, 0.1)[0][list(form.features)].to_numpy())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_any_forest_and_any_number_of_rows(seed: int, rows: int) -> None:
    check(forest(random.Random(seed)), hostile_rows()[:rows])


@pytest.mark.parametrize("leaves", [1, 2, 63, 64, 65, 300])
def test_a_word_of_leaves_and_one_more(leaves: int) -> None:
    chance = random.Random(leaves)
    trees = tuple(grow(chance, leaves, 4) for _ in range(5))
    check(trees_form(("a", "b", "c", "d"), Trees(trees, Reading.LIGHTGBM)), hostile_rows())


def test_trees_without_a_question_need_no_column() -> None:
    trees = Trees((Tree((), (-0.0,)), Tree((), (0.5,))), Reading.LIGHTGBM)
    sums = quick.QuickTrees(quick.load_library(), trees).sums(np.zeros((3, 2)))
    assert sums.tolist() == [0.5] * 3
