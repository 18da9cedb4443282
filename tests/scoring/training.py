"""Which real models do the tests read? Trained here, so no file has to be believed.

Where LightGBM cannot be loaded (libgomp is the system's), the first trees of the same
models are read from `stored/`, and the form's own oracle says what they predict.

    python -m tests.scoring.training     writes `stored/` anew
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

from saferoom.scoring.lightgbm_reader import read_lightgbm
from tests.scoring import oracle

FEATURES = ("age_m", "industry", "sales_12", "kwh_yoy")
STORED = Path(__file__).parent / "stored"
STORED_TREES = 3

Floats = npt.NDArray[np.float64]


def _lightgbm() -> ModuleType | None:
    try:
        return importlib.import_module("lightgbm")
    except (ImportError, OSError):
        return None


LIGHTGBM = _lightgbm()
needs_lightgbm = pytest.mark.skipif(
    LIGHTGBM is None, reason="LightGBM cannot be loaded here: libgomp1 is missing"
)


@dataclass(frozen=True)
class Trained:
    """A model's text, the rows it was trained on, and what its maker predicts."""

    text: str
    matrix: Floats
    predict: Callable[[Floats], Floats]


KINDS: dict[str, dict[str, object]] = {
    "numeric": {},
    "regression": {"objective": "regression"},
    "robust": {"objective": "huber"},
    "steep": {"sigmoid": 0.7},
    "cross entropy": {"objective": "cross_entropy"},
    "missing": {"holes": 0.3},
    "missing, regression": {"holes": 0.3, "objective": "regression"},
    "zero is missing": {"holes": 0.2, "zero_as_missing": True},
    "missing unused": {"holes": 0.2, "use_missing": False},
    "categories": {"categories": True, "holes": 0.1},
    "deep": {"num_leaves": 400, "min_data_in_leaf": 1, "rows": 3000},
    "deep categories": {"categories": True, "num_leaves": 200, "min_data_in_leaf": 1},
    "stumps": {"min_data_in_leaf": 400},
    "depth one": {"num_leaves": 2},
    "small": {"num_leaves": 4},
    "monotone": {"monotone_constraints": [1, 0, -1, 0]},
    "forest": {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7, "holes": 0.1},
    "forest, regression": {
        "boosting": "rf",
        "bagging_freq": 1,
        "bagging_fraction": 0.7,
        "objective": "regression",
    },
    "lines": {"linear_tree": True, "holes": 0.1, "num_leaves": 6},
    "lines, categories": {"linear_tree": True, "categories": True, "objective": "regression"},
}


@cache
def trained(kind: str, trees: int = 12, seed: int = 7) -> Trained:
    options = dict(KINDS[kind])
    holes = float(str(options.pop("holes", 0)))
    rows = int(str(options.pop("rows", 600)))
    categories = [1] if options.pop("categories", False) else []
    matrix, labels = economy(np.random.default_rng(seed), rows, holes)
    if LIGHTGBM is None:
        return stored(kind, trees, matrix)
    parameters = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 10,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        **options,
    }
    data = LIGHTGBM.Dataset(
        matrix, labels, feature_name=list(FEATURES), categorical_feature=categories
    )
    booster = LIGHTGBM.train(parameters, data, trees)
    return Trained(booster.model_to_string(), matrix, lambda x: booster.predict(x, num_threads=1))


def stored(kind: str, trees: int, matrix: Floats) -> Trained:
    """Read the first trees of a kind, as they were written where LightGBM was."""
    text = first_trees(stored_path(kind).read_text("ascii"), min(trees, STORED_TREES))
    form = read_lightgbm(text)
    return Trained(text, matrix, lambda x: np.array([oracle.score(form, row) for row in x]))


def stored_path(kind: str) -> Path:
    return STORED / f"{kind.replace(',', '').replace(' ', '-')}.txt"


def first_trees(text: str, count: int) -> str:
    """Cut a model short: fewer trees, and as many sizes."""
    body, end, trailer = text.partition("end of trees")
    header, *trees = body.split("\nTree=")
    sizes = next(line for line in header.split("\n") if line.startswith("tree_sizes="))
    header = header.replace(sizes, " ".join(sizes.split(" ")[:count]))
    kept = "\nTree=".join([header, *trees[:count]]).rstrip("\n")
    return f"{kept}\n\n\n{end}{trailer}"


def economy(random: np.random.Generator, rows: int, holes: float) -> tuple[Floats, Floats]:
    matrix = random.normal(size=(rows, len(FEATURES)))
    matrix[:, 1] = random.integers(0, 90, rows)
    matrix[:, 2] = np.round(np.maximum(matrix[:, 2], 0), 1)
    odd = np.isin(matrix[:, 1] % 7, (1, 4))
    noise = random.normal(size=rows)
    labels = (matrix[:, 0] + odd + 0.5 * matrix[:, 2] + noise > 0.6).astype(np.float64)
    matrix[random.random(matrix.shape) < holes] = np.nan
    return matrix, labels


def hostile_rows() -> Floats:
    """Rows that a feature view should not give, and a model must survive."""
    values = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-36, -1e-36, 1e-34, 1e300, -0.5, 3e9, 33.7]
    random = np.random.default_rng(5)
    return random.choice(np.array(values), size=(80, len(FEATURES)))


def write_stored() -> None:
    """Write the stored kinds, without what says nothing about a score."""
    STORED.mkdir(exist_ok=True)
    figures = ("split_gain", "internal_", "leaf_weight", "leaf_count", "feature_infos")
    for kind in KINDS:
        text = first_trees(trained(kind).text, STORED_TREES).partition("\nparameters:")[0]
        lines = [line for line in text.split("\n") if not line.startswith(figures)]
        stored_path(kind).write_text("\n".join(lines).rstrip("\n") + "\n", "ascii")


if __name__ == "__main__":
    write_stored()
