"""Do golden rows reach everything, and is a row that is left out noticed?"""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.artefact import GoldenRows, build_artefact, read_artefact, read_golden
from saferoom.scoring.candidates import candidates, go_left, reachable
from saferoom.scoring.evaluation import Evaluator, taken
from saferoom.scoring.form import Form, Input, Linear, Member, Source, Step, scorecard_form
from saferoom.scoring.form_json import form_digest
from saferoom.scoring.functions import Bin, Floats, Impute, Lookup
from saferoom.scoring.golden import FEWEST, check_golden, golden_rows, same_scores
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.scorecard_reader import write_scorecard
from saferoom.scoring.tree_evaluation import TreeEvaluator, portable
from saferoom.scoring.trees import Missing, NumericSplit, Reading, Tree, Trees
from tests.scoring import oracle
from tests.scoring.forests import forest
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import KINDS, hostile_rows, trained


def made(form: Form) -> Floats:
    return golden_rows(form, form_digest(form), partial(taken, Evaluator(form, portable)))


def check(form: Form, rows: Floats) -> None:
    check_golden(form, rows, partial(taken, Evaluator(form, portable)))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_reach_every_leaf_of_a_real_model(kind: str) -> None:
    form = read_lightgbm(trained(kind).text)
    rows = made(form)
    assert len(rows) >= FEWEST
    check(form, rows)
    assert np.array_equal(made(form), rows, equal_nan=True)  # the digest is the only chance


@pytest.mark.parametrize("kind", ["small", "categories", "zero is missing"])
def test_a_leaf_that_no_row_reaches_is_noticed(kind: str) -> None:
    form = read_lightgbm(trained(kind).text)
    scorer = form.members[0].scorer
    assert isinstance(scorer, Trees)
    rows = made(form)
    leaves = TreeEvaluator(scorer).leaves(rows)
    for leaf in random.Random(1).sample(range(len(scorer.trees[0].leaves)), 3):
        without = rows[leaves[:, 0] != leaf]
        padded = np.concatenate([without, without[: len(rows) - len(without)]])
        with pytest.raises(BadInput) as caught:
            check(form, padded)
        assert caught.value.code == "GOLDEN_UNVISITED"


def asks(feature: int, threshold: float, left: int, right: int) -> NumericSplit:
    return NumericSplit(feature, threshold, Missing.NAN, False, left, right)


def test_a_leaf_that_no_row_can_reach_is_not_asked_for() -> None:
    # x ≤ 1, then x ≤ 2: the right of the second question is empty, but for NaN, which went right
    tree = Tree((asks(0, 1.0, 1, -1), asks(0, 2.0, -2, -3)), (0.0, 1.0, 2.0))
    trees = Trees((tree,), Reading.PLAIN)
    form = Form(Source.SCIKIT_LEARN, (Input("x"),), (), (Member(trees),))
    assert {leaf for leaf, _ in reachable(candidates(form), trees, tree, range(3))} == {0, 1}
    check(form, made(form))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_whatever_a_hostile_row_reaches_is_reachable(seed: int) -> None:
    form = forest(random.Random(seed))
    scorer = form.members[0].scorer
    assert isinstance(scorer, Trees)
    found = candidates(form)
    reached = TreeEvaluator(scorer).leaves(hostile_rows())
    start = 0
    for place, tree in enumerate(scorer.trees):
        real = {int(leaf) - start for leaf in reached[:, place]}
        assert real <= {leaf for leaf, _ in reachable(found, scorer, tree, range(len(tree.leaves)))}
        start += len(tree.leaves)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_split_is_answered_as_the_oracle_answers_it(seed: int) -> None:
    form = forest(random.Random(seed))
    scorer = form.members[0].scorer
    assert isinstance(scorer, Trees)
    values = hostile_rows().ravel()
    for tree in scorer.trees:
        for split in tree.splits:
            near = np.where(np.abs(values) <= oracle.ZERO, 0.0, values)
            said = [oracle.goes_left(split, value) for value in near]
            assert go_left(split, values, Reading.LIGHTGBM).tolist() == said


def test_every_bin_of_a_scorecard_and_its_gap_is_asked_for() -> None:
    form = scorecard_form(CARD)
    rows = made(form)
    check(form, rows)
    for drop in (np.isnan(rows[:, 0]), rows[:, 0] >= 60.0, rows[:, 0] < 12.0):
        without = np.concatenate([rows[~drop], rows[~drop]])
        with pytest.raises(BadInput) as caught:
            check(form, without)
        assert caught.value.code == "GOLDEN_UNVISITED"


def test_bins_and_keys_behind_other_steps_are_asked_for() -> None:
    steps = (
        Step(0, Impute(5.0)),
        Step(1, Bin((0.25, 0.75))),
        Step(2, Lookup((0.0, 1.0, 2.0), (3.0, 4.0, 5.0), 0.0, 0.0, refuses_unknown=True)),
    )
    linear = Member(Linear(0.0, (3,), (1.0,)))
    form = Form(Source.SCIKIT_LEARN, (Input("x", infinite=False),), steps, (linear,))
    rows = made(form)
    check(form, rows)
    assert np.isnan(Evaluator(form, portable).scores(rows)).any()  # infinite ones
    middle = (rows[:, 0] >= 0.25) & (rows[:, 0] < 0.75)
    assert middle.any()
    with pytest.raises(BadInput, match="a bin"):
        check(form, np.concatenate([rows[~middle], rows[~middle]]))


def test_few_rows_and_rows_of_other_features_are_refused() -> None:
    form = scorecard_form(CARD)
    for rows in (made(form)[: FEWEST - 1], np.zeros((FEWEST, 3))):
        with pytest.raises(BadInput) as caught:
            check(form, rows)
        assert caught.value.code == "GOLDEN_MISSING"


def test_a_model_that_refuses_every_value_has_no_rows() -> None:
    never = Lookup((2.0,), (3.0,), 0.0, 0.0, refuses_unknown=True)
    steps = (Step(0, never), Step(1, Lookup((4.0,), (1.0,), 0.0, 0.0, refuses_unknown=True)))
    member = Member(Linear(0.0, (2,), (1.0,)))
    form = Form(Source.SCIKIT_LEARN, (Input("x", missing=False),), steps, (member,))
    with pytest.raises(BadInput, match="every value is refused"):
        made(form)


def test_exact_scores_are_equal_and_others_near() -> None:
    exact = scorecard_form(CARD)
    near = Form(Source.SCIKIT_LEARN, (Input("x"),), (), (Member(Linear(0.0, (0,), (1.0,))),))
    ours = np.array([1.0, 1.0, np.nan, np.nan, 1e3])
    theirs = np.array([1.0, 1.0 + 1e-12, np.nan, 1.0, 1e3 + 1e-5])
    assert same_scores(exact, theirs, ours).tolist() == [True, False, True, False, False]
    assert same_scores(near, theirs, ours).tolist() == [True, True, True, False, False]


def shipped() -> dict[str, Json]:
    form = scorecard_form(CARD)
    rows = made(form)
    golden = GoldenRows(rows, Evaluator(form, portable).scores(rows))
    text = write_scorecard(CARD)
    return parse_object(build_artefact("scorecard-json", text, "risk", [500.0], golden))


def test_rows_travel_unchanged() -> None:
    golden = read_golden(read_artefact(canonical_bytes(shipped())))
    assert golden is not None
    assert np.array_equal(golden.rows, made(scorecard_form(CARD)), equal_nan=True)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ((), 7),
        ((), {}),
        (("scores",), ""),
        (("scores",), "7ff0"),
        (("columns",), []),
        (("columns", 0), 7),
        (("columns", 0, "more"), 7),
        (("columns", 0, "picks"), "zz"),
        (("columns", 0, "picks"), "00000000"),
        (("columns", 0, "values"), "0" * 16),
    ],
)
def test_rows_that_cannot_be_are_refused(path: tuple[str | int, ...], new: Json) -> None:
    whole = shipped()
    place: Json = whole
    for key in ("golden", *path)[:-1]:
        place = place[key]  # type: ignore[index]  # the test knows its shape
    place[("golden", *path)[-1]] = new  # type: ignore[index]  # and here
    with pytest.raises(BadInput) as caught:
        read_golden(read_artefact(canonical_bytes(whole)))
    assert caught.value.code == "MODEL_MALFORMED"
