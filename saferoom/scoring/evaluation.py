"""Which score, and which grade, does a form give each row?

Matrices are float64, one row per enterprise, NaN where a feature is missing. Each row is
scored alone. A score that is NaN is none: the row was refused by the model's own rules (a
missing or infinite input that it may not have, an unknown category, no logarithm), and its
grade is `REFUSED`. Trees are summed by whatever engine the caller passes in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from saferoom.scoring.form import Direction, Form, Linear, Member, Scorecard
from saferoom.scoring.functions import Flags, Floats, Function
from saferoom.scoring.trees import Trees

Grades = NDArray[np.int16]
Sums = Callable[[Floats], Floats]
Load = Callable[[Trees, int], Sums]  # trees over so many columns

REFUSED = -1
BLOCK = 2**20  # rows × columns at a time


class Evaluator:
    """One form that passed `check_form`, ready to score."""

    def __init__(self, form: Form, load: Load) -> None:
        self._form = form
        self._scorers = [_ready(member, form, load) for member in form.members]
        self._rows = max(1, BLOCK // form.columns) if form.steps else 0
        self._no_gaps = _places(form, lambda each: not each.missing)
        self._no_ends = _places(form, lambda each: not each.infinite)

    def scores(self, matrix: Floats) -> Floats:
        """Score each row; NaN where the model refuses it."""
        if not self._rows:  # nothing is added to the matrix, so it is read as it is
            return self._block(matrix)
        starts = range(0, len(matrix), self._rows)
        blocks = [self._block(matrix[at : at + self._rows]) for at in starts]
        return np.concatenate([np.empty(0), *blocks])

    def _block(self, matrix: Floats) -> Floats:
        with np.errstate(all="ignore"):  # what is not a number ends as a refusal
            columns, refused = self.columns(matrix)
            total = np.zeros(len(matrix))
            for member, scorer in zip(self._form.members, self._scorers, strict=True):
                score, refused = _finished(scorer(columns), member.finish, refused)
                total = total + (score if member.weight == 1 else member.weight * score)
            total, refused = _finished(total, self._form.finish, refused)
        total[refused] = np.nan
        return total

    def columns(self, matrix: Floats) -> tuple[Floats, Flags]:
        """Put the steps' columns beside the inputs, and say which rows are refused."""
        gaps, ends = np.isnan(matrix[:, self._no_gaps]), np.isinf(matrix[:, self._no_ends])
        refused: Flags = np.asarray(gaps.any(axis=1) | ends.any(axis=1))
        if not self._form.steps:
            return np.ascontiguousarray(matrix, np.float64), refused
        wide = np.empty((len(matrix), self._form.columns))
        wide[:, : matrix.shape[1]] = matrix
        for place, step in enumerate(self._form.steps, matrix.shape[1]):
            made, refused = _finished(wide[:, step.column], (step.function,), refused)
            wide[:, place] = made
        return wide, refused


def taken(evaluator: Evaluator, rows: Floats) -> Floats:
    """Return the columns of those rows that the model does not refuse."""
    columns, refused = evaluator.columns(rows)
    return columns[~refused]


def _finished(
    values: Floats, functions: tuple[Function, ...], refused: Flags
) -> tuple[Floats, Flags]:
    for function in functions:
        bad = function.refused(values)
        refused = refused if bad is None else refused | bad
        values = function.apply(values)
    return values, refused


def _ready(member: Member, form: Form, load: Load) -> Sums:
    match member.scorer:
        case Trees() as trees:
            return load(trees, form.columns)
        case Scorecard() as card:
            places = [form.features.index(name) for name in card.features]
            return lambda columns: scorecard_scores(card, columns[:, places])
        case Linear() as linear:
            return lambda columns: linear_scores(linear, columns)


def scorecard_scores(card: Scorecard, matrix: Floats) -> Floats:
    """Sum base and points in the card's order, in float64."""
    scores = np.full(len(matrix), card.base)
    for each, column in zip(card.characteristics, matrix.T, strict=True):
        bins = np.searchsorted(np.array(each.edges), column, side="right")
        # a NaN sorts last, so it has a bin too; its points are replaced
        scores += np.where(np.isnan(column), each.missing, np.array(each.points)[bins])
    return scores


def linear_scores(linear: Linear, columns: Floats) -> Floats:
    """Sum weight · column in order, then add the intercept."""
    scores = np.zeros(len(columns))
    for column, weight in zip(linear.columns, linear.weights, strict=True):
        scores += weight * columns[:, column]
    return scores + linear.intercept


def grade_indices(scores: Floats, thresholds: tuple[float, ...], direction: Direction) -> Grades:
    """Count the thresholds ≤ the score; grade 0 is the best, `REFUSED` has no score."""
    passed = np.searchsorted(np.array(thresholds), scores, side="right")
    grades = passed if direction is Direction.RISK else len(thresholds) - passed
    return np.where(np.isnan(scores), REFUSED, grades).astype(np.int16)


def _places(form: Form, wanted: Callable[..., bool]) -> list[int]:
    return [place for place, each in enumerate(form.inputs) if wanted(each)]
