"""How does a profile look as a table?

A line for a feature, numbers as floats for whoever computes on; what was told as text with
its digits stands in the answer itself (docs/reference/aggregates.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pandas as pd

from saferoom.canonical import Json
from saferoom.core.aggregates import PERCENTS

COLUMNS = (
    "view",
    "refused",
    "present",
    "missing",
    "mean",
    "mean_refused",
    *(f"p{percent}" for percent in PERCENTS),
    "histogram",
)


def profile_table(answer: Mapping[str, Json]) -> pd.DataFrame:
    """Read the vault's figures; None where a figure may not be told."""
    lines = cast("list[dict[str, Json]]", answer["features"])
    return pd.DataFrame([_line(line) for line in lines], columns=list(COLUMNS))


def _line(line: Mapping[str, Json]) -> dict[str, object]:
    told = cast("list[dict[str, str | int]]", line.get("quantiles", []))
    bins = cast("list[dict[str, str | int | None]]", line.get("histogram", []))
    mean = line.get("mean")
    return {
        **{name: line.get(name) for name in ("view", "refused", "present", "missing")},
        "mean": None if mean is None else float(str(mean)),
        "mean_refused": line.get("mean_refused"),
        **{f"p{one['percent']}": float(one["value"]) for one in told},
        "histogram": [(one["starts"], one["count"]) for one in bins],
    }
