"""Does a scikit-learn model score in the room as it does in the notebook?"""

from __future__ import annotations

from functools import partial
from typing import Any  # scikit-learn has no types

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import (  # type: ignore[import-untyped]
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]

from saferoom.core.manifest import ModelFormat
from saferoom.errors import BadInput
from saferoom.scoring.artefact import build_artefact, read_artefact, read_golden, read_model
from saferoom.scoring.evaluation import Evaluator, grade_indices, taken
from saferoom.scoring.form import Direction
from saferoom.scoring.functions import Floats
from saferoom.scoring.golden import check_golden, same_scores
from saferoom.scoring.tree_evaluation import portable
from saferoom.sdk.golden import make_golden
from saferoom.sdk.models import ModelText, read
from tests.scoring import oracle
from tests.scoring.training import LIGHTGBM, needs_lightgbm
from tests.sdk.sklearn_zoo import KINDS, economy, fit, fitted, says

CUTS = (0.111, 0.333, 0.777)


def scores(text: ModelText, frame: pd.DataFrame) -> Floats:
    return Evaluator(text.form, portable).scores(frame[list(text.form.features)].to_numpy())


def check(model: Any, frame: pd.DataFrame) -> None:
    """Compare score and grade of each row with the notebook's."""
    text = read(model)
    ours, theirs = scores(text, frame), says(model, frame)
    assert same_scores(text.form, theirs, ours).all()
    mine, its = (grade_indices(each, CUTS, Direction.RISK) for each in (ours, theirs))
    assert np.array_equal(mine, its)


@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_new_firms_have_the_notebook_s_grades(kind: str) -> None:
    check(fitted(kind), economy(10_000, seed=8, holes=KINDS[kind][1])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_golden_rows_reach_everything_and_score_as_the_notebook_says(kind: str) -> None:
    text = read(fitted(kind))
    golden = make_golden(text.form, text.predict, CUTS, Direction.RISK)
    data = build_artefact(text.model_format, text.text, Direction.RISK, CUTS, golden)
    artefact = read_artefact(data)
    form, shipped = read_model(artefact), read_golden(artefact)
    assert shipped is not None
    assert np.array_equal(shipped.rows, golden.rows, equal_nan=True)
    check_golden(form, shipped.rows, partial(taken, Evaluator(form, portable)))
    said = [oracle.score(form, row) for row in shipped.rows[:150]]
    ours = Evaluator(form, portable).scores(shipped.rows[:150])
    assert np.array_equal(ours, said, equal_nan=True)


def test_trees_are_exact_and_dot_products_are_close() -> None:
    assert read(fitted("histogram")).form.exact
    assert read(fitted("forest")).form.exact
    assert not read(fitted("logistic")).form.exact
    assert read(fitted("logistic")).model_format is ModelFormat.FORM_JSON


def test_what_scikit_learn_would_refuse_is_refused() -> None:
    frame = economy(1)[0]
    text = read(fitted("logistic"))
    assert np.isnan(scores(text, frame.assign(sales_yoy=np.nan))).all()
    assert np.isnan(scores(text, frame.assign(sales_yoy=np.inf))).all()
    text = read(fitted("histogram"))
    assert not np.isnan(scores(text, frame.assign(sales_yoy=np.nan))).any()
    text = read(fitted("strict categories"))
    assert np.isnan(scores(text, frame.assign(tax_grade=9.0))).all()
    assert np.isnan(scores(text, frame.assign(tax_grade=np.nan))).all()
    assert not np.isnan(scores(text, frame)).any()
    text = read(fitted("tree"))
    assert np.isnan(scores(text, frame.assign(sales_12=1e39))).all()  # no float32


def test_an_unknown_category_is_what_its_encoder_makes_of_it() -> None:
    for kind in ("logistic pipeline", "ordinal tree", "grouped categories", "histogram categories"):
        check(fitted(kind), economy(50)[0].assign(tax_grade=77.0, late_file_n12=0.5))


def test_features_that_nothing_reads_are_not_asked_for() -> None:
    assert read(fitted("grouped categories")).form.features == (
        *("reg_age_m", "sales_12", "tax_grade", "late_file_n12"),
    )


@needs_lightgbm
@pytest.mark.parametrize("method", ["isotonic", "sigmoid", None])
def test_lightgbm_inside_a_pipeline(method: str | None) -> None:
    assert LIGHTGBM is not None
    inner = LIGHTGBM.LGBMClassifier(n_estimators=6, verbose=-1)
    model = inner if method is None else CalibratedClassifierCV(inner, method=method, cv=2)
    check(fit(make_pipeline(FunctionTransformer(), model), 0.1), economy(500, 9, 0.1)[0])


class Own:
    """A class of the bank's own."""

    classes_ = (0, 1)
    n_features_in_ = 1
    feature_names_in_ = ("x",)


def three() -> Any:
    frame, _ = economy()
    return LogisticRegression(max_iter=2000).fit(frame[["tax_grade"]], frame.tax_grade // 2)


def words() -> Any:
    frame = pd.DataFrame({"x": ["a", "b"] * 20})
    return make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, [0, 1] * 20)


def one_transformer(step: Any) -> Any:
    return fit(make_pipeline(step, LogisticRegression(max_iter=2000)))


REFUSED: dict[str, tuple[Any, str]] = {
    "not fitted": (LogisticRegression, "call fit first"),
    "no names": (
        lambda: DecisionTreeClassifier().fit(economy()[0].to_numpy(), economy()[1]),
        "fit on a DataFrame",
    ),
    "another model": (lambda: fit(AdaBoostClassifier(n_estimators=2)), "use one of"),
    "one of one's own": (lambda: make_pipeline(Own()), "use one of"),
    "three classes": (three, "train on two classes"),
    "words": (words, "numeric codes"),
    "another transformer": (lambda: one_transformer(PolynomialFeatures()), "use one of"),
    "a function of one's own": (
        lambda: one_transformer(FunctionTransformer(np.tanh)),
        "numpy.log1p",
    ),
    "another gap": (lambda: one_transformer(SimpleImputer(missing_values=-1)), "default, NaN"),
    "a dtype": (
        lambda: one_transformer(
            KBinsDiscretizer(
                3, dtype=np.float32, quantile_method="averaged_inverted_cdf", encode="ordinal"
            )
        ),
        "leave it at its default",
    ),
    "weights of transformers": (
        lambda: one_transformer(
            ColumnTransformer(
                [("s", StandardScaler(), ["sales_yoy"])], transformer_weights={"s": 2.0}
            )
        ),
        "StandardScaler",
    ),
    "another loss": (
        lambda: fit(GradientBoostingClassifier(loss="exponential", n_estimators=2)),
        "log_loss",
    ),
    "another start": (
        lambda: fit(GradientBoostingClassifier(init=DecisionTreeClassifier(), n_estimators=2)),
        "leave init",
    ),
    "another link": (
        lambda: fit(HistGradientBoostingRegressor(loss="poisson", max_iter=2)),
        "squared_error",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_is_refused_with_what_to_do(case: str) -> None:
    make, hint = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        read(make())
    assert caught.value.code == "MODEL_FORMAT"
    assert hint in caught.value.sentence


def test_a_calibration_of_a_calibration_is_refused() -> None:
    inner = CalibratedClassifierCV(LogisticRegression(), cv=2)
    with pytest.raises(BadInput, match="calibrate once"):
        read(fit(CalibratedClassifierCV(inner, cv=2)))
