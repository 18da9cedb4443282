"""What if a cage dies on a row, or a model lets one row tell about another?"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from saferoom.cage.host import CageFault, Shape
from saferoom.core.manifest import Manifest
from saferoom.errors import BadInput, Unavailable
from saferoom.vault.cages import MOST_WARM, Cages, Model
from saferoom.vault.evaluating import Evaluator
from saferoom.vault.snapshots import Found
from tests import factories as make
from tests.vault.room import counted_random

Matrix = NDArray[np.float64]
Grade = Callable[["TwinCage", Matrix], list[int]]
LONG = 60.0
VERSION: Manifest = make.manifest(grades=("A", "B", "C"))


class TwinCage:
    """A cage that behaves as a test says."""

    started = 0
    open_now = 0

    def __init__(self, grade: Grade) -> None:
        self._grade, self.rows_seen, self.loaded = grade, 0, b""
        type(self).started += 1
        type(self).open_now += 1

    def load(self, artefact: bytes, features: tuple[str, ...], grades: int) -> Shape:
        if artefact == b"bad":
            raise BadInput("MODEL_MALFORMED")
        assert not self.loaded, "a cage holds one model"
        self.loaded = artefact
        return Shape(features, "scorecard", 1, 1, grades, 1)

    def evaluate(self, matrix: Matrix, seconds: float) -> NDArray[np.int16]:
        assert seconds > 0
        grades = self._grade(self, matrix)
        self.rows_seen += len(matrix)
        return np.array(grades, np.int16)

    def close(self) -> None:
        type(self).open_now -= 1


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    TwinCage.started = TwinCage.open_now = 0


def cages(grade: Grade) -> Cages:
    return Cages(lambda: TwinCage(grade))  # type: ignore[arg-type, return-value]


def model(version: object = 0, artefact: bytes = b"model") -> Model:
    return Model(make.some_digest(version), ("x",), 3, lambda: artefact)


def found(
    values: list[float],
    disputed: Collection[int] = (),
    absent: Collection[int] = (),
) -> Found:
    count = len(values)
    return Found(
        np.array(values).reshape(count, 1),
        np.array([number not in absent for number in range(count)]),
        np.array([number in disputed for number in range(count)]),
    )


def honest(_: TwinCage, matrix: Matrix) -> list[int]:
    return [int(value) % 3 if not np.isnan(value) else 0 for value in matrix[:, 0]]


def outcomes(grade: Grade, rows: Found) -> list[str]:
    pool = cages(grade)
    try:
        return Evaluator(pool, model(), counted_random("x"), LONG).outcomes(VERSION, rows)
    finally:
        pool.close()


def test_missing_and_disputed_are_outcomes_and_still_evaluated() -> None:
    seen: list[int] = []

    def watch(cage: TwinCage, matrix: Matrix) -> list[int]:
        seen.append(len(matrix))
        return honest(cage, matrix)

    rows = found([0, 1, 2, float("nan"), float("nan")], disputed={1, 4}, absent={3, 4})
    assert outcomes(watch, rows) == ["A", "refused", "C", "missing", "refused"]
    assert seen == [5, 1]  # everyone at once, and the sample alone


def dies_on(value: float) -> Grade:
    def grade(cage: TwinCage, matrix: Matrix) -> list[int]:
        if (matrix == value).any():
            raise CageFault("death")
        return honest(cage, matrix)

    return grade


@pytest.mark.parametrize("reason", ["death", "memory", "timeout"])
def test_a_row_that_ends_the_cage_is_refused_alone(reason: str) -> None:
    def grade(cage: TwinCage, matrix: Matrix) -> list[int]:
        if (matrix == 7).any():
            raise CageFault(reason)  # type: ignore[arg-type]
        return honest(cage, matrix)

    assert outcomes(grade, found([0, 1, 7, 2])) == ["A", "B", "refused", "C"]
    assert outcomes(grade, found([7])) == ["refused"]


def test_a_model_that_always_dies_is_refused_for_everyone_in_bounded_time() -> None:
    rows = found([7.0] * 500)
    assert outcomes(dies_on(7), rows) == ["refused"] * 500
    assert TwinCage.started < 30


def leaky(_: TwinCage, matrix: Matrix) -> list[int]:
    return [int(len(matrix) > 1)] * len(matrix)


def test_one_row_telling_about_another_refuses_every_row_as_an_outcome() -> None:
    assert outcomes(leaky, found([0, 1, 2])) == ["refused"] * 3


def test_memory_of_earlier_rows_refuses_every_row() -> None:
    def remembers(cage: TwinCage, matrix: Matrix) -> list[int]:
        return [int(cage.rows_seen > 0 or number > 0) for number in range(len(matrix))]

    pool = cages(remembers)
    evaluator = Evaluator(pool, model(), counted_random("y"), LONG)
    assert evaluator.outcomes(VERSION, found([0])) == ["A"]  # a single score has no sample
    assert evaluator.outcomes(VERSION, found([0, 1])) == ["refused"] * 2
    pool.close()


def test_a_row_that_ends_its_cage_only_alone_is_refused_alone() -> None:
    def dies_alone(cage: TwinCage, matrix: Matrix) -> list[int]:
        if len(matrix) == 1:
            raise CageFault("death")
        return honest(cage, matrix)

    assert sorted(outcomes(dies_alone, found([0, 1, 2]))) in (
        ["A", "B", "refused"],
        ["A", "C", "refused"],
        ["B", "C", "refused"],
    )


class Watch:
    """A clock that each evaluation moves."""

    now = 0.0

    def slow(self, seconds: float) -> Grade:
        def grade(cage: TwinCage, matrix: Matrix) -> list[int]:
            self.now += seconds * len(matrix)
            if len(matrix) > 1:
                raise CageFault("timeout")
            return honest(cage, matrix)

        return grade


def test_what_is_left_when_the_time_is_over_is_refused() -> None:
    watch = Watch()
    pool = cages(watch.slow(10))
    evaluator = Evaluator(pool, model(), counted_random("t"), 75, lambda: watch.now)
    assert evaluator.outcomes(VERSION, found([1, 1, 1, 1])) == ["B", "B", "refused", "refused"]
    assert TwinCage.started < 8
    pool.close()


def test_a_request_that_got_no_cage_is_told_so_and_is_no_outcome() -> None:
    pool = cages(honest)
    evaluator = Evaluator(pool, model(), counted_random("b"), 0.05)
    with pool.warm(model(), LONG), pytest.raises(Unavailable, match="VAULT_BUSY"):
        evaluator.outcomes(VERSION, found([1]))
    assert not evaluator.saw_rows
    pool.close()


@pytest.mark.parametrize(("rows", "least"), [(2, 1), (100, 1), (101, 2), (1000, 10)])
def test_the_sample_is_one_in_a_hundred_at_least_and_unpredictable(rows: int, least: int) -> None:
    pool = cages(honest)
    evaluator = Evaluator(pool, model(), counted_random("z"), LONG)
    samples = [evaluator.sample(rows) for _ in range(5)]
    assert all(len(set(sample)) == least for sample in samples)
    assert len({tuple(sample) for sample in samples}) > 1
    pool.close()


def test_each_version_has_its_own_cage_and_the_pool_is_small() -> None:
    pool = cages(honest)
    for number in [*range(MOST_WARM + 3), 0]:
        with pool.warm(model(number, f"{number}".encode()), LONG) as cage:
            assert cage.loaded == f"{number}".encode()  # type: ignore[attr-defined]
    pool.close()
    assert TwinCage.open_now <= 1  # a spare one may be starting still
    assert TwinCage.started >= MOST_WARM + 3


def test_a_warm_cage_is_used_again() -> None:
    pool = cages(honest)
    with pool.warm(model(), LONG) as first:
        pass
    with pool.warm(model(), LONG) as second:
        assert second is first
    pool.close()


def test_a_model_that_cannot_be_loaded_closes_its_cage() -> None:
    pool = cages(honest)
    with pytest.raises(BadInput), pool.warm(model(artefact=b"bad"), LONG):
        pass
    with pytest.raises(BadInput), pool.fresh(model(artefact=b"bad")):
        pass
    pool.close()
