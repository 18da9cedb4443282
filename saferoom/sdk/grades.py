"""Where does one grade end and the next begin?

Three ways to say it: thresholds in ascending order (grades are named G1 … GK, best
first), a dict from grade to the bound that ends it (best first, the last one None), or
a number of grades with a sample of scores that is cut into equal parts. Under `risk` a
high score is bad, under `quality` good; the sealed artefact keeps thresholds ascending.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from saferoom.errors import BadInput
from saferoom.scoring.form import Direction

Grades = int | Sequence[float] | Mapping[str, float | None]


@dataclass(frozen=True)
class Cut:
    """Grade names best first, and ascending thresholds between them."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]


def cut(grades: Grades, direction: Direction, scores: Sequence[float] | None = None) -> Cut:
    """Settle names and thresholds, or refuse and say which grade is at fault."""
    match grades:
        case bool() | str():
            raise BadInput("FIELD_INVALID", "grades: a number, thresholds or a dict")
        case int():
            thresholds = _quantiles(grades, scores)
            return Cut(_numbered(grades), thresholds)
        case Mapping():
            return _bounds(grades, direction)
        case _:
            thresholds = _ascending([float(each) for each in grades])
            return Cut(_numbered(len(thresholds) + 1), thresholds)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"G{place}" for place in range(1, count + 1))


def _quantiles(count: int, scores: Sequence[float] | None) -> tuple[float, ...]:
    if scores is None:
        raise BadInput("FIELD_INVALID", "grades: a number needs scores= to cut into equal parts")
    if count < 2:
        raise BadInput("FIELD_INVALID", "grades: at least 2")
    sample = np.asarray(scores, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise BadInput("FIELD_INVALID", "scores: a list of finite numbers")
    cuts = np.quantile(sample, np.arange(1, count) / count)
    return _ascending([float(each) for each in cuts])


def _bounds(grades: Mapping[str, float | None], direction: Direction) -> Cut:
    names, bounds = tuple(grades), list(grades.values())
    if len(names) < 2 or bounds[-1] is not None or None in bounds[:-1]:
        raise BadInput("FIELD_INVALID", "grades: each but the last has a bound")
    numbers = [float(bound) for bound in bounds if bound is not None]
    falling = direction is Direction.QUALITY
    return Cut(names, _ascending(numbers[::-1] if falling else numbers))


def _ascending(thresholds: list[float]) -> tuple[float, ...]:
    if not thresholds or not all(math.isfinite(each) for each in thresholds):
        raise BadInput("FIELD_INVALID", "grades: thresholds are finite numbers, at least one")
    if any(after <= before for before, after in itertools.pairwise(thresholds)):
        raise BadInput("FIELD_INVALID", "grades: thresholds differ and go one way")
    return tuple(thresholds)
