"""Does the form refuse what no reader should build?"""

from __future__ import annotations

import math

import pytest

from saferoom.errors import BadInput
from saferoom.scoring.form import Form, check_form, trees_form
from saferoom.scoring.trees import (
    MOST_DEPTH,
    CategorySplit,
    Missing,
    NumericSplit,
    Reading,
    Split,
    Tree,
    Trees,
)


def numeric(threshold: float = 0.5, feature: int = 0) -> NumericSplit:
    return NumericSplit(feature, threshold, Missing.NAN, default_left=True, left=-1, right=-2)


def form_of(*trees: Tree, slope: float | None = None) -> Form:
    return trees_form(("a",), Trees(trees, Reading.LIGHTGBM), slope)


def ensemble(split: Split, leaves: tuple[float, ...] = (0.0, 1.0)) -> Form:
    return form_of(Tree((split,), leaves))


def test_a_proper_tree_passes() -> None:
    check_form(ensemble(numeric()))
    check_form(ensemble(CategorySplit(0, (2**32 - 1,), -1, -2)))


@pytest.mark.parametrize(
    "split",
    [
        numeric(math.nan),
        numeric(math.inf),
        numeric(feature=1),
        CategorySplit(0, (), -1, -2),
        CategorySplit(0, (2**32,), -1, -2),
        CategorySplit(0, (1,), -1, 0),
    ],
)
def test_an_improper_split_is_refused(split: Split) -> None:
    with pytest.raises(BadInput, match="MODEL_MALFORMED"):
        check_form(ensemble(split))


@pytest.mark.parametrize("leaves", [(), (1.0,), (1.0, 2.0, 3.0), (0.0, math.nan), (0.0, 1e101)])
def test_improper_leaves_are_refused(leaves: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="MODEL_MALFORMED"):
        check_form(ensemble(numeric(), leaves))


def chain(depth: int) -> Form:
    """Ask one question after another: how far x goes is how long it takes."""
    splits = tuple(
        NumericSplit(
            0, float(at), Missing.NAN, False, -at - 1, at + 1 if at < depth - 1 else -depth - 1
        )
        for at in range(depth)
    )
    return form_of(Tree((), (0.5,)), Tree(splits, (0.0,) * (depth + 1)))


def test_a_tree_s_depth_is_counted_and_bounded() -> None:
    assert chain(1).depth == 1
    check_form(chain(MOST_DEPTH))
    assert chain(MOST_DEPTH).depth == MOST_DEPTH
    with pytest.raises(BadInput, match=r"tree 1: over 64 splits deep; use max_depth"):
        check_form(chain(MOST_DEPTH + 1))


@pytest.mark.parametrize("slope", [0.0, math.nan, 1001.0, -1001.0])
def test_an_improper_link_is_refused(slope: float) -> None:
    with pytest.raises(BadInput, match="objective"):
        check_form(form_of(Tree((), (0.5,)), slope=slope))
