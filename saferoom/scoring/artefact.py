"""What exactly does a bank seal, and what does the cage read out of it?

Canonical JSON: the model's text, the direction, and the thresholds between grades as
hex floats. Building one reads it back, so a bank learns of a refusal at home.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.evaluation import Direction
from saferoom.scoring.form import Form
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.numbers import check_ascending, read_numbers, write_number
from saferoom.scoring.scorecard_reader import read_scorecard

KIND = "saferoom/artefact/1"
LARGEST_ARTEFACT = 64 * 2**20
MOST_GRADES = 1000

# `core.manifest.ModelFormat` holds the same words; the cage does without its imports.
LIGHTGBM_TEXT = "lightgbm-text"
SCORECARD_JSON = "scorecard-json"
_READERS: dict[str, Callable[[str], Form]] = {
    LIGHTGBM_TEXT: read_lightgbm,
    SCORECARD_JSON: read_scorecard,
}

_FOREIGN = (
    (b"\x80", "this looks like a Python pickle, which runs code when it is loaded"),
    (b"\x78", "this looks like a compressed joblib file, which runs code when it is loaded"),
    (b"\x1f\x8b", "this looks like a gzip file"),
    (b"PK", "this looks like a zip archive"),
    (b"\x08", "this looks like ONNX, which is not accepted yet"),
    (b"CBM1", "this looks like a CatBoost model"),
    (b"\x89HDF", "this looks like an HDF5 file"),
    (b"<", "this looks like XML or PMML"),
    (b'{"learner"', "this looks like XGBoost JSON"),
)


@dataclass(frozen=True)
class Artefact:
    """A bank's model and how its scores become grades."""

    model_format: str
    model: str
    direction: Direction
    thresholds: tuple[float, ...]

    @property
    def grades(self) -> int:
        """Count grades."""
        return len(self.thresholds) + 1


def recognise(data: bytes) -> str:
    """Name the format of a model file, or refuse and say what it looks like."""
    if data.startswith((b"tree\n", b"tree\r\n")):
        return LIGHTGBM_TEXT
    if data.startswith(b"{") and b'"kind":"saferoom/scorecard/1"' in data:
        return SCORECARD_JSON
    for prefix, hint in _FOREIGN:
        if data.startswith(prefix):
            raise BadInput("MODEL_FORMAT", hint)
    raise BadInput("MODEL_FORMAT", "neither LightGBM text nor scorecard JSON")


def build_artefact(
    model_format: str, model_text: str, direction: str, thresholds: Sequence[float]
) -> bytes:
    """Write the bytes that are sealed to the vault, after checking all of them."""
    value = {
        "kind": KIND,
        "model_format": str(model_format),
        "model": model_text,
        "direction": str(direction),
        "thresholds": [write_number(each) for each in thresholds],
    }
    try:
        data = canonical_bytes(value)
    except BadInput as error:  # a text that is not Unicode
        raise BadInput("MODEL_FORMAT", "the model is not text") from error
    read_model(read_artefact(data))
    return data


def read_artefact(data: bytes) -> Artefact:
    """Read strictly; the model's text is read by `read_model`."""
    if len(data) > LARGEST_ARTEFACT:
        raise BadInput("TOO_LARGE")
    try:
        value = parse_object(data)
    except BadInput as error:
        raise BadInput("MODEL_MALFORMED", "artefact is not canonical JSON") from error
    if value.keys() != {"kind", "model_format", "model", "direction", "thresholds"}:
        raise BadInput("MODEL_MALFORMED", "fields of the artefact")
    model, direction, model_format = value["model"], value["direction"], value["model_format"]
    if value["kind"] != KIND or not isinstance(model, str):
        raise BadInput("MODEL_MALFORMED", "kind of the artefact")
    if not isinstance(model_format, str) or model_format not in _READERS:
        raise BadInput("MODEL_FORMAT")
    if not isinstance(direction, str) or direction not in set(Direction):
        raise BadInput("MODEL_MALFORMED", "direction is risk or quality")
    thresholds = read_numbers(value["thresholds"], "thresholds")
    if not 0 < len(thresholds) < MOST_GRADES:
        raise BadInput("MODEL_MALFORMED", "number of thresholds")
    check_ascending(thresholds, "thresholds")
    return Artefact(model_format, model, Direction(direction), thresholds)


def read_model(artefact: Artefact) -> Form:
    """Read the model's text by its format's strict reader."""
    try:
        recognised = recognise(artefact.model[:4096].encode())
    except UnicodeEncodeError as error:
        raise BadInput("MODEL_FORMAT", "the model is not text") from error
    if recognised != artefact.model_format:
        raise BadInput("MODEL_FORMAT", "the model is not what the artefact names")
    return _READERS[artefact.model_format](artefact.model)


def check_declared(artefact: Artefact, form: Form, features: tuple[str, ...], grades: int) -> None:
    """Refuse an artefact that is not what its signed manifest declares."""
    if form.features != features:
        raise BadInput("MODEL_MALFORMED", "features are not the manifest's, in its order")
    if artefact.grades != grades:
        raise BadInput("MODEL_MALFORMED", "thresholds are one fewer than grades")
