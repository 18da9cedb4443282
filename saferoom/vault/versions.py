"""Which version of a record counts, without asking as of when?

A record is one source's, of one enterprise, by one `record_id`; it comes again when its source
corrects it. The latest known is the record as it is, the first says when it was known at all;
of versions known at once the one ingested later is the later. This is the as-of rule of
`compiler.py` for whoever looks at everything that rests.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.core.facts import Status

KEY_COLUMNS = ("uscc", "record_id", "known_at", "status", "batch", "row", "source")
_GONE = pa.array([str(Status.REPAIRED), str(Status.ERASED)])
Places = NDArray[np.int64]


def latest_versions(facts: pa.Table) -> pa.Table:
    """Keep the latest version of each record, of none that was repaired or erased."""
    keys = _keys(facts)
    gone = np.unique(keys[_mask(pc.is_in(facts["status"], value_set=_GONE))])
    left = np.flatnonzero(np.isin(keys, gone, invert=True))
    return facts.take(pa.array(left[_last(facts.take(pa.array(left)), keys[left], 1)]))


def first_versions(facts: pa.Table) -> pa.Table:
    """Keep the version of each record that was known first."""
    return facts.take(pa.array(_last(facts, _keys(facts), -1)))


def _last(facts: pa.Table, keys: Places, sign: int) -> Places:
    """Find the last row of each key by time, or by time backwards; in the order of the rows."""
    if len(np.unique(keys)) == len(keys):  # as in most tables: no record came again
        return np.arange(len(keys))
    times = (facts[name].to_numpy() for name in ("row", "batch", "known_at"))
    order = np.lexsort((*(sign * time.astype(np.int64) for time in times), keys))
    ends = np.append(keys[order][1:] != keys[order][:-1], True)  # the last row ends its key
    return np.sort(order[ends])


def _keys(facts: pa.Table) -> Places:
    """Give each record, of a source and an enterprise, a number."""
    keys = np.zeros(len(facts), np.int64)
    for name in ("source", "uscc", "record_id"):
        coded = facts[name].combine_chunks().dictionary_encode()
        keys = keys * (len(coded.dictionary) + 1) + coded.indices.to_numpy().astype(np.int64)
    return keys


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(), np.bool_)
