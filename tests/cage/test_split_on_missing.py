"""Is a model that asks only whether a value is there scored as LightGBM scores it?

LightGBM writes such a question with the threshold `inf`, which no number in our form is.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from saferoom.cage.host import Cage
from saferoom.core.manifest import ModelFormat
from saferoom.scoring.artefact import build_artefact
from saferoom.scoring.form import Direction
from saferoom.scoring.lightgbm_reader import read_lightgbm

THRESHOLDS = (0.2, 0.4, 0.6)


def test_what_is_missing_is_told_from_all_that_is_there() -> None:
    random = np.random.default_rng(5)
    matrix = random.lognormal(3, 1, (4000, 3))
    matrix[:, 0] = np.floor(matrix[:, 0] % 3)  # few values, as grades, counts and flags have
    matrix[random.random((4000, 3)) < 0.3] = np.nan
    there = ~np.isnan(matrix[:, 0])
    bad = random.random(4000) < np.where(there, 0.15, 0.7)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 1}
    data = lgb.Dataset(matrix, bad.astype(np.float64), feature_name=["a", "b", "c"])
    booster = lgb.train(settings, data, num_boost_round=15)
    text = booster.model_to_string()
    assert any(
        "inf" in line.split("=")[1].split(" ")
        for line in text.splitlines()
        if line.startswith("threshold=")
    )
    features = tuple(read_lightgbm(text).features)
    artefact = build_artefact(ModelFormat.LIGHTGBM_TEXT, text, Direction.RISK, THRESHOLDS)
    matrix[0] = np.finfo(np.float64).max
    with Cage.start() as cage:
        cage.load(artefact, features, len(THRESHOLDS) + 1)
        order = [("a", "b", "c").index(name) for name in features]
        found = cage.evaluate(np.ascontiguousarray(matrix[:, order]))
    scores = np.asarray(booster.predict(matrix), np.float64)
    assert found.tolist() == np.searchsorted(THRESHOLDS, scores, side="right").tolist()
