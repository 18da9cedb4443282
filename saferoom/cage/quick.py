"""How are trees laid out for the compiled kernel, and is there one?

`kernel/trees.c` is built where a C compiler was at hand (`tools/build_kernel.py`); without it
the other engines do the same work. It is loaded before the lock-down. What it gets was checked
when the form was read; the layout below makes no index of its own that is not counted here.
Trees whose leaves are straight lines stay with the other engines.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saferoom.errors import Unavailable
from saferoom.scoring.functions import Floats
from saferoom.scoring.tree_evaluation import NEAR_ZERO, reading_of
from saferoom.scoring.trees import CategorySplit, NumericSplit, Reading, Tree, Trees

LIBRARY = Path(__file__).parent / "kernel" / "trees.so"
LANES = 8
MOST_BITS = 64  # leaves of a tree that is a word

_Integers = NDArray[np.int64]
_FIELDS: tuple[tuple[str, str], ...] = (
    ("columns", "count"),
    ("feature", "<i8"),
    ("nan_is", "<f8"),
    ("zero_is", "<f8"),
    ("near_zero", "number"),
    ("first", "<i8"),
    ("threshold", "<f8"),
    ("tree", "<i8"),
    ("keep", "<u8"),
    ("sets", "count"),
    ("set_column", "<i8"),
    ("set_tree", "<i8"),
    ("set_keep", "<u8"),
    ("set_first", "<i8"),
    ("set_bits", "<i8"),
    ("words", "<u4"),
    ("trees", "count"),
    ("leaf", "<i8"),
    ("value", "<f8"),
    ("root", "<i8"),
    ("node_column", "<i8"),
    ("node_threshold", "<f8"),
    ("node_set", "<i8"),
    ("child", "<i8"),
    ("start", "number"),
)
_C_TYPES: dict[str, type[ctypes.c_int64 | ctypes.c_double]] = {
    "count": ctypes.c_int64,
    "number": ctypes.c_double,
}


class _Model(ctypes.Structure):
    _fields_ = [(name, _C_TYPES.get(kind, ctypes.c_void_p)) for name, kind in _FIELDS]


def load_library() -> ctypes.CDLL:
    """Load the kernel; CAGE_UNAVAILABLE where it was not built."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        why = "the kernel was not built; install a C compiler and run make setup again"
        raise Unavailable("CAGE_UNAVAILABLE", why) from error
    library.saferoom_sum.restype = None
    return library


class QuickTrees:
    """Trees without lines, laid out for the kernel."""

    def __init__(self, library: ctypes.CDLL, model: Trees) -> None:
        self._library = library
        layout = _lay_out(model)
        self._arrays = {
            name: np.ascontiguousarray(layout[name], kind)
            for name, kind in _FIELDS
            if kind not in _C_TYPES
        }
        self._model = _Model(
            **{name: layout[name] for name, kind in _FIELDS if kind in _C_TYPES},
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )
        self._x = np.empty(LANES * max(1, self._model.columns), np.float64)
        self._left = np.empty(LANES * len(model.trees), np.uint64)

    def sums(self, matrix: Floats) -> Floats:
        """Sum the trees for each row of a C-contiguous float64 matrix."""
        rows, width = matrix.shape
        result = np.empty(rows, np.float64)
        self._library.saferoom_sum(
            ctypes.byref(self._model),
            ctypes.c_void_p(matrix.ctypes.data),
            ctypes.c_int64(width),
            ctypes.c_int64(rows),
            ctypes.c_void_p(result.ctypes.data),
            ctypes.c_void_p(self._x.ctypes.data),
            ctypes.c_void_p(self._left.ctypes.data),
        )
        return result


class _Question(NamedTuple):
    column: int
    threshold: float
    tree: int
    keep: int


class _Set(NamedTuple):
    column: int
    tree: int  # −1: only a walk asks it
    keep: int
    words: tuple[int, ...]


class _Node(NamedTuple):
    column: int
    threshold: float
    set: int
    left: int
    right: int


def _lay_out(model: Trees) -> dict[str, object]:
    columns: dict[tuple[int, float, float], int] = {}
    questions: list[_Question] = []
    sets: list[_Set] = []
    nodes: list[_Node] = []
    values: list[float] = []
    roots: list[int] = []
    starts = list(accumulate((len(tree.leaves) for tree in model.trees), initial=0))
    for place, tree in enumerate(model.trees):
        asked = [columns.setdefault(reading_of(s), len(columns)) for s in tree.splits]
        if len(tree.leaves) <= MOST_BITS:
            order, lefts = _spread(tree)
            values += [tree.leaves[leaf] for leaf in order]
            roots.append(-1)
            for split, column, left in zip(tree.splits, asked, lefts, strict=True):
                keep = ~left & (2**MOST_BITS - 1)
                if isinstance(split, NumericSplit):
                    questions.append(_Question(column, split.threshold, place, keep))
                else:
                    sets.append(_Set(column, place, keep, split.words))
        else:
            values += tree.leaves
            roots.append(len(nodes))
            nodes += _walked(tree, asked, (len(nodes), starts[place]), sets)
    questions.sort(key=lambda each: each[:2])
    counts = np.bincount([each.column for each in questions], minlength=len(columns))
    words = [word for each in sets for word in each.words]
    return {
        "columns": len(columns),
        "feature": [feature for feature, _, _ in columns],
        "nan_is": [nan for _, nan, _ in columns],
        "zero_is": [zero for _, _, zero in columns],
        "near_zero": NEAR_ZERO if model.reading is Reading.LIGHTGBM else 0.0,
        "first": [0, *np.cumsum(counts)],
        "threshold": [each.threshold for each in questions],
        "tree": [each.tree for each in questions],
        "keep": [each.keep for each in questions],
        "sets": len(sets),
        "set_column": [each.column for each in sets],
        "set_tree": [each.tree for each in sets],
        "set_keep": [each.keep for each in sets],
        "set_first": list(accumulate((len(each.words) for each in sets), initial=0)),
        "set_bits": [32 * len(each.words) for each in sets],
        "words": words,
        "trees": len(model.trees),
        "leaf": starts,
        "value": values,
        "root": roots,
        "node_column": [each.column for each in nodes],
        "node_threshold": [each.threshold for each in nodes],
        "node_set": [each.set for each in nodes],
        "child": [child for each in nodes for child in (each.left, each.right)],
        "start": model.start,
    }


def _spread(tree: Tree) -> tuple[list[int], list[int]]:
    """Return the leaves from left to right, and for each split the bits of its left side."""
    order: list[int] = []
    waiting = [0 if tree.splits else -1]
    while waiting:
        node = waiting.pop()
        if node < 0:
            order.append(-node - 1)
        else:
            waiting += [tree.splits[node].right, tree.splits[node].left]
    bits = {-leaf - 1: 1 << place for place, leaf in enumerate(order)}
    for node in range(len(tree.splits) - 1, -1, -1):  # children come after parents
        bits[node] = bits[tree.splits[node].left] | bits[tree.splits[node].right]
    return order, [bits[split.left] for split in tree.splits]


def _walked(
    tree: Tree, asked: Sequence[int], before: tuple[int, int], sets: list[_Set]
) -> list[_Node]:
    """Lay out the nodes of a tree with many leaves, counted after those before it."""
    nodes: list[_Node] = []
    first, leaf = before
    for split, column in zip(tree.splits, asked, strict=True):
        left, right = (c + first if c >= 0 else c - leaf for c in (split.left, split.right))
        if isinstance(split, CategorySplit):
            sets.append(_Set(column, -1, 0, split.words))
            nodes.append(_Node(column, 0.0, len(sets) - 1, left, right))
        else:
            nodes.append(_Node(column, split.threshold, -1, left, right))
    return nodes
