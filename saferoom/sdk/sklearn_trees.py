"""Which of our trees is a fitted scikit-learn tree?

Its trees read float32 and compare with a float64 threshold; those of histogram boosting read
float64 and, for a category, a set of codes. Missing goes where training sent it.
"""

from __future__ import annotations

from typing import Any  # scikit-learn has no types

import numpy as np

from saferoom.scoring.functions import Single
from saferoom.scoring.trees import (
    CategorySplit,
    Missing,
    NumericSplit,
    Split,
    Tree,
)
from saferoom.sdk.sklearn_columns import Columns, Sheet

_LARGEST = np.finfo(np.float64).max
_WORDS = 8  # of 32 bits: histogram boosting knows at most 256 categories


def singles(sheet: Sheet, columns: Columns) -> Columns:
    """Round columns to float32, as these trees hold them."""
    return tuple(sheet.add(column, Single()) for column in columns)


def read_tree(tree: Any, columns: Columns, values: Any) -> Tree:
    """Read one `tree_`, with the value of each node; nodes are numbered parents first."""
    inner = np.flatnonzero(tree.children_left >= 0)
    leaves = np.flatnonzero(tree.children_left < 0)
    number = _numbers(inner, leaves)
    splits = tuple(
        NumericSplit(
            columns[int(tree.feature[node])],
            _finite(tree.threshold[node]),
            Missing.NAN,
            bool(tree.missing_go_to_left[node]),
            number[int(tree.children_left[node])],
            number[int(tree.children_right[node])],
        )
        for node in inner
    )
    return Tree(splits, tuple(float(values[node]) for node in leaves))


def read_histogram_tree(predictor: Any, columns: Columns, known: dict[int, int]) -> Tree:
    """Read one predictor; `known` holds, per column of the model, the set of known codes."""
    nodes = predictor.nodes
    inner, leaves = np.flatnonzero(nodes["is_leaf"] == 0), np.flatnonzero(nodes["is_leaf"])
    number = _numbers(inner, leaves)
    splits: list[Split] = []
    for node in nodes[inner]:
        left, right = number[int(node["left"])], number[int(node["right"])]
        if node["is_categorical"]:
            lefts = _bits(predictor.raw_left_cat_bitsets[int(node["bitset_idx"])])
            place = int(node["feature_idx"])
            if node["missing_go_to_left"]:  # ours sends missing and unknown right: swap the sides
                lefts, left, right = known[place] & ~lefts, right, left
            splits.append(CategorySplit(columns[place], _words(lefts), left, right))
        else:
            splits.append(_number_split(node, columns, left, right))
    return Tree(tuple(splits), tuple(float(each) for each in nodes["value"][leaves]))


def _number_split(node: Any, columns: Columns, left: int, right: int) -> Split:
    column, threshold = columns[int(node["feature_idx"])], _finite(node["num_threshold"])
    default_left = bool(node["missing_go_to_left"])
    return NumericSplit(column, threshold, Missing.NAN, default_left, left, right)


def _finite(threshold: Any) -> float:
    """Write "all but the missing go left" as the largest double: no value is above it."""
    return float(np.clip(threshold, -_LARGEST, _LARGEST))


def _bits(words: Any) -> int:
    """Join 32-bit words, the lowest first."""
    return sum(int(word) << 32 * place for place, word in enumerate(words))


def _words(bits: int) -> tuple[int, ...]:
    return tuple(bits >> 32 * place & 0xFFFFFFFF for place in range(_WORDS))


def known_codes(model: Any) -> dict[int, int]:
    """Read which codes histogram boosting met in training, per column."""
    bitsets, places = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    categorical = model._is_categorical_remapped  # noqa: SLF001
    if categorical is None:
        return {}
    return {int(c): _bits(bitsets[places[c]]) for c in np.flatnonzero(categorical)}


def _numbers(inner: Any, leaves: Any) -> dict[int, int]:
    number = {int(node): place for place, node in enumerate(inner)}
    return number | {int(node): -place - 1 for place, node in enumerate(leaves)}
