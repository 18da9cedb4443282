"""Which engine scores trees here: LightGBM's own library, or ours in numpy?

Both give the same doubles, so the choice changes speed and never an answer: `auto` takes
LightGBM where it loads. A fresh Debian may lack the libgomp that it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from saferoom.cage import native
from saferoom.errors import Unavailable
from saferoom.scoring.evaluation import Floats
from saferoom.scoring.form import CategorySplit, Missing, NumericSplit, Tree, TreeEnsemble
from saferoom.scoring.tree_evaluation import TreeEvaluator

AUTO = "auto"
NATIVE = "native"
PORTABLE = "portable"
CHOICES = (AUTO, NATIVE, PORTABLE)

Scores = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Engine:
    """A way to score trees; what `load` returns frees the model when it is dropped."""

    name: str
    load: Callable[[TreeEnsemble], Scores]


def choose(wish: str) -> Engine:
    """Return the engine, warm; CAGE_UNAVAILABLE when it was named and cannot be had."""
    engine = _portable() if wish == PORTABLE else _native(wish)
    _warm_up(engine)
    return engine


def _native(wish: str) -> Engine:
    try:
        library = native.load_library()
    except Unavailable:
        if wish == NATIVE:
            raise
        return _portable()
    return Engine(NATIVE, lambda model: native.Booster(library, model).scores)


def _portable() -> Engine:
    return Engine(PORTABLE, lambda model: TreeEvaluator(model).scores)


def _warm_up(engine: Engine) -> None:
    """Score one row, so that nothing is loaded lazily after the lock-down."""
    split = NumericSplit(0, 0.5, Missing.NAN, default_left=True, left=1, right=-1)
    tree = Tree((split, CategorySplit(0, (1,), left=-2, right=-3)), (0.25, 0.5, 0.75))
    engine.load(TreeEnsemble(("x",), (tree,), slope=1.0))(np.zeros((1, 1)))
