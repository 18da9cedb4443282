"""How does a bank's modeller come to a model before meeting one real row?

On a synthetic sample of the room's features: an economy of another seed, other firms,
the same catalogue. So the two models in `models/` are honest examples of shape and of
procedure and say nothing about real firms; their cards say so too.

    python -m saferoom.demo.modelling FOLDER     writes both model folders anew
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from saferoom.core.manifest import ModelFormat
from saferoom.demo.economy.features import ROOM_FEATURES, Sample, draw_sample
from saferoom.demo.economy.population import Flags, Floats, Plan
from saferoom.scoring.evaluation import Evaluator, grade_indices, scorecard_scores
from saferoom.scoring.form import Characteristic, Direction, Scorecard
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.scorecard_reader import read_scorecard, write_scorecard
from saferoom.scoring.tree_evaluation import portable

GRADES = (
    "AAA", "AA+", "AA", "AA-", "A+", "A", "A-", "BBB+", "BBB", "BBB-", "BB", "B", "CCC", "D",
)  # fmt: skip  # best first, on one line
TRAINING = Plan(30_000, date(2025, 9, 30), seed=7, first=50_000_000)  # no firm of the demo's
GOLDEN_ROWS = 24
FEWEST_IN_BIN = 50  # below, a bin says nothing
BASE_SCORE, BASE_ODDS, POINTS_TO_DOUBLE = 600, 20, 20


@dataclass(frozen=True)
class ExampleModel:
    """What a bank brings: a text, which way it points, and where grades change."""

    name: str
    model_format: ModelFormat
    direction: Direction
    features: tuple[str, ...]
    text: str
    thresholds: tuple[float, ...]


def matrix(sample: Sample, features: tuple[str, ...]) -> Floats:
    """Put the named room features side by side."""
    return np.column_stack([sample.room[name] for name in features])


def train_trees(sample: Sample) -> ExampleModel:
    """Boost shallow trees with monotone lateness and grade."""
    import lightgbm as lgb  # noqa: PLC0415  # it needs the system's libgomp, the demo does not

    direction = {"late_file_n12": 1, "arrears_now": 1, "zero_m12": 1, "tax_grade": -1}
    settings = {
        "objective": "binary",
        "learning_rate": 0.06,
        "num_leaves": 8,
        "min_data_in_leaf": 150,
        "lambda_l2": 5.0,
        "monotone_constraints": [direction.get(name, 0) for name in ROOM_FEATURES],
        "deterministic": True,
        "num_threads": 1,
        "seed": 7,
        "verbosity": -1,
    }
    x = matrix(sample, ROOM_FEATURES)
    data = lgb.Dataset(x, sample.bad.astype(np.float64), feature_name=list(ROOM_FEATURES))
    booster = lgb.train(settings, data, num_boost_round=80)
    return ExampleModel(
        name="credit-trees",
        model_format=ModelFormat.LIGHTGBM_TEXT,
        direction=Direction.RISK,
        features=ROOM_FEATURES,
        text=booster.model_to_string(),
        thresholds=_cuts(np.asarray(booster.predict(x), dtype=np.float64)),
    )


CARD_FEATURES = (
    "arrears_now",
    "late_file_n12",
    "reg_age_m",
    "sales_12",
    "sales_yoy",
    "tax_grade",
    "zero_m12",
)


def fit_scorecard(sample: Sample) -> ExampleModel:
    """Fit points to weights of evidence: 600 at odds of 20 to 1, 20 points double the odds."""
    edges = {name: _edges(sample.room[name]) for name in CARD_FEATURES}
    woes = {name: _woe(sample.room[name], edges[name], sample.bad) for name in CARD_FEATURES}
    x = np.column_stack(
        [woes[name][_bins(sample.room[name], edges[name])] for name in CARD_FEATURES]
    )
    intercept, weights = _logistic(x, sample.bad)
    factor = POINTS_TO_DOUBLE / np.log(2)
    base = BASE_SCORE - factor * np.log(BASE_ODDS) + factor * intercept
    rows = []
    for name, weight in zip(CARD_FEATURES, weights, strict=True):
        *points, missing = np.rint(factor * weight * woes[name]).tolist()
        rows.append(Characteristic(name, tuple(edges[name].tolist()), tuple(points), missing))
    card = Scorecard(float(np.rint(base)), tuple(rows))
    scores = scorecard_scores(card, matrix(sample, CARD_FEATURES))
    return ExampleModel(
        name="plain-scorecard",
        model_format=ModelFormat.SCORECARD_JSON,
        direction=Direction.QUALITY,
        features=CARD_FEATURES,
        text=write_scorecard(card),
        thresholds=_cuts(scores),
    )


def write_folder(model: ExampleModel, scores: Floats, x: Floats, folder: Path) -> None:
    """Write model.toml, the artefact and golden rows; the card is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    artefact = "model.txt" if model.model_format is ModelFormat.LIGHTGBM_TEXT else "card.json"
    (folder / artefact).write_text(model.text, "utf-8")
    (folder / "model.toml").write_text(_toml(model, artefact), "utf-8")
    grades = grade_indices(scores, model.thresholds, model.direction)
    lines = [",".join([*model.features, "score", "grade"])]
    for row, score, grade in zip(x, scores, grades, strict=True):
        cells = ["" if np.isnan(value) else repr(float(value)) for value in row]
        lines.append(",".join([*cells, repr(float(score)), GRADES[grade]]))
    (folder / "golden.csv").write_text("\n".join(lines) + "\n", "utf-8")


def main(folder: Path) -> None:
    """Write both example models."""
    sample = draw_sample(TRAINING)
    trees = train_trees(sample)
    x = matrix(sample, trees.features)[:GOLDEN_ROWS]
    scores = Evaluator(read_lightgbm(trees.text), portable).scores(x)
    write_folder(trees, scores, x, folder / trees.name)
    plain = fit_scorecard(sample)
    x = matrix(sample, plain.features)[:GOLDEN_ROWS]
    scores = scorecard_scores(read_scorecard(plain.text), x)
    write_folder(plain, scores, x, folder / plain.name)


def _cuts(scores: Floats) -> tuple[float, ...]:
    """Cut at quantiles, finest among the best; equal cuts are nudged apart."""
    shares = np.linspace(0, 1, len(GRADES) + 1)[1:-1]
    cuts = np.quantile(scores, shares)
    for place in range(1, len(cuts)):
        cuts[place] = max(cuts[place], np.nextafter(cuts[place - 1], np.inf))
    return tuple(float(cut) for cut in cuts)


def _edges(values: Floats) -> Floats:
    """Cut at sextiles; where most firms share the least value, cut among the others."""
    least = np.nanmin(values)
    cuts = np.unique(np.nanquantile(values, np.linspace(0, 1, 7)[1:-1]))
    cuts = cuts[cuts > least]
    if len(cuts) > 1:
        return cuts
    others = values[values > least]
    return np.unique([others.min(), np.median(others)])


def _bins(values: Floats, edges: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))


def _woe(values: Floats, edges: Floats, bad: Flags) -> Floats:
    """Log odds of good in each bin against all; the last bin is the missing one."""
    bins, count = _bins(values, edges), len(edges) + 2
    goods = np.bincount(bins[~bad], minlength=count) + 0.5
    bads = np.bincount(bins[bad], minlength=count) + 0.5
    woe = np.log(goods / bads * bads.sum() / goods.sum())
    return np.where(goods + bads > FEWEST_IN_BIN, woe, 0.0)


def _logistic(x: Floats, bad: Flags) -> tuple[float, Floats]:
    """Fit log odds of good by Newton's method with a whisper of ridge."""
    design = np.column_stack([np.ones(len(x)), x])
    beta = np.zeros(design.shape[1])
    for _ in range(20):
        chance = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (~bad - chance) - 1e-3 * beta
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design
        beta += np.linalg.solve(curvature + 1e-3 * np.eye(len(beta)), gradient)
    return float(beta[0]), beta[1:]


def _toml(model: ExampleModel, artefact: str) -> str:
    def texts(values: tuple[str, ...]) -> str:
        return "[" + ", ".join(f'"{value}"' for value in values) + "]"

    return f"""# Written by `python -m saferoom.demo.modelling`.
kind = "saferoom/model/1"
name = "{model.name}"
purpose = "credit_approval"
model_format = "{model.model_format}"
artefact = "{artefact}"
direction = "{model.direction}"
features = {texts(model.features)}
grades = {texts(GRADES)}
thresholds = {texts(tuple(cut.hex() for cut in model.thresholds))}
"""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
