"""Which text is this model, whatever the modeller has in hand?

A LightGBM booster or classifier (recognised by its methods; LightGBM itself is not
imported), a fitted scikit-learn model or pipeline, a file, a text, or a scorecard as a dict.
The text is read here by the same strict reader as in the cage, so that a refusal comes
before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.manifest import ModelFormat
from saferoom.errors import BadInput
from saferoom.scoring.artefact import LARGEST_ARTEFACT, read_text, recognise
from saferoom.scoring.form import Form
from saferoom.scoring.form_json import write_form
from saferoom.scoring.functions import Floats
from saferoom.scoring.numbers import write_number
from saferoom.sdk import sklearn_models
from saferoom.sdk.golden import Predict

SCORECARD = "saferoom/scorecard/1"


@dataclass(frozen=True)
class ModelText:
    """A model as text, and what a strict reader made of it."""

    model_format: ModelFormat
    text: str
    form: Form
    predict: Predict | None = field(default=None, compare=False)  # the bank's own, where alive


def read(model: object) -> ModelText:
    """Read whatever a modeller holds."""
    if sklearn_models.is_sklearn(model):
        form = sklearn_models.convert(model)
        predict = sklearn_models.predictor(model, form.features)
        return ModelText(ModelFormat.FORM_JSON, write_form(form), form, predict)
    data = _to_bytes(model)
    model_format = ModelFormat(recognise(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("MODEL_FORMAT", "the model is not text") from error
    return ModelText(model_format, text, read_text(model_format, text), _predict(model))


def _to_bytes(model: object) -> bytes:
    match model:
        case bytes():
            return model
        case Mapping():
            return _scorecard_bytes(model)
        case Path():
            return _read_file(model)
        case str():
            return model.encode() if "\n" in model or model.startswith("{") else _read_file(model)
        case _:
            return _lightgbm_text(model).encode()


def _read_file(path: Path | str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_ARTEFACT + 1)
    except OSError as error:
        raise BadInput("MODEL_FORMAT", "the model's file cannot be read") from error


def _booster(model: object) -> object:
    return model if hasattr(model, "model_to_string") else getattr(model, "booster_", None)


def _lightgbm_text(model: object) -> str:
    write = getattr(_booster(model), "model_to_string", None)
    if not callable(write):
        raise BadInput("MODEL_FORMAT", "neither LightGBM, scikit-learn nor a scorecard")
    return str(write())


def _predict(model: object) -> Predict | None:
    """Find what a live LightGBM model itself says; a text says nothing but what we read."""
    predict = getattr(_booster(model), "predict", None)
    if not callable(predict):
        return None

    def ask(rows: Floats) -> Floats:
        return np.asarray(predict(rows), np.float64)

    return ask


def _scorecard_bytes(card: Mapping[str, object]) -> bytes:
    """Write a dict of plain numbers in the one form; one that names its kind is that form."""
    if "kind" in card:
        return canonical_bytes(card)
    try:
        rows = cast("list[Mapping[str, object]]", card["characteristics"])
        value = {
            "kind": SCORECARD,
            "base": _number(card["base"]),
            "characteristics": [_characteristic(row) for row in rows],
        }
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("MODEL_MALFORMED", "fields of the scorecard") from error
    return canonical_bytes(value)


def _characteristic(row: Mapping[str, object]) -> dict[str, Json]:
    edges, points = cast("list[object]", row["edges"]), cast("list[object]", row["points"])
    return {
        "feature": str(row["feature"]),
        "edges": [_number(edge) for edge in edges],
        "points": [_number(point) for point in points],
        "missing": _number(row["missing"]),
    }


def _number(value: object) -> str:
    return write_number(float(value))  # type: ignore[arg-type]  # NumPy's numbers too
