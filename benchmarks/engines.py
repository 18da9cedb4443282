"""How long does one row take in each engine that sums trees, without a cage around it?

500 trees of 31 leaves over 100 features, trained here; the same model in every engine, in one
run, and LightGBM's own `predict` beside them. CPU time of one thread, the median of several
runs. Figures are printed, none is asserted; that all scores are equal is checked.

    python benchmarks/engines.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lightgbm
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.telling import figure, tell
from saferoom.cage import engines
from saferoom.errors import Unavailable
from saferoom.scoring.evaluation import Evaluator
from saferoom.scoring.functions import Floats
from saferoom.scoring.lightgbm_reader import read_lightgbm

FEATURES, LEAVES = 100, 31
TARGETS = {"batch": 2.0, "one row": 15.0}  # µs: docs, performance


def main() -> None:
    """Measure each engine that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    options = parser.parse_args()
    for one in measure(trees=200 if options.quick else 500, rows=4_000):
        tell(one, as_json=options.json)


def measure(*, trees: int, rows: int) -> Iterator[dict[str, object]]:
    """Yield every figure."""
    matrix, text, bare = _model(trees, rows)
    expected = bare(matrix)
    scorers: dict[str, Callable[[Floats], Floats]] = {"lightgbm.predict": bare}
    for name in engines.CHOICES[1:]:
        try:
            scorers[name] = Evaluator(read_lightgbm(text), engines.choose(name).load).scores
        except Unavailable:
            continue
        assert np.array_equal(scorers[name](matrix), expected)
    for name, scores in scorers.items():
        yield _figure(f"{name}, batch, {trees} trees", _microseconds(scores, matrix), "batch")
        one = np.ascontiguousarray(matrix[:1])
        yield _figure(f"{name}, one row, {trees} trees", _microseconds(scores, one), "one row")


def _model(trees: int, rows: int) -> tuple[Floats, str, Callable[[Floats], Floats]]:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(rows, FEATURES))
    labels = (matrix[:, :10].sum(axis=1) + 2 * random.normal(size=rows) > 0).astype(float)
    settings = {"objective": "binary", "num_leaves": LEAVES, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, labels), trees)

    def bare(rows: Floats) -> Floats:
        return np.asarray(booster.predict(rows, num_threads=1), np.float64)

    return matrix, booster.model_to_string(), bare


def _microseconds(scores: Callable[[Floats], Floats], matrix: Floats) -> float:
    scores(matrix)
    return statistics.median(_once(scores, matrix) for _ in range(5 if len(matrix) > 1 else 201))


def _once(scores: Callable[[Floats], Floats], matrix: Floats) -> float:
    started = time.thread_time()
    scores(matrix)
    return (time.thread_time() - started) * 1e6 / len(matrix)


def _figure(name: str, value: float, target: str) -> dict[str, object]:
    return figure(name, value, "µs per row", TARGETS[target])


if __name__ == "__main__":
    main()
