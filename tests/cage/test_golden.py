"""Does the cage measure a submitted model's golden rows, and refuse what they show?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from saferoom.cage.host import Cage
from saferoom.errors import BadInput
from saferoom.scoring.artefact import GoldenRows, build_artefact
from saferoom.scoring.evaluation import REFUSED, grade_indices
from saferoom.scoring.form import Direction
from saferoom.sdk.golden import make_golden
from saferoom.sdk.models import ModelText, read
from tests.cage.twins import ENGINES
from tests.scoring.training import trained
from tests.sdk.sklearn_zoo import economy, fitted, says

CUTS = (0.2, 0.5, 0.8)


@pytest.fixture(scope="module", params=ENGINES)
def cage(request: pytest.FixtureRequest) -> Iterator[Cage]:
    with Cage.start(engine=request.param) as started:
        yield started


@pytest.fixture(scope="module")
def small() -> ModelText:
    return read(trained("small").text)


def golden(text: ModelText) -> GoldenRows:
    return make_golden(text.form, text.predict, CUTS, Direction.RISK)


def submit(cage: Cage, text: ModelText, rows: GoldenRows | None) -> None:
    data = build_artefact(text.model_format, text.text, Direction.RISK, CUTS, rows)
    cage.load(data, text.form.features, 4, golden=True)


@pytest.mark.parametrize("kind", ["categories", "forest", "lines", "zero is missing"])
def test_a_lightgbm_model_with_its_rows_is_taken(cage: Cage, kind: str) -> None:
    text = read(trained(kind).text)
    submit(cage, text, golden(text))


@pytest.mark.parametrize(
    "kind", ["histogram categories", "forest", "logistic pipeline", "isotonic"]
)
def test_a_notebook_s_model_gives_the_notebook_s_grades(cage: Cage, kind: str) -> None:
    text, frame = read(fitted(kind)), economy(2000, seed=11, holes=0.1)[0]
    submit(cage, text, golden(text))
    grades = cage.evaluate(frame[list(text.form.features)].to_numpy())
    expected = grade_indices(says(fitted(kind), frame), CUTS, Direction.RISK)
    assert np.array_equal(grades, expected)


def test_a_row_that_the_model_refuses_is_refused_alone(cage: Cage) -> None:
    text, frame = read(fitted("logistic")), economy(3)[0]
    submit(cage, text, golden(text))
    matrix = frame[list(text.form.features)].to_numpy().copy()
    whole = cage.evaluate(matrix)
    matrix[1, 0] = np.nan
    assert cage.evaluate(matrix).tolist() == [whole[0], REFUSED, whole[2]]


def refused_with(code: str, cage: Cage, text: ModelText, rows: GoldenRows | None) -> None:
    with pytest.raises(BadInput) as caught:
        submit(cage, text, rows)
    assert caught.value.code == code


def test_a_model_without_rows_is_refused(cage: Cage, small: ModelText) -> None:
    refused_with("GOLDEN_MISSING", cage, small, None)


def test_rows_that_leave_leaves_out_are_refused(cage: Cage, small: ModelText) -> None:
    rows = golden(small)
    same = GoldenRows(np.repeat(rows.rows[:1], 1000, axis=0), np.repeat(rows.scores[:1], 1000))
    refused_with("GOLDEN_UNVISITED", cage, small, same)


@pytest.mark.parametrize("wrong", [1e-12, np.nan])
def test_another_score_is_refused(cage: Cage, small: ModelText, wrong: float) -> None:
    rows = golden(small)
    scores = rows.scores.copy()
    scores[7] += wrong
    refused_with("GOLDEN_DIFFERS", cage, small, GoldenRows(rows.rows, scores))


def test_at_home_another_score_is_refused_before_anything_is_sent(small: ModelText) -> None:
    with pytest.raises(BadInput) as caught:
        make_golden(small.form, lambda rows: np.zeros(len(rows)), CUTS, Direction.RISK)
    assert caught.value.code == "GOLDEN_DIFFERS"


def test_without_golden_rows_an_approved_model_is_only_loaded(cage: Cage, small: ModelText) -> None:
    data = build_artefact(small.model_format, small.text, Direction.RISK, CUTS)
    assert cage.load(data, small.form.features, 4).parts == small.form.parts
