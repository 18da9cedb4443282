"""How do arrays become the text columns of a source's file, fast enough for a million firms?

Text is built once per distinct value and then taken by position: a table of 350,000 rows
has a few hundred distinct days and one code per firm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.demo.economy.calendar import write_days, write_months
from saferoom.demo.economy.population import Flags, Floats, Ints

Columns = dict[str, pa.Array]
KNOWN_TIME = "T01:30:00Z"  # half past nine in Shanghai


def choose(texts: Sequence[str] | NDArray[np.str_], index: Ints) -> pa.Array:
    """Take texts by position."""
    return pa.array(list(texts), pa.string()).take(pa.array(index))


def constant(text: str, rows: int) -> pa.Array:
    """Repeat one text."""
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def day_text(days: Ints, suffix: str = "") -> pa.Array:
    """Write days, each distinct one once."""
    if not len(days):
        return pa.array([], pa.string())
    start = int(days.min())
    span = np.arange(start, int(days.max()) + 1)
    return choose([f"{day}{suffix}" for day in write_days(span)], days - start)


def instant_text(days: Ints) -> pa.Array:
    """Write days as UTC instants at half past nine in Shanghai."""
    return day_text(days, KNOWN_TIME)


def month_text(months: Ints) -> pa.Array:
    """Write months, each distinct one once."""
    if not len(months):
        return pa.array([], pa.string())
    start = int(months.min())
    return choose(write_months(np.arange(start, int(months.max()) + 1)), months - start)


def blank_where(texts: pa.Array, blank: Flags) -> pa.Array:
    """Leave a cell empty."""
    return pc.if_else(pa.array(blank), pa.scalar(None, pa.string()), texts)


def amount(values: Floats) -> pa.Array:
    """Round to fen."""
    return pa.array(np.round(values, 2))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Join texts and numbers row by row."""
    return pc.binary_join_element_wise(
        *(part if isinstance(part, str) else part.cast(pa.string()) for part in parts), ""
    )


def identity(
    *, codes: pa.Array, source: str, record: pa.Array, event: Ints, known: Ints
) -> Columns:
    """Write the seven columns that every table opens with; all rows are valid so far."""
    rows = len(event)
    return {
        "uscc": codes,
        "src_org": constant(source, rows),
        "record_id": record,
        "event_date": day_text(event),
        "known_at": instant_text(known),
        "batch_id": joined("B", pc.utf8_slice_codeunits(day_text(known), 0, 7)),
        "status": constant("valid", rows),
    }
