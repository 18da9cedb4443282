"""Is every real model read as LightGBM reads it, and everything else refused?"""

from __future__ import annotations

import math
import random
import re

import numpy as np
import pytest

from saferoom.cage import engines
from saferoom.errors import BadInput
from saferoom.scoring import trees as forms
from saferoom.scoring.evaluation import Evaluator
from saferoom.scoring.form import Form
from saferoom.scoring.form_json import read_form, write_form
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.lightgbm_writer import write_lightgbm
from saferoom.scoring.tree_evaluation import portable
from saferoom.scoring.trees import CategorySplit, Missing, NumericSplit, Trees
from tests.scoring import oracle
from tests.scoring.mutants import mutants
from tests.scoring.training import (
    FEATURES,
    KINDS,
    LIGHTGBM,
    Floats,
    hostile_rows,
    needs_lightgbm,
    stored,
    trained,
)


def lightgbm_predicts(text: str, matrix: Floats) -> Floats:
    assert LIGHTGBM is not None
    scores = LIGHTGBM.Booster(model_str=text).predict(matrix, num_threads=1)
    assert isinstance(scores, np.ndarray)
    return scores


def trees_of(form: Form) -> Trees:
    """Reach the one scorer that a LightGBM text has."""
    scorer = form.members[0].scorer
    assert isinstance(scorer, Trees)
    return scorer


def canonical(form: Form) -> str:
    return write_lightgbm(trees_of(form), form.columns)


@needs_lightgbm
@pytest.mark.parametrize("kind", KINDS)
def test_canonical_text_sums_bit_for_bit_as_the_bank_s_file(kind: str) -> None:
    assert LIGHTGBM is not None
    model = trained(kind)
    ours, theirs = canonical(read_lightgbm(model.text)), LIGHTGBM.Booster(model_str=model.text)
    for matrix in (model.matrix, hostile_rows()):
        sums = theirs.predict(matrix, raw_score=True, num_threads=1)
        assert np.array_equal(lightgbm_predicts(ours, matrix), sums, equal_nan=True)


@needs_lightgbm
@pytest.mark.parametrize("kind", KINDS)
def test_the_form_scores_bit_for_bit_as_the_bank_s_file(kind: str) -> None:
    model = trained(kind)
    evaluator = Evaluator(read_lightgbm(model.text), portable)
    for matrix in (model.matrix, hostile_rows()):
        ours, theirs = evaluator.scores(matrix), model.predict(matrix)
        assert np.array_equal(ours, theirs, equal_nan=True)


@needs_lightgbm
@pytest.mark.parametrize("slope", ["0.000043", "0.5", "12.345678", "999.999999", "3", "7.1"])
def test_a_slope_is_what_lightgbm_reads(slope: str) -> None:
    text = trained("steep").text.replace("sigmoid:0.7", f"sigmoid:{slope}", 1)
    matrix = trained("steep").matrix
    ours = Evaluator(read_lightgbm(text), portable).scores(matrix)
    assert np.array_equal(ours, lightgbm_predicts(text, matrix))


@needs_lightgbm
@pytest.mark.parametrize("kind", KINDS)
def test_stored_models_stand_for_the_trained(kind: str) -> None:
    model = stored(kind, 2, trained(kind).matrix[:60])
    native = Evaluator(read_lightgbm(model.text), engines.choose(engines.NATIVE).load)
    theirs = native.scores(model.matrix)
    assert model.predict(model.matrix) == pytest.approx(theirs, rel=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_says_what_lightgbm_computes(kind: str) -> None:
    model = trained(kind)
    form = read_lightgbm(model.text)
    for matrix in (model.matrix[:60], hostile_rows()):
        said = [oracle.score(form, row) for row in matrix]
        assert said == pytest.approx(model.predict(matrix), rel=1e-15, nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_canonical_text_is_its_own_canonical_text(kind: str) -> None:
    once = canonical(read_lightgbm(trained(kind).text))
    assert "age_m" not in once
    renamed = read_lightgbm(once)
    assert canonical(renamed) == once


def test_the_kinds_exercise_every_kind_of_split() -> None:
    splits = [
        split
        for kind in KINDS
        for tree in trees_of(read_lightgbm(trained(kind).text)).trees
        for split in tree.splits
    ]
    assert {split.missing for split in splits if isinstance(split, NumericSplit)} == set(Missing)
    assert any(isinstance(split, CategorySplit) for split in splits)
    assert not trees_of(read_lightgbm(trained("stumps").text)).trees[0].splits
    assert trees_of(read_lightgbm(trained("lines").text)).linear


def test_shape_is_counted() -> None:
    form = read_lightgbm(trained("depth one", trees=3).text)
    assert (form.features, form.scorer) == (FEATURES, "tree ensemble")
    assert (form.parts, form.leaves) == (3, 6)


@needs_lightgbm
def test_an_ensemble_saved_again_by_lightgbm_reads_the_same() -> None:
    model = trained("categories")
    assert LIGHTGBM is not None
    again = LIGHTGBM.Booster(model_str=model.text).model_to_string()
    assert read_lightgbm(again) == read_lightgbm(model.text)


def test_a_custom_loss_has_no_objective_and_no_link() -> None:
    text = re.sub("objective=.*\n", "", trained("regression").text, count=1)
    assert read_lightgbm(text) == read_lightgbm(trained("regression").text)


REFUSED = {
    "one line ending of another system": ("version=v4\n", "version=v4\r\n", "plain text"),
    "a name that is not ASCII": ("age_m", "月龄", "plain text"),
    "no end": ("\nend of trees\n", "\n", "end of trees"),
    "another library": ("tree\nversion", "trees\nversion", "not LightGBM text"),
    "an older format": ("version=v4", "version=v3", "LightGBM 4"),
    "several classes": ("num_class=1", "num_class=3", "one output"),
    "several trees per round": ("per_iteration=1", "per_iteration=2", "one output"),
    "a mean of means": ("version=v4\n", "version=v4\n" + 2 * "average_output\n", "unknown or"),
    "an unknown header": ("version=v4\n", "version=v4\nplugin=x\n", "unknown or repeated"),
    "a repeated header": ("version=v4\n", "version=v4\nversion=v4\n", "unknown or repeated"),
    "a header without value": ("label_index=0", "label_index", "unknown or repeated"),
    "a missing header": ("num_class=1\n", "", "a field is missing"),
    "a feature too many": ("max_feature_idx=3", "max_feature_idx=4", "feature names"),
    "features beyond bounds": ("max_feature_idx=3", "max_feature_idx=20000", "max_feature_idx"),
    "a repeated feature": ("=age_m industry", "=age_m age_m", "feature names"),
    "a strange feature": ("=age_m", "=age-m", "feature names"),
    "an unknown link": ("binary sigmoid:1", "poisson", "objective"),
    "a root": ("binary sigmoid:1", "regression sqrt", "objective"),
    "a flat sigmoid": ("binary sigmoid:1", "binary sigmoid:0", "objective"),
    "a tree not counted": ("tree_sizes=", "tree_sizes=7 ", "tree_sizes"),
    "another tree's number": ("Tree=1\n", "Tree=2\n", "tree 1: number"),
    "a linear tree": ("is_linear=0", "is_linear=1", "is_linear"),
    "half a linear tree": ("is_linear=0", "is_linear=2", "is_linear"),
    "no leaves": ("num_leaves=4", "num_leaves=0", "num_leaves"),
    "too many leaves": ("num_leaves=4", "num_leaves=5000", "num_leaves"),
    "a leaf too few": ("num_leaves=4", "num_leaves=5", "leaf_value"),
    "an unknown field": ("num_cat=0", "num_cat=0\nleaf_code=1", "unknown or repeated"),
    "a missing field": ("num_cat=0\n", "", "a field is missing"),
    "categories that are not there": ("num_cat=0", "num_cat=1", "categories are missing"),
    "categories that are not counted": (
        "num_cat=0",
        "num_cat=0\ncat_boundaries=0 1\ncat_threshold=1",
        "without num_cat",
    ),
    "a huge leaf": ("leaf_value=", "leaf_value=1e101 ", "leaf_value"),
    "a decision of no kind": ("decision_type=", "decision_type=12 ", "decision_type"),
}


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.fixture(scope="module")
def small() -> str:
    text = trained("small", trees=2).text
    assert read_lightgbm(text).leaves == 8
    return text


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_place(small: str, case: str) -> None:
    old, new, place = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        read_lightgbm(edited(small, old, new))
    assert caught.value.code in {"MODEL_MALFORMED", "MODEL_FORMAT"}
    assert place in caught.value.sentence


LINES = {
    "is_linear": "1",
    "leaf_const": "0.5 1 2",
    "num_features": "1 0 2",
    "leaf_features": "1   0 1  ",
    "leaf_coeff": "0.5   2 -1  ",
}

TREE = {
    "num_leaves": "3",
    "num_cat": "1",
    "split_feature": "0 1",
    "threshold": "0.5 0",
    "decision_type": "2 1",
    "left_child": "1 -1",
    "right_child": "-3 -2",
    "leaf_value": "0.1 0.2 0.3",
    "cat_boundaries": "0 2",
    "cat_threshold": "5 1",
    "is_linear": "0",
    "shrinkage": "1",
}


def one_tree(**changes: str) -> str:
    fields = "".join(f"{key}={value}\n" for key, value in (TREE | changes).items() if value)
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\n"
        f"objective=regression\nfeature_names=a b\ntree_sizes=1\n\nTree=0\n{fields}\n\n"
        "end of trees\n"
    )


def test_one_tree_by_hand() -> None:
    form = read_lightgbm(one_tree())
    assert trees_of(form).trees[0].splits == (
        NumericSplit(0, 0.5, Missing.NEVER, default_left=False, left=1, right=-3),
        CategorySplit(1, (5, 1), -1, -2),
    )
    assert [oracle.score(form, row) for row in ((0, 2), (0, 32), (0, 1), (1, 0))] == [
        *(0.1, 0.1, 0.2, 0.3)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"split_feature": "0 2"},
        {"split_feature": "0 -1"},
        {"split_feature": "0"},
        {"split_feature": "0 1 1"},
        {"split_feature": "0  1"},
        {"split_feature": "0 1_0"},
        {"threshold": "nan 0"},
        {"threshold": "-inf 0"},
        {"threshold": "infinity 0"},
        {"threshold": "1e999 0"},
        {"threshold": "0.5"},
        {"threshold": "0.5 1"},
        {"threshold": "0.5 0.5"},
        {"decision_type": "2 3"},
        {"decision_type": "2 2"},
        {"decision_type": "1 1"},
        {"decision_type": "16 1"},
        {"left_child": "0 -1"},
        {"left_child": "1 1"},
        {"left_child": "2 -1"},
        {"left_child": "-4 -1"},
        {"left_child": "-1 -1"},
        {"right_child": "1 -2"},
        {"right_child": "-2 -2"},
        {"leaf_value": "0.1 0.2 1e101"},
        {"leaf_value": "0.1 0.2 nan"},
        {"leaf_value": "0.1 0.2"},
        {"num_cat": "3"},
        {"num_cat": "2", "cat_boundaries": "0 1 2"},
        {"cat_boundaries": "1 2"},
        {"cat_boundaries": "0 0"},
        {"cat_boundaries": "0 3"},
        {"cat_threshold": "5 4294967296"},
        {"cat_threshold": "5 -1"},
    ],
)
def test_a_tree_that_is_none_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadInput) as caught:
        read_lightgbm(one_tree(**changes))
    assert caught.value.code == "MODEL_MALFORMED"
    assert "tree 0" in caught.value.sentence


def test_a_linear_tree_by_hand() -> None:
    form = read_lightgbm(one_tree(**LINES))
    assert [oracle.score(form, row) for row in ((0, 2), (0, 1), (1, 3), (1, math.nan))] == [
        *(0.5 + 0.5 * 2, 1.0, 2.0 + 2.0 - 3.0, 0.3)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_linear": "0"},
        {"leaf_const": ""},
        {"leaf_const": "0.5 1"},
        {"leaf_const": "0.5 1 1e101"},
        {"num_features": "1 0 1"},
        {"num_features": "1 0 -2"},
        {"leaf_features": "1 0 2"},
        {"leaf_features": "1 0"},
        {"leaf_coeff": "0.5 2"},
        {"leaf_coeff": "0.5 2 nan"},
    ],
)
def test_lines_that_are_none_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadInput) as caught:
        read_lightgbm(one_tree(**(LINES | changes)))
    assert caught.value.code == "MODEL_MALFORMED"


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("null", True),
        ("[]", True),
        ("[[0, 1, 2]]", True),
        ('[["wholesale", "retail"]]', False),
        ("[[1, 2]]", False),
        ("7", False),
        ("[", False),
    ],
)
def test_categories_must_be_the_codes_that_the_room_holds(value: str, accepted: bool) -> None:
    text = one_tree() + f"\npandas_categorical:{value}\n"
    if accepted:
        assert read_lightgbm(text) == read_lightgbm(one_tree())
    else:
        with pytest.raises(BadInput, match="numeric category codes"):
            read_lightgbm(text)


def test_too_large_is_not_even_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saferoom.scoring.lightgbm_reader.LARGEST_TEXT", 10)
    with pytest.raises(BadInput) as caught:
        read_lightgbm(one_tree())
    assert caught.value.code == "TOO_LARGE"


@pytest.mark.parametrize("bound", ["MOST_TREES", "MOST_LEAVES_IN_ALL"])
def test_an_ensemble_beyond_its_bounds_is_refused(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(forms, bound, 0)
    with pytest.raises(BadInput, match="number of trees or leaves"):
        read_lightgbm(one_tree())


@pytest.mark.parametrize("seed", range(4))
def test_mutants_are_refused_or_stay_inside_the_form(seed: int) -> None:
    """Whatever is accepted writes a text that reads back as the same form."""
    text = trained(random.Random(seed).choice(list(KINDS)), trees=3).text
    for mutant in mutants(text, 100, seed):
        try:
            form = read_lightgbm(mutant)
        except BadInput:
            continue
        again = read_lightgbm(canonical(form))
        assert trees_of(again).trees == trees_of(form).trees
        assert read_form(write_form(form)) == form
