"""Does an evaluation end on a whole number of quanta, whatever became of it?"""

from __future__ import annotations

from contextlib import suppress

import pytest

from saferoom.vault.pacing import QUANTUM_SECONDS, paced, rest


class Watch:
    """A clock that only sleeping and working move."""

    def __init__(self) -> None:
        self.now = 100.0

    def read(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("worked", "ended"), [(0.0001, 1), (0.0011, 1), (0.0049, 1), (0.0051, 2), (0.0999, 20)]
)
def test_an_evaluation_ends_on_the_next_quantum(worked: float, ended: int) -> None:
    watch = Watch()
    with paced(watch.read, watch.pass_by):
        watch.pass_by(worked)
    assert watch.now - 100 == pytest.approx(ended * QUANTUM_SECONDS)


def test_a_failed_evaluation_takes_as_long() -> None:
    watch = Watch()
    with suppress(ValueError), paced(watch.read, watch.pass_by):
        watch.pass_by(0.002)
        raise ValueError
    assert watch.now - 100 == pytest.approx(QUANTUM_SECONDS)


@pytest.mark.parametrize("spent", [0.0, QUANTUM_SECONDS, 0.123, 61.7])
def test_nobody_waits_longer_than_one_quantum(spent: float) -> None:
    assert 0 <= rest(spent) < QUANTUM_SECONDS
