"""Does a table fit with what another source says of the same enterprises?

Two figures of one period that should be near each other; and records from after the day on which
another source knew that the enterprise was no more. Neither says which of the two is wrong.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.core.quality import QualityRule

DAY_SECONDS = 86_400
Holds = NDArray[np.bool_]


def agreeing(
    rule: QualityRule, facts: pa.Table, period: str, others: pa.Table, other_period: str
) -> tuple[pa.Table, Holds]:
    """Pair the figures of a period that both tables have, and say which lie near each other."""
    ours = facts.select(["uscc", period, "batch", rule.column])
    ours = ours.rename_columns(["uscc", "period", "batch", "ours"])
    theirs = others.select(["uscc", other_period, rule.other_column])
    theirs = theirs.rename_columns(["uscc", "period", "theirs"])
    both = ours.join(theirs, ["uscc", "period"], join_type="inner").drop_null()
    one, other = (both[name].to_numpy().astype(np.float64) for name in ("ours", "theirs"))
    apart = np.maximum(np.abs(one), np.abs(other)) * (rule.percent or 0) / 100
    return both, np.abs(one - other) <= apart


def living(rule: QualityRule, facts: pa.Table, others: pa.Table) -> Holds:
    """Say which records happened before another source knew of the enterprise's end."""
    ended = others.filter(pc.is_in(others[rule.other_column], value_set=pa.array(rule.ends)))
    known = (ended["known_at"].to_numpy().astype(np.int64) // DAY_SECONDS).tolist()
    ends: dict[str, int] = {}
    for code, day in zip(ended["uscc"].to_pylist(), known, strict=True):
        ends[code] = min(day, ends.get(code, day))
    coded = facts["uscc"].combine_chunks().dictionary_encode()
    never = np.iinfo(np.int64).max
    last = np.array([ends.get(code, never) for code in coded.dictionary.to_pylist()], np.int64)
    happened = facts["event_date"].cast(pa.int32()).to_numpy().astype(np.int64)
    held: Holds = happened <= last[coded.indices.to_numpy()]
    return held
