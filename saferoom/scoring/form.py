"""What is a model, once nothing of its file is left?

A form is data: numbers and indices, read by a strict reader, scored row by row.
There is no operation across rows, so one enterprise's score cannot depend on
whose rows stand beside it.
Trees are shallow: a chain of a thousand questions would tell by the time that it takes
where on it a value lies, beside the grade that is charged.

How a tree reads a value x (LightGBM 4, `Tree::NumericalDecision`, `CategoricalDecision`):
* anything within ±1e-35 (as float32) of zero is zero;
* numeric: x goes the default way when it is missing in this split's sense, else
  left when x ≤ threshold; a NaN that is not missing counts as zero;
* category: NaN goes right, and so does x cut to an integer below zero; else left when
  that integer's bit is set.
A child ≥ 0 is a split, a negative child c is leaf −c − 1. Children come after parents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from saferoom.errors import BadInput
from saferoom.scoring.numbers import check_ascending, check_points

MOST_FEATURES = 20_000
MOST_TREES = 5_000
MOST_LEAVES = 4_096  # of one tree
MOST_LEAVES_IN_ALL = 500_000
MOST_DEPTH = 64  # questions in a row
MOST_EDGES = 1_000  # of one characteristic


class Missing(IntEnum):
    """Which values take a numeric split's default way."""

    NEVER = 0
    ZERO = 1  # zero and NaN
    NAN = 2


class NumericSplit(NamedTuple):
    """One question about a number."""

    feature: int
    threshold: float
    missing: Missing
    default_left: bool
    left: int
    right: int


class CategorySplit(NamedTuple):
    """One question about a category; `words` is a bit set of 32-bit words."""

    feature: int
    words: tuple[int, ...]
    left: int
    right: int


Split = NumericSplit | CategorySplit


@dataclass(frozen=True)
class Tree:
    """One tree; a stump has no split and one leaf."""

    splits: tuple[Split, ...]
    leaves: tuple[float, ...]


@dataclass(frozen=True)
class TreeEnsemble:
    """A sum of trees, through 1 / (1 + exp(−slope · sum)) where a slope is given."""

    features: tuple[str, ...]
    trees: tuple[Tree, ...]
    slope: float | None

    @property
    def scorer(self) -> str:
        """Name the kind of model."""
        return "tree ensemble"

    @property
    def parts(self) -> int:
        """Count trees."""
        return len(self.trees)

    @property
    def leaves(self) -> int:
        """Count leaves of all trees."""
        return sum(len(tree.leaves) for tree in self.trees)

    @property
    def depth(self) -> int:
        """Count the most questions that one tree asks in a row."""
        return max(_depth(tree) for tree in self.trees)


@dataclass(frozen=True)
class Characteristic:
    """One feature's bins: the bin is how many edges are ≤ the value."""

    feature: str
    edges: tuple[float, ...]
    points: tuple[float, ...]
    missing: float


@dataclass(frozen=True)
class Scorecard:
    """Base points and points per bin, summed in order."""

    base: float
    characteristics: tuple[Characteristic, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Name the features in order."""
        return tuple(each.feature for each in self.characteristics)

    @property
    def scorer(self) -> str:
        """Name the kind of model."""
        return "scorecard"

    @property
    def parts(self) -> int:
        """Count characteristics."""
        return len(self.characteristics)

    @property
    def leaves(self) -> int:
        """Count bins, the missing one among them."""
        return sum(len(each.points) + 1 for each in self.characteristics)

    @property
    def depth(self) -> int:
        """Count the look-ups of one characteristic."""
        return 1


Form = TreeEnsemble | Scorecard


def check_features(features: tuple[str, ...]) -> None:
    """Refuse none, too many, or the same name twice."""
    if not 0 < len(features) <= MOST_FEATURES or len(set(features)) != len(features):
        raise BadInput("MODEL_MALFORMED", "feature names")


def check_ensemble(model: TreeEnsemble) -> None:
    """Refuse whatever would not be a finite sum of proper trees."""
    check_features(model.features)
    if not 0 < len(model.trees) <= MOST_TREES or model.leaves > MOST_LEAVES_IN_ALL:
        raise BadInput("MODEL_MALFORMED", "number of trees or leaves")
    if model.slope is not None and not 0 < model.slope <= 1000:
        raise BadInput("MODEL_MALFORMED", "objective")
    for index, tree in enumerate(model.trees):
        _check_tree(tree, len(model.features), f"tree {index}")


def _check_tree(tree: Tree, features: int, where: str) -> None:
    if not 0 < len(tree.leaves) <= MOST_LEAVES or len(tree.splits) != len(tree.leaves) - 1:
        raise BadInput("MODEL_MALFORMED", f"{where}: number of leaves")
    check_points(tree.leaves, f"{where}: leaf values")
    for split in tree.splits:
        if not 0 <= split.feature < features:
            raise BadInput("MODEL_MALFORMED", f"{where}: feature index")
        _check_question(split, where)
    _check_children(tree, where)
    if _depth(tree) > MOST_DEPTH:
        raise BadInput("MODEL_MALFORMED", f"{where}: over {MOST_DEPTH} splits deep; use max_depth")


def _depth(tree: Tree) -> int:
    """Count the questions on the longest way; children come after parents."""
    deep = [1] * len(tree.splits)
    for index, split in enumerate(tree.splits):
        for child in (split.left, split.right):
            if child >= 0:
                deep[child] = deep[index] + 1
    return max(deep, default=0)


def _check_question(split: Split, where: str) -> None:
    if isinstance(split, CategorySplit):
        if not split.words or not all(0 <= word < 2**32 for word in split.words):
            raise BadInput("MODEL_MALFORMED", f"{where}: categories")
    elif not math.isfinite(split.threshold):
        raise BadInput("MODEL_MALFORMED", f"{where}: threshold")


def _check_children(tree: Tree, where: str) -> None:
    """Each split but the root and each leaf is a child exactly once, and comes later."""
    used: set[int] = set()
    for index, split in enumerate(tree.splits):
        for child in (split.left, split.right):
            late = index < child < len(tree.splits) or -len(tree.leaves) <= child < 0
            if not late or child in used:
                raise BadInput("MODEL_MALFORMED", f"{where}: child indices")
            used.add(child)


def check_scorecard(card: Scorecard) -> None:
    """Refuse bins that overlap, or points that could sum to infinity."""
    check_features(card.features)
    check_points((card.base,), "base")
    for index, each in enumerate(card.characteristics):
        where = f"characteristic {index}"
        if len(each.edges) > MOST_EDGES or len(each.points) != len(each.edges) + 1:
            raise BadInput("MODEL_MALFORMED", f"{where}: one more points than edges")
        check_ascending(each.edges, f"{where}: edges")
        check_points((*each.points, each.missing), f"{where}: points")
