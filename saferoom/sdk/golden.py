"""Which rows go with a model, and does the room's form agree with the bank's own library?

Made here from the form, scored by the bank's object where there is one, and compared before
anything is sent: a bank learns at home what the room would refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from saferoom.errors import BadInput
from saferoom.scoring.artefact import GoldenRows
from saferoom.scoring.evaluation import Evaluator, grade_indices, taken
from saferoom.scoring.form import Direction, Form
from saferoom.scoring.form_json import form_digest
from saferoom.scoring.functions import Floats
from saferoom.scoring.golden import golden_rows, same_scores
from saferoom.scoring.tree_evaluation import portable

Predict = Callable[[Floats], Floats]


def make_golden(
    form: Form, predict: Predict | None, thresholds: tuple[float, ...], direction: Direction
) -> GoldenRows:
    """Make them, with the scores of the bank's library; GOLDEN_DIFFERS where ours are others."""
    evaluator = Evaluator(form, portable)
    rows = golden_rows(form, form_digest(form), partial(taken, evaluator))
    ours = evaluator.scores(rows)
    expected = ours if predict is None else _theirs(predict, rows, ours)
    grades = [grade_indices(each, thresholds, direction) for each in (ours, expected)]
    if not (same_scores(form, expected, ours) & (grades[0] == grades[1])).all():
        raise BadInput("GOLDEN_DIFFERS")
    return GoldenRows(rows, expected)


def _theirs(predict: Predict, rows: Floats, ours: Floats) -> Floats:
    """Ask the bank's library about the rows that are not refused; it would raise at the others."""
    scores = np.full(len(rows), np.nan)
    taken_rows = ~np.isnan(ours)
    scores[taken_rows] = predict(rows[taken_rows])
    return scores
