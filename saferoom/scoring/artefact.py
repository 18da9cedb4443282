"""What exactly does a bank seal, and what does the cage read out of it?

Canonical JSON: the model's text, the direction, the thresholds between grades as hex
floats, and the golden rows: rows made from the model's form, never from firms, with the
score that the bank's own library gives each. Building one reads it back, so a bank learns
of a refusal at home.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.form import Direction, Form, scorecard_form
from saferoom.scoring.form_json import pack, read_form, unpack
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.numbers import check_ascending, read_numbers, write_number
from saferoom.scoring.scorecard_reader import read_scorecard

KIND = "saferoom/artefact/1"
_FIELDS = {"kind", "model_format", "model", "direction", "thresholds", "golden"}
LARGEST_ARTEFACT = 64 * 2**20
MOST_GRADES = 1000
MOST_GOLDEN = 200_000
_PICK = 8  # hex digits of a place in a column's values

# `core.manifest.ModelFormat` holds the same words; the cage does without its imports.
LIGHTGBM_TEXT = "lightgbm-text"
SCORECARD_JSON = "scorecard-json"
FORM_JSON = "form-json"
_READERS: dict[str, Callable[[str], Form]] = {
    LIGHTGBM_TEXT: read_lightgbm,
    SCORECARD_JSON: lambda text: scorecard_form(read_scorecard(text)),
    FORM_JSON: read_form,
}

_SAVE_TEXT = "send the live object or LightGBM's own text"
_FOREIGN = (
    (b"\x80", f"a Python pickle, which runs code when it is loaded; {_SAVE_TEXT}"),
    (b"\x78", f"a compressed joblib file, which runs code when it is loaded; {_SAVE_TEXT}"),
    (b"\x1f\x8b", "a gzip file; send the model in it"),
    (b"PK", "a zip archive; send the model in it"),
    (b"\x08", "ONNX; send the model that it was made from"),
    (b"CBM1", "CatBoost, which is not accepted"),
    (b"\x89HDF", "an HDF5 file, which is not accepted"),
    (b"<", "XML or PMML; send the model that it was made from"),
    (b'{"learner"', "XGBoost JSON, which is not accepted yet"),
    (b"{L", "XGBoost UBJSON, which is not accepted yet"),
)


class GoldenRows(NamedTuple):
    """Rows that a bank ships with its model, and the score it expects; NaN where refused."""

    rows: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Artefact:
    """A bank's model and how its scores become grades."""

    model_format: str
    model: str
    direction: Direction
    thresholds: tuple[float, ...]
    golden: Json = None  # read by `read_golden`, and only at submission

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
    if data.startswith(b"{") and b'"kind":"saferoom/form/1"' in data:
        return FORM_JSON
    for prefix, hint in _FOREIGN:
        if data.startswith(prefix):
            raise BadInput("MODEL_FORMAT", f"this looks like {hint}")
    raise BadInput("MODEL_FORMAT", "neither LightGBM text nor scorecard JSON nor a form")


def build_artefact(
    model_format: str,
    model_text: str,
    direction: str,
    thresholds: Sequence[float],
    golden: GoldenRows | None = None,
) -> bytes:
    """Write the bytes that are sealed to the vault, after checking all of them."""
    value: dict[str, Json] = {
        "kind": KIND,
        "model_format": str(model_format),
        "model": model_text,
        "direction": str(direction),
        "thresholds": [write_number(each) for each in thresholds],
        "golden": None if golden is None else _write_golden(golden),
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
    if value.keys() != _FIELDS:
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
    return Artefact(model_format, model, Direction(direction), thresholds, value["golden"])


def read_model(artefact: Artefact) -> Form:
    """Read the model's text by its format's strict reader."""
    try:
        recognised = recognise(artefact.model.encode())
    except UnicodeEncodeError as error:
        raise BadInput("MODEL_FORMAT", "the model is not text") from error
    if recognised != artefact.model_format:
        raise BadInput("MODEL_FORMAT", "the model is not what the artefact names")
    return read_text(artefact.model_format, artefact.model)


def read_text(model_format: str, text: str) -> Form:
    """Read a text of one format strictly."""
    return _READERS[model_format](text)


def check_declared(artefact: Artefact, form: Form, features: tuple[str, ...], grades: int) -> None:
    """Refuse an artefact that is not what its signed manifest declares."""
    if form.features != features:
        raise BadInput("MODEL_MALFORMED", "features are not the manifest's, in its order")
    if artefact.grades != grades:
        raise BadInput("MODEL_MALFORMED", "thresholds are one fewer than grades")


def read_golden(artefact: Artefact) -> GoldenRows | None:
    """Read the golden rows, or None where the artefact has none."""
    match artefact.golden:
        case None:
            return None
        case {"columns": list(columns), "scores": str(scores), **rest} if not rest:
            expected = np.array(unpack(scores, "golden rows: scores"), np.float64)
            if not 0 < len(expected) <= MOST_GOLDEN or not columns:
                raise BadInput("MODEL_MALFORMED", "golden rows: how many")
            read = [_read_column(column, len(expected)) for column in columns]
            return GoldenRows(np.column_stack(read), expected)
        case _:
            raise BadInput("MODEL_MALFORMED", "golden rows: fields")


def _write_golden(golden: GoldenRows) -> Json:
    """Write each column as its few different values and a place among them per row."""
    columns: list[Json] = []
    for column in golden.rows.T:
        values, picks = np.unique(column, return_inverse=True)
        columns.append(
            {"values": pack(values.tolist()), "picks": picks.astype(">u4").tobytes().hex()}
        )
    return {"columns": columns, "scores": pack(golden.scores.tolist())}


def _read_column(column: Json, rows: int) -> NDArray[np.float64]:
    match column:
        case {"values": str(values), "picks": str(picks), **rest} if not rest:
            held = np.array(unpack(values, "golden rows: values"), np.float64)
        case _:
            raise BadInput("MODEL_MALFORMED", "golden rows: fields of a column")
    try:
        places = np.frombuffer(bytes.fromhex(picks), ">u4")
    except ValueError as error:
        raise BadInput("MODEL_MALFORMED", "golden rows: picks") from error
    if len(picks) != _PICK * rows or len(places) != rows or places.max() >= len(held):
        raise BadInput("MODEL_MALFORMED", "golden rows: picks")
    read: NDArray[np.float64] = held[places]
    return read
