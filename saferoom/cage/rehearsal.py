"""Is everything that an evaluation will ever need loaded before the door is shut?

After the lock-down nothing can be imported or opened any more, and libraries load parts of
themselves at first use. So one small model with a bit of everything is read, measured and
scored first.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from saferoom.scoring import artefact as artefacts
from saferoom.scoring.artefact import GoldenRows
from saferoom.scoring.evaluation import Evaluator, Load, grade_indices, taken
from saferoom.scoring.form import (
    Characteristic,
    Direction,
    Form,
    Input,
    Linear,
    Member,
    Scorecard,
    Source,
    Step,
)
from saferoom.scoring.form_json import form_digest, write_form
from saferoom.scoring.functions import (
    Bin,
    Clip,
    Function,
    Interpolate,
    IsMissing,
    Log1p,
    Logistic,
    Lookup,
    Single,
)
from saferoom.scoring.golden import check_golden, golden_rows, same_scores
from saferoom.scoring.trees import (
    CategorySplit,
    Line,
    Missing,
    NumericSplit,
    Reading,
    Tree,
    Trees,
)


def rehearse(load: Load) -> None:
    """Do once whatever a model's text may lead to."""
    form = _form()
    evaluator = Evaluator(form, load)
    wide = partial(taken, evaluator)
    rows = golden_rows(form, form_digest(form), wide)
    golden = GoldenRows(rows, evaluator.scores(rows))
    text = write_form(form)
    data = artefacts.build_artefact(artefacts.FORM_JSON, text, Direction.RISK, [0.5], golden)
    model = artefacts.read_artefact(data)
    shipped = artefacts.read_golden(model)
    assert shipped is not None
    check_golden(artefacts.read_model(model), shipped.rows, wide)
    assert same_scores(form, golden.scores, shipped.scores).all()
    grade_indices(evaluator.scores(np.zeros((1, 1))), model.thresholds, model.direction)


def _form() -> Form:
    functions: tuple[Function, ...] = (
        Bin((0.5,)),
        Lookup((0.0,), (1.0,), 0.0, 0.0, refuses_unknown=False),
        Clip(-1.0, 2.0),
        Log1p(),
        Single(),
        IsMissing(),
    )
    split = NumericSplit(0, 0.5, Missing.NAN, default_left=True, left=1, right=-1)
    splits = (split, CategorySplit(0, (1,), left=-2, right=-3))
    line = Line(0.0, (0,), (1.0,))
    trees = (Tree(splits, (0.25, 0.5, 0.75)), Tree((), (0.0,), (line,)))
    card = Scorecard(1.0, (Characteristic("x", (0.5,), (0.0, 1.0), 0.5),))
    last = Interpolate((0.0, 1.0), (0.0, 1.0))
    scorers = [Trees(trees[: 3 - place], reading) for place, reading in enumerate(Reading, 1)]
    members = (
        *(Member(scorer, (Logistic(1.0), last)) for scorer in scorers),
        Member(card),
        Member(Linear(0.0, (1, 2, 3, 5), (1.0,) * 4)),
    )
    steps = tuple(Step(0, function) for function in functions)
    return Form(Source.SCIKIT_LEARN, (Input("x", infinite=False),), steps, members)
