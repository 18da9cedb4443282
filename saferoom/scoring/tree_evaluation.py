"""What do trees sum to, where no compiled engine can be loaded?

The same doubles, bit for bit: leaves are summed in the trees' order from their start.
All trees of some rows walk one level at a time, in numpy.

A split's missing values are settled before the walk, so that a split is nothing but
`value ≤ threshold`: each feature has one column per way of reading it, in which what is
missing stands as −∞ (goes left), +∞ (goes right) or zero. Thresholds are finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saferoom.scoring.functions import Floats
from saferoom.scoring.trees import (
    CategorySplit,
    Line,
    Missing,
    NumericSplit,
    Reading,
    Split,
    Tree,
    Trees,
)

BLOCK = 2**16  # rows × trees, and rows × columns, at a time: what a core's cache holds

NEAR_ZERO = float(np.float32(1e-35))
_LEFT, _RIGHT = -math.inf, math.inf
_NO_CATEGORY = -1.0

_Integers = NDArray[np.intp]
_Flags = NDArray[np.bool_]


class TreeEvaluator:
    """Trees that passed `check_trees`, as arrays over the splits of all of them.

    A split is named by its number among all; a child below zero is ~leaf, counted likewise.
    """

    def __init__(self, model: Trees) -> None:
        splits = [split for tree in model.trees for split in tree.splits]
        plain = model.reading is Reading.PLAIN
        columns: dict[_Reading, int] = {}
        readings = [reading_of(split) for split in splits]
        self._column = _integers([columns.setdefault(each, len(columns)) for each in readings])
        self._columns = _Columns(list(columns), 0.0 if plain else NEAR_ZERO)
        self._thresholds = np.array([_threshold(split) for split in splits], np.float64)
        self._categories = _Categories(splits)
        self._roots, self._children = _number(model.trees)
        self._leaves = np.array([value for tree in model.trees for value in tree.leaves])
        self._lines = _Lines(model.trees) if model.linear else None
        self._start = model.start

    def sums(self, matrix: Floats) -> Floats:
        """Sum the leaves that each row reaches, in the trees' order."""
        return self._blocks(matrix, self._sum)

    def leaves(self, matrix: Floats) -> _Integers:
        """Name the leaf, among all, that each row reaches in each tree."""
        found = self._blocks(matrix, lambda block: self._ends(block).astype(np.float64))
        return found.astype(np.intp).reshape(len(matrix), -1)

    def _blocks(self, matrix: Floats, do: Callable[[Floats], Floats]) -> Floats:
        rows = max(1, BLOCK // max(len(self._roots), self._columns.count))
        blocks = [do(matrix[at : at + rows]) for at in range(0, len(matrix), rows)]
        return np.concatenate([np.empty(0), *(block.reshape(-1) for block in blocks)])

    def _sum(self, matrix: Floats) -> Floats:
        ends = self._ends(matrix)
        values = self._leaves[ends]
        if self._lines is not None:
            values = self._lines.values(ends, values, matrix)
        # A sum along an axis may add in pairs, accumulation may not; + 0.0 unmakes −0.0.
        start = np.full((len(matrix), 1), self._start)
        return np.add.accumulate(np.hstack([start, values]), axis=1)[:, -1] + 0.0

    def _ends(self, matrix: Floats) -> _Integers:
        return self._walk(self._columns.read(matrix), len(matrix)).reshape(len(matrix), -1)

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

    def __init__(self, readings: Sequence[_Reading], near_zero: float) -> None:
        self.count = len(readings)
        self._near_zero = near_zero
        self._features = _integers([each.feature for each in readings])
        self._nan = np.array([each.nan for each in readings], np.float64)
        self._zero = np.array([each.zero for each in readings], np.float64)

    def read(self, matrix: Floats) -> Floats:
        """Write the columns side by side, and the rows one after the other."""
        values = matrix[:, self._features]
        values = np.where(np.abs(values) <= self._near_zero, self._zero, values)
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


class _Lines:
    """The leaves that are straight lines, one row of columns and coefficients each."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        flat = [line for tree in trees for line in tree.lines or (_NO_LINE,) * len(tree.leaves)]
        self._width = max(len(line.columns) for line in flat)
        self._real = np.array([line is not _NO_LINE for line in flat])
        self._constants = np.array([line.constant for line in flat], np.float64)
        self._lengths = _integers([len(line.columns) for line in flat])
        shape = (len(flat), self._width)
        self._columns, self._coefficients = np.zeros(shape, np.intp), np.zeros(shape)
        for place, line in enumerate(flat):
            self._columns[place, : len(line.columns)] = line.columns
            self._coefficients[place, : len(line.columns)] = line.coefficients

    def values(self, ends: _Integers, leaves: Floats, matrix: Floats) -> Floats:
        """Give each row the value of its line, or of its leaf where a column is missing."""
        rows = np.arange(len(matrix))[:, None]
        totals, known = self._constants[ends], self._real[ends]
        for term in range(self._width):
            here = term < self._lengths[ends]
            values = np.where(here, matrix[rows, self._columns[ends, term]], 0.0)
            known &= ~np.isnan(values)
            totals = np.where(here, totals + self._coefficients[ends, term] * values, totals)
        return np.where(known, totals, leaves)


_NO_LINE = Line(0.0, (), ())


def reading_of(split: Split) -> _Reading:
    """Say which column a split asks: a feature, and what stands there for NaN and for zero."""
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


def _integers(values: Sequence[int]) -> _Integers:
    return np.array(values, np.intp)


def portable(model: Trees, _columns: int) -> Callable[[Floats], Floats]:
    """Load trees into the engine that needs nothing but numpy."""
    return TreeEvaluator(model).sums
