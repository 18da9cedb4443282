"""Which form is a fitted scikit-learn model?

Converted from the live object, so no pickle travels. Trees and their sums are the library's
own doubles; a dot product is within 1e-9 of it. Whatever class or parameter is not known
here is refused with what to do instead. What is scored is the chance of `classes_[1]`, or a
regressor's prediction.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any  # scikit-learn has no types

import numpy as np
import pandas as pd

from saferoom.errors import BadInput
from saferoom.scoring.form import Form, Linear, Member, Source, Step, check_form
from saferoom.scoring.functions import (
    Add,
    Divide,
    Floats,
    Function,
    Interpolate,
    Logistic,
    Multiply,
)
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.trees import CategorySplit, Line, Reading, Split, Tree, Trees
from saferoom.sdk.sklearn_columns import Columns, Sheet, class_of, refuse, transform
from saferoom.sdk.sklearn_trees import known_codes, read_histogram_tree, read_tree, singles

Parts = tuple[tuple[Member, ...], tuple[Function, ...]]
_LOGIT = (Logistic(1.0),)


def is_sklearn(model: object) -> bool:
    """Say whether this is one of scikit-learn's own objects."""
    return class_of(model) != ""


def convert(model: Any) -> Form:
    """Write a fitted model as a form over the features that it uses."""
    if not hasattr(model, "n_features_in_"):
        raise refuse("the model is not fitted", "call fit first")
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise refuse("the features have no names", "fit on a DataFrame with the catalogue's names")
    sheet = Sheet(tuple(map(str, names)))
    members, finish = _parts(sheet, model, sheet.features, raw=False)
    form = _shrunk(Form(Source.SCIKIT_LEARN, sheet.inputs(), tuple(sheet.steps), members, finish))
    check_form(form)
    return form


def predictor(model: Any, features: tuple[str, ...]) -> Callable[[Floats], Floats]:
    """Return what the bank's own object says of rows of these features, in its fixed order."""
    names = [str(name) for name in model.feature_names_in_]
    own = copy.deepcopy(model)
    jobs = [name for name in own.get_params() if name.split("__")[-1] == "n_jobs"]
    own.set_params(**dict.fromkeys(jobs, 1))  # several threads would sum in any order

    def predict(rows: Floats) -> Floats:
        frame = pd.DataFrame(0.0, index=range(len(rows)), columns=names)
        frame[list(features)] = rows
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of unknown categories, of overflow
            if hasattr(own, "predict_proba"):
                return np.asarray(own.predict_proba(frame)[:, 1], np.float64)
            return np.asarray(own.predict(frame), np.float64)

    return predict


def _parts(sheet: Sheet, model: Any, columns: Columns, *, raw: bool) -> Parts:
    """Write what a model answers; `raw` is its decision function, where it has one."""
    _check_binary(model)
    if hasattr(model, "booster_"):
        return _lightgbm(model, columns, raw=raw and hasattr(model, "decision_function"))
    found = _MODELS.get(class_of(model))
    if found is None:
        accepted = ", ".join(sorted(_MODELS))
        raise refuse(f"{type(model).__name__} is not accepted", f"use one of {accepted}")
    return found(sheet, model, columns, raw)


def _check_binary(model: Any) -> None:
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise refuse("several classes", "a grade needs one score; train on two classes")
    if getattr(model, "n_outputs_", 1) != 1:
        raise refuse("several outputs", "a grade needs one score; train on one")


def _pipeline(sheet: Sheet, model: Any, columns: Columns, raw: bool) -> Parts:  # noqa: FBT001
    for _, step in model.steps[:-1]:
        columns = columns if step is None else transform(sheet, step, columns)
    return _parts(sheet, model.steps[-1][1], columns, raw=raw)


def _linear(sheet: Sheet, model: Any, columns: Columns, raw: bool) -> Parts:  # noqa: FBT001
    sheet.forbid_gaps(columns)
    weights = tuple(map(float, np.ravel(model.coef_)))
    if len(weights) != len(columns):
        raise refuse("several outputs", "a grade needs one score; train on one")
    intercept = float(np.ravel(model.intercept_)[0])
    scorer = Linear(intercept, columns, weights)
    logistic = class_of(model) == "LogisticRegression" and not raw
    return (Member(scorer, _LOGIT if logistic else ()),), ()


def _forest(sheet: Sheet, model: Any, columns: Columns, _raw: bool) -> Parts:  # noqa: FBT001
    single = class_of(model).startswith("DecisionTree")
    trees = [model] if single else model.estimators_
    if getattr(model, "monotonic_cst", None) is not None:
        sheet.forbid_gaps(columns)
    read = tuple(_own_tree(each, singles(sheet, columns)) for each in trees)
    mean = () if single else (Divide(float(len(read))),)
    return (Member(Trees(read, Reading.PLAIN), mean),), ()


def _own_tree(model: Any, columns: Columns) -> Tree:
    _check_binary(model)
    values = model.tree_.value[:, 0, -1]  # the second class, or a regressor's only value
    return read_tree(model.tree_, columns, values)


def _boosting(sheet: Sheet, model: Any, columns: Columns, raw: bool) -> Parts:  # noqa: FBT001
    classifier = class_of(model).endswith("Classifier")
    if classifier and model.loss != "log_loss":
        raise refuse("GradientBoosting with another loss", "use loss='log_loss'")
    if class_of(model.init_) not in {"", "DummyClassifier", "DummyRegressor"}:
        raise refuse("GradientBoosting with an init of one's own", "leave init at its default")
    sheet.forbid_gaps(columns)
    start = float(model._raw_predict_init(np.zeros((1, len(columns)), np.float32))[0, 0])  # noqa: SLF001
    held = singles(sheet, columns)
    trees = tuple(
        read_tree(each.tree_, held, model.learning_rate * each.tree_.value[:, 0, 0])
        for each in model.estimators_[:, 0]
    )
    link = _LOGIT if classifier and not raw else ()
    return (Member(Trees(trees, Reading.PLAIN, start), link),), ()


def _histogram(sheet: Sheet, model: Any, columns: Columns, raw: bool) -> Parts:  # noqa: FBT001
    classifier = class_of(model).endswith("Classifier")
    if not classifier and model.loss not in {"squared_error", "absolute_error", "quantile"}:
        raise refuse("HistGradientBoosting with this loss", "use loss='squared_error'")
    if (before := model._preprocessor) is not None:  # noqa: SLF001  # categories come first there
        places = before._transformer_to_input_indices  # noqa: SLF001
        encoder = before.named_transformers_["encoder"]
        codes = transform(sheet, encoder, tuple(columns[i] for i in places["encoder"]))
        columns = (*codes, *(columns[i] for i in places["numerical"]))
    known = known_codes(model)
    trees = tuple(read_histogram_tree(row[0], columns, known) for row in model._predictors)  # noqa: SLF001
    start = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001
    link = _LOGIT if classifier and not raw else ()
    return (Member(Trees(trees, Reading.PLAIN, start), link),), ()


def _lightgbm(model: Any, columns: Columns, *, raw: bool) -> Parts:
    """Read LightGBM's own estimator, over whatever columns a pipeline made for it."""
    form = read_lightgbm(model.booster_.model_to_string())
    (member,) = form.members
    assert isinstance(member.scorer, Trees)
    trees = tuple(_moved(tree, columns) for tree in member.scorer.trees)
    finish = tuple(f for f in member.finish if not (raw and isinstance(f, Logistic)))
    return (Member(Trees(trees, member.scorer.reading), finish),), ()


def _calibrated(sheet: Sheet, model: Any, columns: Columns, _raw: bool) -> Parts:  # noqa: FBT001
    members: list[Member] = []
    for each in model.calibrated_classifiers_:
        inner, finish = _parts(sheet, each.estimator, columns, raw=True)
        if len(inner) != 1 or finish:
            raise refuse("a calibration of a calibration", "calibrate once")
        calibration = _calibration(each.calibrators[0])
        members.append(inner[0]._replace(finish=inner[0].finish + calibration))
    return tuple(members), (Divide(float(len(members))),)


def _calibration(calibrator: Any) -> tuple[Function, ...]:
    match class_of(calibrator):
        case "_SigmoidCalibration":
            return Multiply(float(calibrator.a_)), Add(float(calibrator.b_)), Logistic(-1.0)
        case "IsotonicRegression" if calibrator.out_of_bounds == "clip":
            at = tuple(map(float, calibrator.X_thresholds_))
            return (Interpolate(at, tuple(map(float, calibrator.y_thresholds_))),)
        case _:
            raise refuse("this calibration", "use method='sigmoid' or 'isotonic'")


_MODELS: dict[str, Callable[[Sheet, Any, Columns, bool], Parts]] = {
    "Pipeline": _pipeline,
    "LogisticRegression": _linear,
    "LinearRegression": _linear,
    "Ridge": _linear,
    "DecisionTreeClassifier": _forest,
    "DecisionTreeRegressor": _forest,
    "RandomForestClassifier": _forest,
    "RandomForestRegressor": _forest,
    "ExtraTreesClassifier": _forest,
    "ExtraTreesRegressor": _forest,
    "GradientBoostingClassifier": _boosting,
    "GradientBoostingRegressor": _boosting,
    "HistGradientBoostingClassifier": _histogram,
    "HistGradientBoostingRegressor": _histogram,
    "CalibratedClassifierCV": _calibrated,
}


# What no scorer reads is left out: the enterprise is asked for what is needed, not more.


def _shrunk(form: Form) -> Form:
    used: set[int] = set()
    for member in form.members:
        assert isinstance(member.scorer, Linear | Trees)
        used |= {*member.scorer.columns}
    for place in range(form.columns - 1, len(form.inputs) - 1, -1):
        if place in used:
            used.add(form.steps[place - len(form.inputs)].column)
    used |= {place for place, each in enumerate(form.inputs) if not each.missing}
    kept = sorted(used)
    if not kept:
        raise BadInput("MODEL_MALFORMED", "it reads no feature at all")
    new = {old: place for place, old in enumerate(kept)}
    steps = [
        Step(new[step.column], step.function)
        for place, step in enumerate(form.steps, len(form.inputs))
        if place in new
    ]
    inputs = tuple(each for place, each in enumerate(form.inputs) if place in new)
    moved = tuple(
        member._replace(scorer=_renumbered(member.scorer, new)) for member in form.members
    )
    return Form(form.source, inputs, tuple(steps), moved, form.finish)


def _renumbered(scorer: Any, new: dict[int, int]) -> Linear | Trees:
    if isinstance(scorer, Linear):
        return Linear(scorer.intercept, tuple(new[c] for c in scorer.columns), scorer.weights)
    trees = tuple(_moved(tree, new) for tree in scorer.trees)
    return Trees(trees, scorer.reading, scorer.start)


def _moved(tree: Tree, new: Columns | dict[int, int]) -> Tree:
    splits: tuple[Split, ...] = tuple(_asks(split, new[split.feature]) for split in tree.splits)
    lines = tuple(
        Line(line.constant, tuple(new[c] for c in line.columns), line.coefficients)
        for line in tree.lines
    )
    return Tree(splits, tree.leaves, lines)


def _asks(split: Split, column: int) -> Split:
    if isinstance(split, CategorySplit):  # one line each: a union has no `_replace` of one type
        return split._replace(feature=column)
    return split._replace(feature=column)
