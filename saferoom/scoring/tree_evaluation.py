"""What does a tree ensemble score, where LightGBM's library cannot be loaded?

The same doubles, bit for bit: leaves are summed in the trees' order from zero, and the
link uses the C library's `exp` as LightGBM does (numpy's own differs in the last bit).
All trees of some rows walk one level at a time, in numpy.

A split's missing values are settled before the walk, so that a split is nothing but
`value ≤ threshold`: each feature has one column per way of reading it, in which what is
missing stands as −∞ (goes left), +∞ (goes right) or zero. Thresholds are finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saferoom.scoring.evaluation import Floats
from saferoom.scoring.form import CategorySplit, Missing, NumericSplit, Split, Tree, TreeEnsemble

BLOCK = 2**16  # rows × trees, and rows × columns, at a time: what a core's cache holds

_ZERO = float(np.float32(1e-35))
_LARGEST_EXPONENT = math.log(float(np.finfo(np.float64).max))
_LEFT, _RIGHT = -math.inf, math.inf
_NO_CATEGORY = -1.0

_Integers = NDArray[np.intp]
_Flags = NDArray[np.bool_]


class TreeEvaluator:
    """One ensemble that passed `check_ensemble`, as arrays over the splits of all trees.

    A split is named by its number among all; a child below zero is ~leaf, counted likewise.
    """

    def __init__(self, model: TreeEnsemble) -> None:
        splits = [split for tree in model.trees for split in tree.splits]
        columns: dict[_Reading, int] = {}
        self._column = _integers([columns.setdefault(_reading(s), len(columns)) for s in splits])
        self._columns = _Columns(list(columns))
        self._thresholds = np.array([_threshold(split) for split in splits], np.float64)
        self._categories = _Categories(splits)
        self._roots, self._children = _number(model.trees)
        self._leaves = np.array([value for tree in model.trees for value in tree.leaves])
        self._slope = model.slope

    def scores(self, matrix: Floats) -> Floats:
        """Score each row of a float64 matrix, through the link."""
        sums = self.sums(matrix)
        return sums if self._slope is None else _sigmoid(self._slope, sums)

    def sums(self, matrix: Floats) -> Floats:
        """Sum the leaves that each row reaches, in the trees' order."""
        rows = max(1, BLOCK // max(len(self._roots), self._columns.count))
        blocks = [self._sum(matrix[at : at + rows]) for at in range(0, len(matrix), rows)]
        return np.concatenate([np.empty(0), *blocks])

    def _sum(self, matrix: Floats) -> Floats:
        leaves = self._leaves[self._walk(self._columns.read(matrix), len(matrix))]
        # A sum along an axis may add in pairs, accumulation may not; + 0.0 unmakes −0.0.
        return np.add.accumulate(leaves.reshape(len(matrix), -1), axis=1)[:, -1] + 0.0

    def _walk(self, values: Floats, rows: int) -> _Integers:
        """Walk each row down each tree; return the leaves, row by row."""
        ends = np.tile(self._roots, rows)
        walks = np.flatnonzero(ends >= 0)  # a stump's root is its leaf
        nodes = ends[walks]
        offsets = walks // len(self._roots) * self._columns.count
        while len(walks):
            right = self._go_right(nodes, values[offsets + self._column[nodes]])
            nodes = self._children[2 * nodes + right]
            ends[walks] = nodes
            going = np.flatnonzero(nodes >= 0)
            walks, nodes, offsets = walks[going], nodes[going], offsets[going]
        return ~ends

    def _go_right(self, nodes: _Integers, values: Floats) -> _Flags:
        right = values > self._thresholds[nodes]
        if self._categories.exist:
            asked = np.flatnonzero(self._categories.sizes[nodes])
            right[asked] = ~self._categories.hold(nodes[asked], values[asked])
        return right


class _Reading(NamedTuple):
    """One column: a feature, and what stands there for NaN and for zero."""

    feature: int
    nan: float
    zero: float


class _Columns:
    """The ways in which a model reads its features."""

    def __init__(self, readings: Sequence[_Reading]) -> None:
        self.count = len(readings)
        self._features = _integers([each.feature for each in readings])
        self._nan = np.array([each.nan for each in readings], np.float64)
        self._zero = np.array([each.zero for each in readings], np.float64)

    def read(self, matrix: Floats) -> Floats:
        """Write the columns side by side, and the rows one after the other."""
        values = matrix[:, self._features]
        values = np.where(np.abs(values) <= _ZERO, self._zero, values)
        return np.where(np.isnan(values), self._nan, values).reshape(-1)


class _Categories:
    """The bit sets of the category splits; a numeric split has an empty one."""

    def __init__(self, splits: Sequence[Split]) -> None:
        sets = [split.words if isinstance(split, CategorySplit) else () for split in splits]
        self.sizes = _integers([32 * len(words) for words in sets])
        self.exist = bool(self.sizes.any())
        self._starts = np.cumsum(self.sizes // 32) - self.sizes // 32
        self._words = np.array([word for words in sets for word in words], np.uint32)

    def hold(self, nodes: _Integers, values: Floats) -> _Flags:
        """Whether each value, cut to an integer, is in its split's set."""
        inside = (values > _NO_CATEGORY) & (values < self.sizes[nodes])
        codes = np.where(inside, values, 0.0).astype(np.intp)
        words = self._words[self._starts[nodes] + (codes >> 5)]
        return inside & ((words >> (codes & 31).astype(np.uint32)) & 1).astype(np.bool_)


def _reading(split: Split) -> _Reading:
    if isinstance(split, CategorySplit):
        return _Reading(split.feature, _NO_CATEGORY, 0.0)
    if split.missing is Missing.NEVER:
        return _Reading(split.feature, 0.0, 0.0)
    default = _LEFT if split.default_left else _RIGHT
    return _Reading(split.feature, default, default if split.missing is Missing.ZERO else 0.0)


def _threshold(split: Split) -> float:
    return split.threshold if isinstance(split, NumericSplit) else 0.0


def _number(trees: Sequence[Tree]) -> tuple[_Integers, _Integers]:
    """Return the roots, and the left and right child of each split."""
    splits = list(accumulate((len(tree.splits) for tree in trees), initial=0))
    leaves = list(accumulate((len(tree.leaves) for tree in trees), initial=0))
    numbered = list(zip(trees, splits, leaves, strict=False))  # both end with a total
    roots = [split if tree.splits else ~leaf for tree, split, leaf in numbered]
    children = [
        child + first if child >= 0 else child - leaf
        for tree, first, leaf in numbered
        for split in tree.splits
        for child in (split.left, split.right)
    ]
    return _integers(roots), _integers(children)


def _sigmoid(slope: float, sums: Floats) -> Floats:
    exponents = (-slope * sums).tolist()
    powers = [math.exp(each) if each <= _LARGEST_EXPONENT else math.inf for each in exponents]
    return 1.0 / (1.0 + np.array(powers, np.float64))


def _integers(values: Sequence[int]) -> _Integers:
    return np.array(values, np.intp)
