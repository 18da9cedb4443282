"""Do the example models say what their golden rows say, and can they be made again?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saferoom.core.manifest import ModelFormat, Purpose
from saferoom.demo.economy.features import ROOM_FEATURES, draw_sample
from saferoom.demo.modelling import GRADES, TRAINING, fit_scorecard
from saferoom.scoring.artefact import build_artefact, read_artefact, read_model
from saferoom.scoring.evaluation import Evaluator, grade_indices
from saferoom.scoring.tree_evaluation import portable

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", ["credit-trees", "plain-scorecard"])
def test_golden_rows_score_and_grade_as_written(name: str) -> None:
    declared = tomllib.loads((MODELS / name / "model.toml").read_text("utf-8"))
    text = (MODELS / name / declared["artefact"]).read_text("utf-8")
    golden = pd.read_csv(MODELS / name / "golden.csv")
    rows = golden[declared["features"]].to_numpy(np.float64)
    cuts = [float.fromhex(cut) for cut in declared["thresholds"]]
    artefact = read_artefact(
        build_artefact(declared["model_format"], text, declared["direction"], cuts)
    )
    form = read_model(artefact)
    scores = Evaluator(form, portable).scores(rows)
    grades = grade_indices(scores, artefact.thresholds, artefact.direction)
    assert form.features == tuple(declared["features"])
    assert scores == pytest.approx(golden["score"], rel=1e-12)
    assert [GRADES[grade] for grade in grades] == golden["grade"].tolist()
    assert len(golden["grade"].unique()) > 5


@pytest.mark.parametrize("name", ["credit-trees", "plain-scorecard"])
def test_declarations_use_the_rooms_words(name: str) -> None:
    declared = tomllib.loads((MODELS / name / "model.toml").read_text("utf-8"))
    assert declared["purpose"] in set(Purpose)
    assert declared["model_format"] in set(ModelFormat)
    assert set(declared["features"]) <= set(ROOM_FEATURES)
    assert tuple(declared["grades"]) == GRADES
    assert (MODELS / name / "card.md").read_text("utf-8").startswith(f"# {name}\n")


def test_scorecard_can_be_made_again() -> None:
    again = fit_scorecard(draw_sample(TRAINING))
    assert again.text == (MODELS / "plain-scorecard" / "card.json").read_text("utf-8")
