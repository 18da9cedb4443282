"""What score does the form say, computed as slowly and plainly as it reads?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from saferoom.scoring.form import Form, Linear, Scorecard, Scorer
from saferoom.scoring.functions import Function, Logistic
from saferoom.scoring.trees import CategorySplit, Missing, Reading, Split, Tree, Trees

ZERO = float(np.float32(1e-35))


def score(form: Form | Scorecard, row: Sequence[float]) -> float:
    """NaN where the model refuses the row."""
    if isinstance(form, Scorecard):
        return card_score(form, row)
    for each, value in zip(form.inputs, row, strict=True):
        if (math.isnan(value) and not each.missing) or (math.isinf(value) and not each.infinite):
            return math.nan
    columns = list(map(float, row))
    for step in form.steps:
        value = columns[step.column]
        if refuses(step.function, value):
            return math.nan
        columns.append(applied(step.function, value))
    total = 0.0
    for member in form.members:
        total += member.weight * finished(member.finish, scored(member.scorer, form, columns))
    return finished(form.finish, total)


def finished(functions: Sequence[Function], value: float) -> float:
    for function in functions:
        value = applied(function, value)
    return value


def applied(function: Function, value: float) -> float:
    if isinstance(function, Logistic):
        try:
            return 1.0 / (1.0 + math.exp(-function.steepness * value))
        except OverflowError:  # C's exp says infinity
            return 0.0
    with np.errstate(all="ignore"):
        return float(function.apply(np.array([value]))[0])


def refuses(function: Function, value: float) -> bool:
    found = function.refused(np.array([value]))
    return found is not None and bool(found[0])


def scored(scorer: Scorer, form: Form, columns: Sequence[float]) -> float:
    match scorer:
        case Trees():
            total = scorer.start
            for tree in scorer.trees:
                total += leaf_value(tree, columns, scorer.reading)
            return total + 0.0
        case Scorecard():
            return card_score(scorer, [columns[form.features.index(n)] for n in scorer.features])
        case Linear():
            total = 0.0
            for column, weight in zip(scorer.columns, scorer.weights, strict=True):
                total += weight * columns[column]
            return total + scorer.intercept


def card_score(card: Scorecard, row: Sequence[float]) -> float:
    total = card.base
    for each, value in zip(card.characteristics, row, strict=True):
        if math.isnan(value):
            total += each.missing
        else:
            total += each.points[sum(edge <= value for edge in each.edges)]
    return total


def grade(score: float, thresholds: Sequence[float], direction: str) -> int:
    if math.isnan(score):
        return -1
    passed = sum(threshold <= score for threshold in thresholds)
    return passed if direction == "risk" else len(thresholds) - passed


def leaf_value(tree: Tree, row: Sequence[float], reading: Reading) -> float:
    reached = leaf(tree, row, reading)
    if not tree.lines:
        return tree.leaves[reached]
    line = tree.lines[reached]
    total = line.constant
    for column, factor in zip(line.columns, line.coefficients, strict=True):
        if math.isnan(row[column]):
            return tree.leaves[reached]
        total += factor * row[column]
    return total


def leaf(tree: Tree, row: Sequence[float], reading: Reading) -> int:
    node = 0 if tree.splits else -1
    while node >= 0:
        split = tree.splits[node]
        value = row[split.feature]
        if reading is Reading.LIGHTGBM and abs(value) <= ZERO:
            value = 0.0
        node = split.left if goes_left(split, value) else split.right
    return -node - 1


def goes_left(split: Split, value: float) -> bool:
    if isinstance(split, CategorySplit):
        if math.isnan(value) or math.isinf(value) or int(value) < 0:
            return False
        word, bit = divmod(int(value), 32)
        return word < len(split.words) and bool(split.words[word] >> bit & 1)
    if math.isnan(value) and split.missing is not Missing.NAN:
        value = 0.0
    missing = math.isnan(value) if split.missing is Missing.NAN else value == 0.0
    if split.missing is not Missing.NEVER and missing:
        return split.default_left
    return value <= split.threshold
