"""Which notebooks does a bank's modeller bring? One fitted model of each kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any  # scikit-learn has no types

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import (  # type: ignore[import-untyped]
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # type: ignore[import-untyped]

NUMBERS, CATEGORIES = ["reg_age_m", "sales_12", "sales_yoy"], ["tax_grade", "late_file_n12"]


def economy(rows: int = 900, seed: int = 3, holes: float = 0.0) -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "reg_age_m": random.gamma(3, 20, rows),
            "sales_12": np.exp(random.normal(10, 2, rows)),
            "tax_grade": random.integers(1, 6, rows).astype(float),
            "sales_yoy": random.normal(size=rows),
            "late_file_n12": random.poisson(2, rows).astype(float),
        }
    )
    late = frame.reg_age_m / 60 + frame.sales_yoy + (frame.tax_grade == 3)
    labels = (late + random.normal(size=rows) > 1.2).astype(int)
    frame[random.random(frame.shape) < holes] = np.nan
    return frame, labels


def prepared() -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("n", numbers, NUMBERS), ("c", encoder, CATEGORIES)])


def ordinal() -> Any:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    return ColumnTransformer([("o", encoder, CATEGORIES), ("m", MinMaxScaler(clip=True), NUMBERS)])


def grouped() -> Any:
    encoder = OneHotEncoder(min_frequency=100, handle_unknown="infrequent_if_exist", drop="first")
    log = make_pipeline(SimpleImputer(), FunctionTransformer(np.log1p), RobustScaler())
    return ColumnTransformer([("o", encoder, CATEGORIES), ("m", log, NUMBERS[:2])])


def strict() -> Any:
    return ColumnTransformer([("o", OneHotEncoder(), ["tax_grade"])], remainder=MaxAbsScaler())


def binned() -> Any:
    return KBinsDiscretizer(4, encode="onehot", quantile_method="averaged_inverted_cdf")


KINDS: dict[str, tuple[Callable[[], Any], float]] = {
    "logistic": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), 0),
    "logistic pipeline": (
        lambda: make_pipeline(prepared(), LogisticRegression(max_iter=900)),
        0.1,
    ),
    "bins": (
        lambda: make_pipeline(SimpleImputer(), binned(), LogisticRegression(max_iter=900)),
        0.1,
    ),
    "grouped categories": (
        lambda: make_pipeline(grouped(), LogisticRegression(max_iter=900)),
        0.1,
    ),
    "strict categories": (lambda: make_pipeline(strict(), LogisticRegression()), 0),
    "ordinal tree": (lambda: make_pipeline(ordinal(), DecisionTreeClassifier(max_depth=6)), 0.1),
    "tree": (lambda: DecisionTreeClassifier(max_depth=8, random_state=1), 0.1),
    "tree regression": (lambda: DecisionTreeRegressor(max_depth=6, random_state=1), 0),
    "forest": (lambda: RandomForestClassifier(12, n_jobs=2, random_state=1), 0.1),
    "extra trees": (lambda: ExtraTreesClassifier(8, max_depth=7, random_state=1), 0.1),
    "boosting": (lambda: GradientBoostingClassifier(n_estimators=20), 0),
    "boosting regression": (lambda: GradientBoostingRegressor(n_estimators=10), 0),
    "histogram": (lambda: HistGradientBoostingClassifier(max_iter=30), 0.1),
    "histogram categories": (
        lambda: HistGradientBoostingClassifier(categorical_features=CATEGORIES, max_iter=20),
        0.1,
    ),
    "histogram regression": (lambda: HistGradientBoostingRegressor(max_iter=10), 0.1),
    "isotonic": (
        lambda: CalibratedClassifierCV(
            HistGradientBoostingClassifier(max_iter=8), method="isotonic", cv=2
        ),
        0.1,
    ),
    "sigmoid": (
        lambda: CalibratedClassifierCV(
            make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), cv=3
        ),
        0.1,
    ),
    "sigmoid forest": (
        lambda: CalibratedClassifierCV(
            RandomForestClassifier(5, max_depth=4, random_state=1), cv=2
        ),
        0.1,
    ),
}


@cache
def fitted(kind: str) -> Any:
    make, holes = KINDS[kind]
    return fit(make(), holes)


def fit(model: Any, holes: float = 0.0) -> Any:
    frame, labels = economy(holes=holes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(frame, labels)


def says(model: Any, frame: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Ask the notebook's own object."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(model, "predict_proba"):
            return np.asarray(model.predict_proba(frame)[:, 1])
        return np.asarray(model.predict(frame))
