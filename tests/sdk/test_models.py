"""Is every way to hand in a model read to the same text, and is everything else refused?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saferoom.core.manifest import ModelFormat
from saferoom.errors import BadInput
from saferoom.sdk.models import read
from tests.scoring.training import LIGHTGBM, needs_lightgbm

CARD = {
    "base": 600,
    "characteristics": [
        {"feature": "reg_age_m", "edges": [12, 36.5], "points": [-10, 0, 20], "missing": -5}
    ],
}


class Booster:
    """Quacks like LightGBM's."""

    def __init__(self, text: str) -> None:
        self.text = text

    def model_to_string(self) -> str:
        return self.text


class Classifier:
    """Quacks like a fitted LGBMClassifier."""

    def __init__(self, text: str) -> None:
        self.booster_ = Booster(text)


def test_a_scorecard_dict_becomes_the_one_text() -> None:
    first = read(CARD)
    assert first.model_format is ModelFormat.SCORECARD_JSON
    assert first.form.features == ("reg_age_m",)
    assert read(first.text) == read(first.text.encode()) == first


def test_numpys_numbers_are_numbers() -> None:
    row = {"feature": "x", "edges": np.array([1.0]), "points": np.array([1, 2]), "missing": 0}
    assert read({"base": np.float32(1), "characteristics": [row]}).form.parts == 1


def test_a_file_is_read_by_path_and_by_name(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(read(CARD).text)
    assert read(path) == read(str(path)) == read(CARD)


@needs_lightgbm
def test_boosters_and_classifiers_are_recognised_by_their_methods() -> None:
    assert LIGHTGBM is not None
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 2))
    parameters = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}
    data = LIGHTGBM.Dataset(rows, rows[:, 0] > 0, feature_name=["reg_age_m", "vat_m"])
    booster = LIGHTGBM.train(parameters, data, num_boost_round=3)
    made = read(booster)
    assert made.model_format is ModelFormat.LIGHTGBM_TEXT
    assert made.form.features == ("reg_age_m", "vat_m")
    text = booster.model_to_string()
    assert read(Booster(text)) == read(Classifier(text)) == read(text) == made


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (b"\x80\x04\x95", "MODEL_FORMAT"),
        (b"PK\x03\x04", "MODEL_FORMAT"),
        (b"tree\n\xff\xfe", "MODEL_FORMAT"),
        (b"tree\nversion=v4\n", "MODEL_MALFORMED"),
        (object(), "MODEL_FORMAT"),
        (Path("/nowhere/model.txt"), "MODEL_FORMAT"),
        ({}, "MODEL_MALFORMED"),
        ({"base": "x", "characteristics": []}, "MODEL_MALFORMED"),
        ({"base": float("nan"), "characteristics": []}, "MODEL_MALFORMED"),
        ({"base": 1, "characteristics": [{"feature": "x"}]}, "MODEL_MALFORMED"),
        ({"kind": "saferoom/scorecard/1"}, "MODEL_MALFORMED"),
    ],
)
def test_what_is_no_model_is_refused_at_home(model: object, code: str) -> None:
    with pytest.raises(BadInput, match=code):
        read(model)
