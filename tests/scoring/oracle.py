"""What score does the form say, computed as slowly and plainly as it reads?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from saferoom.scoring.form import CategorySplit, Form, Missing, Scorecard, Split, Tree

ZERO = float(np.float32(1e-35))


def score(form: Form, row: Sequence[float]) -> float:
    if isinstance(form, Scorecard):
        return card_score(form, row)
    total = 0.0
    for tree in form.trees:
        total += tree.leaves[leaf(tree, row)]
    if form.slope is None:
        return total
    try:
        return 1.0 / (1.0 + math.exp(-form.slope * total))
    except OverflowError:  # C's exp says infinity
        return 0.0


def card_score(card: Scorecard, row: Sequence[float]) -> float:
    total = card.base
    for each, value in zip(card.characteristics, row, strict=True):
        if math.isnan(value):
            total += each.missing
        else:
            total += each.points[sum(edge <= value for edge in each.edges)]
    return total


def grade(score: float, thresholds: Sequence[float], direction: str) -> int:
    passed = sum(threshold <= score for threshold in thresholds)
    return passed if direction == "risk" else len(thresholds) - passed


def leaf(tree: Tree, row: Sequence[float]) -> int:
    node = 0 if tree.splits else -1
    while node >= 0:
        split = tree.splits[node]
        value = row[split.feature]
        value = 0.0 if abs(value) <= ZERO else value
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
