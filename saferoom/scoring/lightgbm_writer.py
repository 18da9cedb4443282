"""What does native LightGBM get to read, when it may not see the bank's file?

Our own text of the form: only numbers that passed the reader, no names, no training
figures, sizes freshly counted. A double is written by `repr`, which is exact; the slope,
which LightGBM reads more simply, by the six decimals that its reader accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from saferoom.scoring.form import CategorySplit, NumericSplit, Split, Tree, TreeEnsemble


def write_lightgbm(model: TreeEnsemble) -> str:
    """Write the canonical text of an ensemble that passed `check_ensemble`."""
    trees = [_write_tree(tree, index) for index, tree in enumerate(model.trees)]
    names = [f"f{index}" for index in range(len(model.features))]
    header = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(len(names) - 1),
        "objective": "regression" if model.slope is None else f"binary sigmoid:{model.slope:.6f}",
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
    return _write_fields(fields | {"is_linear": "0", "shrinkage": "1"}) + "\n\n"


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
