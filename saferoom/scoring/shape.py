"""What does a form promise for every row, without any row?

Which way the score goes as one input grows and the others stay (missing values apart), and
between which bounds it lies, so which grades it can give at all. Both err on the safe side:
what is said is proved from the form; a model that rises may still be called mixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise

import numpy as np

from saferoom.scoring.form import Direction, Form, Member, Scorecard
from saferoom.scoring.functions import Function, slope_of
from saferoom.scoring.trees import NumericSplit, Tree, Trees

Bounds = tuple[float, float]
_EVERYTHING: Bounds = (-math.inf, math.inf)


class Way(StrEnum):
    """Where the score goes as an input grows."""

    RISING = "rising"
    FALLING = "falling"
    UNUSED = "unused"
    MIXED = "mixed"  # or not proved


_WAYS = {1: Way.RISING, -1: Way.FALLING, 0: Way.UNUSED, None: Way.MIXED}


def ways(form: Form) -> dict[str, Way]:
    """Say it for each input."""
    found: dict[int, int | None] = {}
    last = slope_of(form.finish)
    for member in form.members:
        sign = _times(_sign(member.weight), _times(slope_of(member.finish), last))
        for column, slope in _columns(form, member):
            source, functions = form.chain(column)
            way = _times(_times(slope, sign), slope_of(functions))
            found[source] = _both(found.get(source, 0), way)
    return {each.name: _WAYS[found.get(place, 0)] for place, each in enumerate(form.inputs)}


def bounds(form: Form) -> Bounds:
    """Between what the score lies."""
    low = high = 0.0
    for member in form.members:
        least, most = _through(_scorer_bounds(member), member.finish)
        ends = sorted((member.weight * least, member.weight * most)) if member.weight else (0, 0)
        low, high = low + ends[0], high + ends[1]
    return _through((low, high), form.finish)


def reachable_grades(form: Form, thresholds: tuple[float, ...], direction: Direction) -> range:
    """Name the grades, by index, that lie between the bounds."""
    low, high = (int(np.searchsorted(thresholds, end, side="right")) for end in bounds(form))
    if direction is Direction.RISK:
        return range(low, high + 1)
    return range(len(thresholds) - high, len(thresholds) - low + 1)


def _columns(form: Form, member: Member) -> Iterable[tuple[int, int | None]]:
    match member.scorer:
        case Trees() as trees:
            for tree in trees.trees:
                yield from _tree_slopes(tree)
        case Scorecard() as card:
            for each in card.characteristics:
                yield form.features.index(each.feature), _slope(each.points)
        case linear:
            signs = map(_sign, linear.weights)
            yield from zip(linear.columns, signs, strict=True)


def _tree_slopes(tree: Tree) -> Iterable[tuple[int, int | None]]:
    """Say a question goes one way when one of its sides lies wholly above the other."""
    if tree.lines:
        for line in tree.lines:
            yield from ((column, None) for column in line.columns)
        yield from ((split.feature, None) for split in tree.splits)
        return
    ends: dict[int, Bounds] = {-place - 1: (leaf, leaf) for place, leaf in enumerate(tree.leaves)}
    for node in range(len(tree.splits) - 1, -1, -1):  # children come after parents
        split = tree.splits[node]
        left, right = ends[split.left], ends[split.right]
        ends[node] = (min(left[0], right[0]), max(left[1], right[1]))
        slope = None
        if left == right and left[0] == left[1]:
            slope = 0
        elif isinstance(split, NumericSplit):
            slope = 1 if left[1] <= right[0] else -1 if left[0] >= right[1] else None
        yield split.feature, slope


def _scorer_bounds(member: Member) -> Bounds:
    match member.scorer:
        case Trees() as trees if not trees.linear:
            low = high = trees.start
            for tree in trees.trees:
                low, high = low + min(tree.leaves), high + max(tree.leaves)
            return low, high
        case Scorecard() as card:
            low = high = card.base
            for each in card.characteristics:
                low += min(*each.points, each.missing)
                high += max(*each.points, each.missing)
            return low, high
        case _:
            return _EVERYTHING


def _through(ends: Bounds, functions: tuple[Function, ...]) -> Bounds:
    for function in functions:
        if function.slope is None:
            return _EVERYTHING
        with np.errstate(all="ignore"):
            low, high = sorted(function.apply(np.array(ends)).tolist())
        ends = _EVERYTHING if math.isnan(low) or math.isnan(high) else (low, high)
    return ends


def _slope(values: tuple[float, ...]) -> int | None:
    steps = {_sign(after - before) for before, after in pairwise(values)}
    steps.discard(0)
    return None if len(steps) > 1 else next(iter(steps), 0)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _times(one: int | None, other: int | None) -> int | None:
    if 0 in (one, other):
        return 0
    return None if one is None or other is None else one * other


def _both(one: int | None, other: int | None) -> int | None:
    """Two parts of a sum agree, or one of them is constant."""
    if one in {0, other}:
        return other
    return one if other == 0 else None
