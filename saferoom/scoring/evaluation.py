"""Which grade does a score get, and which score does a scorecard give?

Matrices are float64, one row per enterprise, NaN where a feature is missing.
Each row is scored alone.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from saferoom.scoring.form import Scorecard

Floats = NDArray[np.float64]
Grades = NDArray[np.int16]


class Direction(StrEnum):
    """What a high score means."""

    RISK = "risk"
    QUALITY = "quality"


def scorecard_scores(card: Scorecard, matrix: Floats) -> Floats:
    """Sum base and points in the card's order, in float64."""
    scores = np.full(len(matrix), card.base)
    for each, column in zip(card.characteristics, matrix.T, strict=True):
        bins = np.searchsorted(np.array(each.edges), column, side="right")
        # a NaN sorts last, so it has a bin too; its points are replaced
        scores += np.where(np.isnan(column), each.missing, np.array(each.points)[bins])
    return scores


def grade_indices(scores: Floats, thresholds: tuple[float, ...], direction: Direction) -> Grades:
    """Count the thresholds ≤ the score; grade 0 is the best."""
    passed = np.searchsorted(np.array(thresholds), scores, side="right")
    grades = passed if direction is Direction.RISK else len(thresholds) - passed
    return grades.astype(np.int16)
