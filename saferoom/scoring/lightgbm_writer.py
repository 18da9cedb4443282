"""What does native LightGBM get to read, when it may not see the bank's file?

Our own text of the trees alone: only numbers that passed the reader, no names, no training
figures, no link, sizes freshly counted. A double is written by `repr`, which is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from saferoom.scoring.trees import CategorySplit, NumericSplit, Split, Tree, Trees


def write_lightgbm(model: Trees, columns: int) -> str:
    """Write the canonical text of trees over so many columns that passed `check_trees`."""
    trees = [_write_tree(tree, index) for index, tree in enumerate(model.trees)]
    names = [f"f{index}" for index in range(columns)]
    header = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(len(names) - 1),
        "objective": "regression",
        "feature_names": _join(names),
        "feature_infos": _join("none" for _ in names),
        "tree_sizes": _join(len(text) for text in trees),
    }
    return "tree\n" + _write_fields(header) + "\n" + "".join(trees) + "end of trees\n"


def _write_tree(tree: Tree, index: int) -> str:
    sets = [split.words for split in tree.splits if isinstance(split, CategorySplit)]
    fields = {
        "Tree": str(index),
        "num_leaves": str(len(tree.leaves)),
        "num_cat": str(len(sets)),
        "split_feature": _join(split.feature for split in tree.splits),
        "threshold": _join(_thresholds(tree.splits)),
        "decision_type": _join(_decision(split) for split in tree.splits),
        "left_child": _join(split.left for split in tree.splits),
        "right_child": _join(split.right for split in tree.splits),
        "leaf_value": _join(repr(value) for value in tree.leaves),
    }
    if sets:
        fields["cat_boundaries"] = _join(accumulate((len(words) for words in sets), initial=0))
        fields["cat_threshold"] = _join(word for words in sets for word in words)
    fields |= _lines(tree) if tree.lines else {"is_linear": "0"}
    return _write_fields(fields | {"shrinkage": "1"}) + "\n\n"


def _lines(tree: Tree) -> dict[str, str]:
    """Write a leaf's columns and coefficients with a space after each, and one after each leaf."""
    return {
        "is_linear": "1",
        "leaf_const": _join(repr(line.constant) for line in tree.lines),
        "num_features": _join(len(line.columns) for line in tree.lines),
        "leaf_features": "".join(_spaced(line.columns) for line in tree.lines),
        "leaf_coeff": "".join(_spaced(map(repr, line.coefficients)) for line in tree.lines),
    }


def _spaced(values: Iterable[object]) -> str:
    return "".join(f"{value} " for value in values) + " "


def _thresholds(splits: Iterable[Split]) -> Iterable[str]:
    """Write each threshold; a category split has the number of its set instead."""
    sets = 0
    for split in splits:
        if isinstance(split, NumericSplit):
            yield repr(split.threshold)
        else:
            yield str(sets)
            sets += 1


def _decision(split: Split) -> int:
    """Bit 0: categories; bit 1: missing goes left; bits 2 and 3: what is missing."""
    if isinstance(split, CategorySplit):
        return 1
    return split.missing << 2 | split.default_left << 1


def _write_fields(fields: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in fields.items())


def _join(values: Iterable[object]) -> str:
    return " ".join(map(str, values))
