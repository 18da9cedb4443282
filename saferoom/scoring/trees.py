"""How does a tree read a row, and which trees are proper?

A split asks one column x. Under `Reading.LIGHTGBM` (LightGBM 4, `Tree::NumericalDecision`,
`CategoricalDecision`) anything within ±1e-35 (as float32) of zero is zero, and a NaN that is
not missing counts as zero; under `Reading.PLAIN` a number is itself and NaN is always missing.
* numeric: x goes the default way when it is missing in this split's sense, else
  left when x ≤ threshold;
* category: NaN goes right, and so does x cut to an integer below zero; else left when
  that integer's bit is set.
A child ≥ 0 is a split, a negative child c is leaf −c − 1. Children come after parents.
Trees are shallow: a chain of a thousand questions would tell by the time that it takes
where on it a value lies, beside the grade that is charged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from saferoom.errors import BadInput
from saferoom.scoring.numbers import check_points

MOST_TREES = 5_000
MOST_LEAVES = 4_096  # of one tree
MOST_LEAVES_IN_ALL = 500_000
MOST_DEPTH = 64  # questions in a row
LARGEST_WORDS = 2**15  # of one category set: 2^20 categories


class Reading(StrEnum):
    """Whose rules turn a number into an answer."""

    LIGHTGBM = "lightgbm"
    PLAIN = "plain"


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


class Line(NamedTuple):
    """A leaf's straight line: constant + Σ coefficient · column, in order; no fused steps."""

    constant: float
    columns: tuple[int, ...]
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Tree:
    """One tree; a stump has no split and one leaf.

    Where there are lines, a leaf's line is its value, unless one of its columns is NaN.
    """

    splits: tuple[Split, ...]
    leaves: tuple[float, ...]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Trees:
    """A scorer: `start`, then each tree's leaf added in order, in float64."""

    trees: tuple[Tree, ...]
    reading: Reading
    start: float = 0.0

    @property
    def leaves(self) -> int:
        """Count leaves of all trees."""
        return sum(len(tree.leaves) for tree in self.trees)

    @property
    def depth(self) -> int:
        """Count the most questions that one tree asks in a row."""
        return max(depth(tree) for tree in self.trees)

    @property
    def linear(self) -> bool:
        """Say whether some leaf is a line."""
        return any(tree.lines for tree in self.trees)

    @property
    def columns(self) -> frozenset[int]:
        """Name the columns that any question or line reads."""
        return frozenset(
            column for tree in self.trees for column in (*_asked(tree.splits), *_lined(tree))
        )


def depth(tree: Tree) -> int:
    """Count the questions on the longest way; children come after parents."""
    deep = [1] * len(tree.splits)
    for index, split in enumerate(tree.splits):
        for child in (split.left, split.right):
            if child >= 0:
                deep[child] = deep[index] + 1
    return max(deep, default=0)


def check_trees(model: Trees, columns: int) -> None:
    """Refuse whatever would not be a finite sum of proper trees over so many columns."""
    if not 0 < len(model.trees) <= MOST_TREES or model.leaves > MOST_LEAVES_IN_ALL:
        raise BadInput("MODEL_MALFORMED", "number of trees or leaves")
    check_points((model.start,), "start of the sum")
    for index, tree in enumerate(model.trees):
        _check_tree(tree, columns, f"tree {index}")
        if model.reading is Reading.PLAIN:
            _check_plain(tree.splits, f"tree {index}")


def _check_tree(tree: Tree, columns: int, where: str) -> None:
    if not 0 < len(tree.leaves) <= MOST_LEAVES or len(tree.splits) != len(tree.leaves) - 1:
        raise BadInput("MODEL_MALFORMED", f"{where}: number of leaves")
    check_points(tree.leaves, f"{where}: leaf values")
    _check_lines(tree, columns, where)
    for split in tree.splits:
        if not 0 <= split.feature < columns:
            raise BadInput("MODEL_MALFORMED", f"{where}: feature index")
        _check_question(split, where)
    _check_children(tree, where)
    if depth(tree) > MOST_DEPTH:
        raise BadInput("MODEL_MALFORMED", f"{where}: over {MOST_DEPTH} splits deep; use max_depth")


def _check_lines(tree: Tree, columns: int, where: str) -> None:
    if tree.lines and len(tree.lines) != len(tree.leaves):
        raise BadInput("MODEL_MALFORMED", f"{where}: one line per leaf")
    for line in tree.lines:
        if len(line.columns) != len(line.coefficients):
            raise BadInput("MODEL_MALFORMED", f"{where}: one coefficient per feature")
        if not all(0 <= column < columns for column in line.columns):
            raise BadInput("MODEL_MALFORMED", f"{where}: feature index")
        check_points((line.constant, *line.coefficients), f"{where}: lines")


def _check_question(split: Split, where: str) -> None:
    if isinstance(split, CategorySplit):
        proper = 0 < len(split.words) <= LARGEST_WORDS
        if not proper or not all(0 <= word < 2**32 for word in split.words):
            raise BadInput("MODEL_MALFORMED", f"{where}: categories")
    elif not math.isfinite(split.threshold):
        raise BadInput("MODEL_MALFORMED", f"{where}: threshold")


def _check_plain(splits: Sequence[Split], where: str) -> None:
    """Where a number is itself, the only missing value is NaN."""
    for split in splits:
        if isinstance(split, NumericSplit) and split.missing is not Missing.NAN:
            raise BadInput("MODEL_MALFORMED", f"{where}: missing values")


def _check_children(tree: Tree, where: str) -> None:
    """Each split but the root and each leaf is a child exactly once, and comes later."""
    used: set[int] = set()
    for index, split in enumerate(tree.splits):
        for child in (split.left, split.right):
            late = index < child < len(tree.splits) or -len(tree.leaves) <= child < 0
            if not late or child in used:
                raise BadInput("MODEL_MALFORMED", f"{where}: child indices")
            used.add(child)


def _asked(splits: Sequence[Split]) -> Iterator[int]:
    return (split.feature for split in splits)


def _lined(tree: Tree) -> Iterator[int]:
    return (column for line in tree.lines for column in line.columns)
