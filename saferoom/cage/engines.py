"""Which engine sums trees here: our kernel, LightGBM's own library, or numpy?

All give the same doubles, so the choice changes speed and never an answer: `auto` takes
the compiled kernel where it was built, else LightGBM where it loads, else numpy. LightGBM
reads numbers in its own way, so trees of another reading go to numpy under `native`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from saferoom.cage import native, quick
from saferoom.cage.rehearsal import rehearse
from saferoom.errors import Unavailable
from saferoom.scoring.evaluation import Load, Sums
from saferoom.scoring.tree_evaluation import portable
from saferoom.scoring.trees import Reading, Trees

AUTO = "auto"
QUICK = "quick"
NATIVE = "native"
PORTABLE = "portable"
CHOICES = (AUTO, QUICK, NATIVE, PORTABLE)


@dataclass(frozen=True)
class Engine:
    """A way to sum trees; what `load` returns frees the model when it is dropped."""

    name: str
    load: Load


def choose(wish: str) -> Engine:
    """Return the engine, warm; CAGE_UNAVAILABLE when it was named and cannot be had."""
    engine = _fastest() if wish == AUTO else _ENGINES[wish]()
    rehearse(engine.load)
    return engine


def _fastest() -> Engine:
    """Take the fastest that is there; numpy always is."""
    for make in (_quick, _native):
        with suppress(Unavailable):
            return make()
    return _portable()


def _portable() -> Engine:
    return Engine(PORTABLE, portable)


def _quick() -> Engine:
    library = quick.load_library()

    def load(model: Trees, columns: int) -> Sums:
        if model.linear:
            return portable(model, columns)
        return quick.QuickTrees(library, model).sums

    return Engine(QUICK, load)


def _native() -> Engine:
    library = native.load_library()

    def load(model: Trees, columns: int) -> Sums:
        if model.reading is not Reading.LIGHTGBM or model.start != 0:
            return portable(model, columns)
        return native.Booster(library, model, columns).sums

    return Engine(NATIVE, load)


_ENGINES = {QUICK: _quick, NATIVE: _native, PORTABLE: _portable}
