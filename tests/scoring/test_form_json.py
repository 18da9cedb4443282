"""Is a form one text, and nothing but a form read from any?"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.form import Form, Input, Linear, Member, Source, Step, scorecard_form
from saferoom.scoring.form_json import form_digest, read_form, write_form
from saferoom.scoring.functions import (
    Add,
    Bin,
    Clip,
    Divide,
    Impute,
    Interpolate,
    IsMissing,
    Log1p,
    Logistic,
    Lookup,
    Multiply,
    Single,
)
from saferoom.scoring.lightgbm_reader import read_lightgbm
from tests.scoring.forests import forest
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import KINDS, trained

FUNCTIONS = (
    Impute(1.5),
    IsMissing(),
    Add(-2.0),
    Multiply(0.5),
    Divide(3.0),
    Clip(-1.0, 1.0),
    Bin((0.0, 0.5)),
    Lookup((0.0, 1.0), (7.0, 8.0), missing=0.0, unknown=1.0, refuses_unknown=False),
    Log1p(),
    Single(),
)
WIDE = Form(
    Source.SCIKIT_LEARN,
    (Input("a", missing=False), Input("b", infinite=False)),
    tuple(Step(place % 2, function) for place, function in enumerate(FUNCTIONS)),
    (
        Member(Linear(0.5, (2, 3), (1.0, -1.0)), (Logistic(-1.0),), 2.0),
        Member(Linear(0.0, (1,), (1.0,)), (Interpolate((0.0, 1.0), (0.0, 2.0)),)),
    ),
    (Divide(2.0),),
)


@pytest.mark.parametrize("kind", KINDS)
def test_lightgbm_s_models_are_forms(kind: str) -> None:
    form = read_lightgbm(trained(kind).text)
    assert read_form(write_form(form)) == form


def test_every_function_and_scorer_is_read_as_written() -> None:
    assert read_form(write_form(WIDE)) == WIDE
    card = scorecard_form(CARD)
    assert read_form(write_form(card)) == card
    assert form_digest(card) != form_digest(WIDE)
    assert (WIDE.scorer, WIDE.parts, WIDE.leaves, WIDE.depth) == ("linear", 2, 3, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_forest_is_read_as_written(seed: int) -> None:
    form = forest(random.Random(seed))
    assert read_form(write_form(form)) == form


def changed(change: Callable[[dict[str, Json]], object], form: Form = WIDE) -> str:
    value = parse_object(write_form(form).encode())
    change(value)
    return canonical_bytes(value).decode()


def at(value: Json, *path: str | int) -> dict[str, Json]:
    """Follow a path to an object."""
    for key in path:
        value = value[key]  # type: ignore[index]  # the test knows its shape
    assert isinstance(value, dict)
    return value


def put(path: tuple[str | int, ...], name: str, new: Json) -> Callable[[dict[str, Json]], object]:
    return lambda value: at(value, *path).update({name: new})


TREES = ("members", 0, "scorer", "trees", 0)
BROKEN = {
    "a field more": put((), "extra", 1),
    "another kind": put((), "kind", "saferoom/form/2"),
    "another source": put((), "source", "xgboost"),
    "no inputs": put((), "inputs", []),
    "a name of no letters": put(("inputs", 0), "name", ""),
    "the same name twice": put(("inputs", 0), "name", "b"),
    "missing, perhaps": put(("inputs", 0), "missing", 1),
    "a step ahead": put(("steps", 0), "column", 2),
    "a step from nowhere": put(("steps", 0), "column", -1),
    "a step from a half": put(("steps", 0), "column", True),
    "a function of one's own": put(("steps", 0, "function"), "kind", "exec"),
    "a function of two kinds": put(("steps", 0, "function"), "kind", ["impute"]),
    "a function's field more": put(("steps", 0, "function"), "more", 1),
    "a missing number": put(("steps", 0, "function"), "value", None),
    "a division by zero": put(("steps", 4, "function"), "number", (0.0).hex()),
    "a clip upside down": put(("steps", 5, "function"), "low", (2.0).hex()),
    "bins upside down": put(("steps", 6, "function"), "edges", [(1.0).hex(), (0.0).hex()]),
    "bins without end": put(("steps", 6, "function"), "edges", [None]),
    "a key without value": put(("steps", 7, "function"), "values", []),
    "a flag of one": put(("steps", 7, "function"), "refuses_unknown", 1),
    "a value beyond all": put(("steps", 7, "function"), "missing", (1e101).hex()),
    "no members": put((), "members", []),
    "a member without weight": put(("members", 0), "weight", None),
    "a scorer of one's own": put(("members", 0, "scorer"), "kind", "neural"),
    "a weight too few": put(("members", 0, "scorer"), "columns", [2]),
    "a column that is not there": put(("members", 0, "scorer"), "columns", [2, 12]),
    "a flat link": put(("members", 0, "finish", 0), "steepness", (0.0).hex()),
    "points upside down": put(("members", 1, "finish", 0), "at", [(1.0).hex(), (0.0).hex()]),
    "too many links": put((), "finish", [{"kind": "is-missing"}] * 17),
}
BROKEN_TREES = {
    "another reading": put(TREES[:3], "reading", "xgboost"),
    "a start without end": put(TREES[:3], "start", "inf"),
    "a split too few": put(TREES, "columns", []),
    "a question of no kind": put(TREES, "how", [9]),
    "what cannot be missing goes left": put(TREES, "how", [1]),
    "a threshold that is none": put(TREES, "thresholds", "7ff8000000000000"),
    "capitals": put(TREES, "thresholds", "7FE0000000000000"),
    "half a threshold": put(TREES, "thresholds", "7fe0"),
    "no hexadecimal": put(TREES, "thresholds", "x" * 16),
    "a set without split": put(TREES, "sets", [[1]]),
    "a category with a threshold": put(TREES, "how", [6]),
    "a leaf too many": put(TREES, "leaves", "0" * 48),
    "a child that is its parent": put(TREES, "left", [0]),
    "half a line": put(TREES, "lines", [{"constant": (0.0).hex()}]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_form_is_refused(case: str) -> None:
    check_refused(changed(BROKEN[case]))


@pytest.mark.parametrize("case", BROKEN_TREES)
def test_what_is_no_tree_is_refused(case: str) -> None:
    form = read_lightgbm(trained("depth one").text)
    check_refused(changed(BROKEN_TREES[case], form))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "saferoom/form/1"}'])
def test_what_is_not_canonical_is_refused(text: str) -> None:
    check_refused(text)


def check_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_form(text)
    assert caught.value.code == "MODEL_MALFORMED"
