"""Which columns does a fitted scikit-learn transformer make, in our own words?

Only what stands here is accepted, by its exact class and parameters. Encoders are asked, not
imitated: each category, an unknown one and a missing one go through the bank's own object,
and what it answers is the table. scikit-learn itself is not imported: its objects are read.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any  # scikit-learn has no types

import numpy as np

from saferoom.errors import BadInput
from saferoom.scoring.form import Input, Step
from saferoom.scoring.functions import (
    Add,
    Bin,
    Clip,
    Divide,
    Function,
    Impute,
    IsMissing,
    Log1p,
    Lookup,
    Multiply,
)

Columns = tuple[int, ...]


def refuse(what: str, instead: str) -> BadInput:
    """Say what is not accepted and what to do."""
    return BadInput("MODEL_FORMAT", f"scikit-learn: {what}; {instead}")


def class_of(thing: object) -> str:
    """Name the exact scikit-learn class of an object, or nothing."""
    kind = type(thing)
    return kind.__name__ if kind.__module__.split(".")[0] == "sklearn" else ""


@dataclass
class Sheet:
    """The columns made so far; the first are the model's own features."""

    names: tuple[str, ...]
    steps: list[Step] = field(default_factory=list)
    no_gaps: set[int] = field(default_factory=set)  # inputs that may not be missing
    known: dict[tuple[int, Function], int] = field(default_factory=dict)

    @property
    def features(self) -> Columns:
        """Name the model's own features as columns."""
        return tuple(range(len(self.names)))

    def add(self, column: int, function: Function) -> int:
        """Make one column more, unless it is there already."""
        if (column, function) not in self.known:
            self.steps.append(Step(column, function))
            self.known[column, function] = len(self.names) + len(self.steps) - 1
        return self.known[column, function]

    def source(self, column: int) -> int:
        """Name the feature that a column comes from."""
        while column >= len(self.names):
            column = self.steps[column - len(self.names)].column
        return column

    def may_be_missing(self, column: int) -> bool:
        """Say whether a missing feature leaves this column missing."""
        if column < len(self.names):
            return True
        step = self.steps[column - len(self.names)]
        before = math.nan if self.may_be_missing(step.column) else 0.0
        gap = math.isnan(before) and math.isnan(step.function.apply(np.array([math.nan]))[0])
        made = isinstance(step.function, Lookup) and any(map(math.isnan, _table(step.function)))
        return gap or made

    def forbid_gaps(self, columns: Columns) -> None:
        """Refuse rows in which a feature of these columns is missing and was not imputed."""
        self.no_gaps |= {self.source(each) for each in columns if self.may_be_missing(each)}

    def inputs(self) -> tuple[Input, ...]:
        """Write the features as a form's inputs; scikit-learn takes no infinite value."""
        return tuple(
            Input(name, missing=place not in self.no_gaps, infinite=False)
            for place, name in enumerate(self.names)
        )


def transform(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    """Let a fitted transformer make its columns from these."""
    if isinstance(step, str):
        return {"passthrough": columns, "drop": ()}[step]
    found = _TRANSFORMERS.get(class_of(step))
    if found is None:
        accepted = ", ".join(sorted(_TRANSFORMERS))
        raise refuse(f"{type(step).__name__} is not accepted", f"use one of {accepted}")
    return found(sheet, step, columns)


def _pipeline(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    for _, each in step.steps:
        columns = columns if each is None else transform(sheet, each, columns)
    return columns


def _column_transformer(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    if step.transformer_weights is not None:
        raise refuse("transformer_weights", "scale the columns with a StandardScaler")
    made: list[int] = []
    for name, each, _ in step.transformers_:
        places = step._transformer_to_input_indices[name]  # noqa: SLF001  # names, masks, slices
        if len(places):
            made += transform(sheet, each, tuple(columns[int(place)] for place in places))
    return tuple(made)


def _function(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    if step.func is None:
        return columns
    if step.func is not np.log1p or step.kw_args:
        raise refuse("FunctionTransformer of a function of one's own", "use numpy.log1p")
    if step.validate:
        sheet.forbid_gaps(columns)
    return tuple(sheet.add(column, Log1p()) for column in columns)


def _imputer(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    if not _is_nan(step.missing_values):
        raise refuse("SimpleImputer with missing_values", "leave it at its default, NaN")
    made = []
    for column, value in zip(columns, step.statistics_, strict=True):
        if not _is_nan(value):
            made.append(sheet.add(column, Impute(_number(value))))
        elif step.keep_empty_features:
            raise refuse("SimpleImputer over a column of gaps", "leave that feature out")
    if step.add_indicator:
        made += [sheet.add(columns[int(i)], IsMissing()) for i in step.indicator_.features_]
    return tuple(made)


def _scaler(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    center = step.center_ if class_of(step) == "RobustScaler" else step.mean_
    shifts = center if getattr(step, "with_mean", getattr(step, "with_centering", False)) else None
    return _scaled(sheet, columns, shifts, step.scale_)


def _max_abs(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    if getattr(step, "clip", False):
        raise refuse("MaxAbsScaler with clip", "use a MinMaxScaler")
    return _scaled(sheet, columns, None, step.scale_)


def _scaled(sheet: Sheet, columns: Columns, shifts: Any, scales: Any) -> Columns:
    if shifts is not None:
        pairs = zip(columns, shifts, strict=True)
        columns = tuple(sheet.add(column, Add(-_number(shift))) for column, shift in pairs)
    if scales is not None:
        pairs = zip(columns, scales, strict=True)
        columns = tuple(sheet.add(column, Divide(_number(scale))) for column, scale in pairs)
    return columns


def _min_max(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    made = []
    for column, scale, least in zip(columns, step.scale_, step.min_, strict=True):
        place = sheet.add(sheet.add(column, Multiply(_number(scale))), Add(_number(least)))
        if step.clip:
            low, high = map(_number, step.feature_range)
            place = sheet.add(place, Clip(low, high))
        made.append(place)
    return tuple(made)


def _bins(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    sheet.forbid_gaps(columns)
    if step.dtype not in (None, np.float64):
        raise refuse("KBinsDiscretizer with a dtype", "leave it at its default")
    edges = [tuple(map(_number, each[1:-1])) for each in step.bin_edges_]
    binned = tuple(sheet.add(c, Bin(e)) for c, e in zip(columns, edges, strict=True))
    if step.encode == "ordinal":
        return binned
    keys = [tuple(float(place) for place in range(len(each) + 1)) for each in edges]
    return _asked(sheet, binned, step._encoder, keys)  # noqa: SLF001  # its own one-hot table


def _encoder(sheet: Sheet, step: Any, columns: Columns) -> Columns:
    keys = [
        tuple(sorted({_number(value) for value in each if not _is_nan(value)}))
        for each in step.categories_
    ]
    if not all(keys):
        raise refuse("a column whose only category is a gap", "leave that feature out")
    return _asked(sheet, columns, step, keys)


def _asked(sheet: Sheet, columns: Columns, step: Any, keys: Sequence[tuple[float, ...]]) -> Columns:
    """Ask a fitted encoder about every category of each column, and write down its answers."""
    usual = [each[0] for each in keys]
    base = _answers(step, [usual])
    assert base is not None
    tables: dict[int, tuple[int, Lookup]] = {}
    for place, known in enumerate(keys):
        asked = [*known, known[-1] + 1.5, math.nan]
        replies = [_answers(step, [[*usual[:place], each, *usual[place + 1 :]]]) for each in asked]
        *rows, unknown, missing = replies
        if missing is None:
            sheet.forbid_gaps((columns[place],))
        rows = [base if row is None else row for row in rows]
        for made in range(base.shape[1]):
            column = tuple(float(row[0, made]) for row in rows)
            said = [float(each[0, made]) for each in replies if each is not None]
            if any(each != base[0, made] for each in said) or place == len(keys) - 1:
                gap, new = (
                    math.nan if each is None else float(each[0, made])
                    for each in (missing, unknown)
                )
                table = Lookup(known, column, gap, new, refuses_unknown=unknown is None)
                tables.setdefault(made, (columns[place], table))
    return tuple(sheet.add(*tables[made]) for made in range(base.shape[1]))


def _answers(step: Any, rows: list[list[float]]) -> Any:
    """Transform a row with the bank's own encoder; None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names, and of unknown categories
        try:
            answer = step.transform(np.array(rows))
        except ValueError:
            return None
    dense = answer.toarray() if hasattr(answer, "toarray") else answer
    return np.asarray(dense, np.float64)


def _table(lookup: Lookup) -> tuple[float, ...]:
    return (*lookup.values, *(() if lookup.refuses_unknown else (lookup.unknown,)))


def _is_nan(value: object) -> bool:
    return isinstance(value, float | np.floating) and math.isnan(value)


def _number(value: object) -> float:
    if isinstance(value, str | bytes) or value is None:
        raise refuse("categories in words", "train on the room's numeric codes")
    return float(value)  # type: ignore[arg-type]  # NumPy's numbers


_TRANSFORMERS: dict[str, Callable[[Sheet, Any, Columns], Columns]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FunctionTransformer": _function,
    "SimpleImputer": _imputer,
    "StandardScaler": _scaler,
    "RobustScaler": _scaler,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "KBinsDiscretizer": _bins,
    "OneHotEncoder": _encoder,
    "OrdinalEncoder": _encoder,
}
