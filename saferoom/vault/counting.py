"""How many rows, months and enterprises hold what a quality rule asks for?

Bucket by bucket over the facts; numbers come out, and nothing else. Of a record that came again
the latest version is looked at, so a correction ends what it corrects; only for how timely it
was, the first. What was repaired or erased is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.core.facts import Table
from saferoom.core.quality import Check, Finding, QualityRule
from saferoom.vault.comparing import agreeing, living
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS
from saferoom.vault.versions import KEY_COLUMNS, first_versions, latest_versions

DAY_SECONDS = 86_400
Tally = tuple[int, int, int]  # how many hold, of how many, of how many enterprises
Counts = dict[int | None, Tally]  # by batch; None is the whole table
Reader = Callable[[str | None], pa.Table]
_EMPTY: Tally = (0, 0, 0)


def count_findings(
    store: FactStore, rules: Sequence[QualityRule], tables: Mapping[str, Table]
) -> tuple[Finding, ...]:
    """Count what every rule asks for, in each batch and in the whole of its table."""
    counts: dict[QualityRule, Counts] = {rule: _taken(store, rule) for rule in rules}
    columns = {name: _columns_of(name, rules, tables) for name in tables}
    for bucket in range(BUCKETS):

        @cache
        def read(table: str, bucket: int = bucket) -> pa.Table:
            return store.read(tables[table], bucket, columns[table])

        @cache
        def latest(table: str | None, read: Callable[[str], pa.Table] = read) -> pa.Table:
            return latest_versions(read(str(table)))

        for rule in rules:
            found = _timely(rule, read(rule.table)) if rule.days else _count(rule, tables, latest)
            for batch, tally in found.items():
                _add(counts[rule], batch, tally)
    return tuple(
        Finding(rule=rule.name, table=rule.table, batch=batch, held=held, of=of, enterprises=firms)
        for rule in rules
        for batch, (held, of, firms) in sorted(counts[rule].items(), key=lambda item: item[0] or 0)
    )


def _columns_of(
    name: str, rules: Sequence[QualityRule], tables: Mapping[str, Table]
) -> tuple[str, ...]:
    """Name the columns of a table that some rule looks at."""
    here = {rule.column for rule in rules if rule.table == name}
    there = {rule.other_column for rule in rules if rule.other == name}
    wanted = {*here, *there, tables[name].period, "event_date"} - {None}
    return (*KEY_COLUMNS, *sorted(str(one) for one in wanted))


def _taken(store: FactStore, rule: QualityRule) -> Counts:
    """Count, for a rule of validity, what intake took in and what it left outside.

    Whose rows stayed outside nobody knows here: each row counts as an enterprise's.
    """
    counts: Counts = {None: _EMPTY}
    for batch in store.manifest.batches if rule.check is Check.VALID else ():
        if batch.table == rule.table:
            of = batch.rows + batch.quarantined
            for part in (batch.number, None):
                _add(counts, part, (batch.rows, of, of))
    return counts


def _timely(rule: QualityRule, facts: pa.Table) -> Counts:
    facts = first_versions(facts)
    return _by_batch(facts, _days(facts) <= (rule.days or 0))


def _count(rule: QualityRule, tables: Mapping[str, Table], latest: Reader) -> Counts:
    """Count one bucket."""
    if rule.check is Check.VALID:
        return {}
    facts, period = latest(rule.table), tables[rule.table].period
    match rule.check:
        case Check.CONTINUOUS:
            return {None: _months(facts, period)}
        case Check.CROSS:
            codes, known = (pc.unique(one["uscc"]) for one in (facts, latest(rule.other)))
            return {None: (_true(pc.is_in(codes, value_set=known)), len(codes), len(codes))}
        case Check.AGREES:
            theirs = tables[str(rule.other)].period
            both, holds = agreeing(rule, facts, str(period), latest(rule.other), str(theirs))
            return _by_batch(both, holds)
        case Check.LIVING:
            return _by_batch(facts, living(rule, facts, latest(rule.other)))
        case _:
            return _by_batch(facts, facts[rule.column].is_valid().to_numpy())


def _by_batch(facts: pa.Table, holds: NDArray[np.bool_]) -> Counts:
    """Count each batch; an enterprise is in one bucket, so that those of all buckets add up."""
    batches, codes = facts["batch"].to_numpy(), facts["uscc"]
    here: dict[int | None, NDArray[np.bool_]] = {None: np.ones(len(batches), np.bool_)}
    here |= {batch: batches == batch for batch in np.unique(batches).tolist()}
    return {
        batch: (
            int(np.count_nonzero(holds[rows])),
            int(np.count_nonzero(rows)),
            len(pc.unique(codes.filter(pa.array(rows)))),
        )
        for batch, rows in here.items()
    }


def _days(facts: pa.Table) -> NDArray[np.int64]:
    """Count the days from an event to when its source knew of it."""
    happened = facts["event_date"].cast(pa.int32()).to_numpy().astype(np.int64)
    known = facts["known_at"].to_numpy().astype(np.int64) // DAY_SECONDS
    days: NDArray[np.int64] = known - happened
    return days


def _months(facts: pa.Table, period: str | None) -> Tally:
    """Count the months that enterprises have, and those between their first and last."""
    pairs = facts.select(["uscc", period]).group_by("uscc")
    found = pairs.aggregate([(period, "count_distinct"), (period, "min"), (period, "max")])
    spans = pc.add(pc.subtract(found[f"{period}_max"], found[f"{period}_min"]), 1)
    return _true(found[f"{period}_count_distinct"]), _true(spans), len(found)


def _true(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)


def _add(counts: Counts, batch: int | None, tally: Tally) -> None:
    held, of, firms = counts.get(batch, _EMPTY)
    counts[batch] = held + tally[0], of + tally[1], firms + tally[2]
