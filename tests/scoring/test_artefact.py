"""Does a bank's artefact say one thing, and nothing foreign pass for a model?"""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np
import pytest

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.manifest import ModelFormat
from saferoom.errors import BadInput
from saferoom.scoring import artefact as artefacts
from saferoom.scoring.artefact import (
    build_artefact,
    check_declared,
    read_artefact,
    read_model,
    recognise,
)
from saferoom.scoring.evaluation import grade_indices
from saferoom.scoring.form import Direction, scorecard_form
from saferoom.scoring.scorecard_reader import write_scorecard
from tests.scoring import oracle
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import FEATURES, trained

CARD_TEXT = write_scorecard(CARD)


def built() -> bytes:
    return build_artefact("scorecard-json", CARD_TEXT, "quality", [480.0, 500.0])


def changed(**changes: Json) -> bytes:
    fields = {key: v for key, v in (parse_object(built()) | changes).items() if v != "-"}
    return canonical_bytes(fields)


def test_an_artefact_is_read_as_it_was_built() -> None:
    artefact = read_artefact(built())
    assert artefact.thresholds == (480.0, 500.0)
    assert artefact.direction is Direction.QUALITY
    assert artefact.grades == 3
    assert read_model(artefact) == scorecard_form(CARD)


def test_lightgbm_text_is_carried_unchanged() -> None:
    text = trained("categories").text
    data = build_artefact(ModelFormat.LIGHTGBM_TEXT, text, Direction.RISK, [0.5])
    artefact = read_artefact(data)
    assert artefact.model == text
    assert read_model(artefact).features == FEATURES


def test_the_formats_are_those_of_the_manifest() -> None:
    assert set(artefacts._READERS) == set(ModelFormat)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{}",
        built() + b" ",
        changed(extra=1),
        changed(kind="saferoom/artefact/2"),
        changed(model=7),
        changed(model="-"),
        changed(direction="up"),
        changed(direction=["risk"]),
        changed(thresholds=[]),
        changed(thresholds=[(1.0).hex()] * 2),
        changed(thresholds=[(2.0).hex(), (1.0).hex()]),
        changed(thresholds=["inf"]),
        changed(thresholds=[float(i).hex() for i in range(1000)]),
        changed(thresholds="none"),
    ],
)
def test_an_artefact_that_is_not_canonical_is_refused(broken: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        read_artefact(broken)
    assert caught.value.code == "MODEL_MALFORMED"


def test_an_unknown_format_is_refused() -> None:
    names: tuple[Json, ...] = ("onnx", 7, ["scorecard-json"])
    for name in names:
        with pytest.raises(BadInput) as caught:
            read_artefact(changed(model_format=name))
        assert caught.value.code == "MODEL_FORMAT"


def test_a_format_that_the_text_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match="not what the artefact names"):
        build_artefact("lightgbm-text", CARD_TEXT, "risk", [0.5])


def test_a_large_artefact_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "LARGEST_ARTEFACT", 10)
    with pytest.raises(BadInput) as caught:
        read_artefact(built())
    assert caught.value.code == "TOO_LARGE"


@pytest.mark.parametrize("thresholds", [[], [math.nan], [1.0, 1.0], [2.0, 1.0], [math.inf]])
def test_a_bank_learns_at_home_of_thresholds_that_cannot_be(thresholds: list[float]) -> None:
    with pytest.raises(BadInput) as caught:
        build_artefact("scorecard-json", CARD_TEXT, "risk", thresholds)
    assert caught.value.code == "MODEL_MALFORMED"


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        build_artefact("scorecard-json", "\ud800", "risk", [1.0])
    assert caught.value.code == "MODEL_FORMAT"
    artefact = artefacts.Artefact("scorecard-json", "\ud800", Direction.RISK, (1.0,))
    with pytest.raises(BadInput):
        read_model(artefact)


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model", "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"\x80\x04\x95\x10\x00", "pickle"),
        (b"\x78\x9c\x03\x00", "joblib"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (zip_bytes(), "zip"),
        (b"\x08\x08\x12\x07pytorch", "ONNX"),
        (b"CBM1\x00", "CatBoost"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"<?xml version='1.0'?>", "PMML"),
        (b'{"learner":{}}', "XGBoost"),
        (b'{"anything":1}', "neither"),
        (b"", "neither"),
        (np.random.default_rng(3).bytes(200), "neither"),
    ],
)
def test_foreign_files_are_refused_by_what_they_look_like(data: bytes, hint: str) -> None:
    with pytest.raises(BadInput, match=hint) as caught:
        recognise(data)
    assert caught.value.code == "MODEL_FORMAT"


def test_known_files_are_recognised() -> None:
    assert recognise(trained("numeric").text.encode()) == ModelFormat.LIGHTGBM_TEXT
    assert recognise(CARD_TEXT.encode()) == ModelFormat.SCORECARD_JSON


def test_what_the_manifest_declares_must_be_so() -> None:
    artefact = read_artefact(built())
    check_declared(artefact, scorecard_form(CARD), CARD.features, 3)
    with pytest.raises(BadInput, match="features"):
        check_declared(artefact, scorecard_form(CARD), CARD.features[::-1], 3)
    with pytest.raises(BadInput, match="thresholds"):
        check_declared(artefact, scorecard_form(CARD), CARD.features, 4)


@pytest.mark.parametrize("direction", Direction)
def test_a_score_on_a_threshold_has_passed_it(direction: Direction) -> None:
    thresholds = (0.1, 0.2, 0.7)
    scores = [0.0, 0.1, 0.15, 0.2, 0.7, 1.0]
    grades = grade_indices(np.array(scores), thresholds, direction)
    assert grades.dtype == np.int16
    assert grades.tolist() == [oracle.grade(each, thresholds, direction) for each in scores]
    assert grades[0] == (0 if direction is Direction.RISK else 3)
