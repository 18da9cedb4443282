"""How do facts become one row of features for each enterprise, as of a day?

Bucket by bucket, two side by side, so memory holds a few sixteenths at most. DuckDB sees
Arrow tables in memory and nothing else: no files, no extensions, no spilling, its
configuration locked; one thread for each bucket, so that sums are added in one order and
the same facts give the same bits. Each table is read and queried once for all features,
and only the columns that they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.core.facts import Table
from saferoom.core.moment import end_of_local_day
from saferoom.vault.combining import combine
from saferoom.vault.compiler import RULE_COLUMNS, compile_table
from saferoom.vault.declarations import Declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.formula import Aggregate, aggregates, columns_of
from saferoom.vault.segments import Floats, Rows

MEMORY = "2GB"
SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Query:
    """What is asked of one table: the figures in the order of the query's columns."""

    table: Table
    aggregates: tuple[Aggregate, ...]
    text: str

    @property
    def columns(self) -> list[str]:
        """Name the columns that must be read."""
        own = {name for one in self.aggregates for name in columns_of(one)}
        return [*RULE_COLUMNS, *sorted(own - set(RULE_COLUMNS))]


def plan(declared: Declarations) -> dict[str, Query]:
    """Write one query for each table; a figure that several features share is computed once."""
    wanted: dict[str, dict[Aggregate, None]] = {}  # a dict keeps its order
    for view in declared.views.views:
        for one in aggregates(declared.formulas[view.name]):
            wanted.setdefault(one.table, {})[one] = None
    return {name: _query(declared.tables[name], tuple(ones)) for name, ones in wanted.items()}


def _query(table: Table, ones: tuple[Aggregate, ...]) -> Query:
    return Query(table, ones, compile_table(table, ones))


@contextmanager
def open_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory that reaches nothing else; it costs more than a query."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": "",
        "memory_limit": MEMORY,
        "threads": 1,
    }
    with duckdb.connect(":memory:", config=settings) as engine:
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")
        yield engine


def run(engine: duckdb.DuckDBPyConnection, query: Query, facts: pa.Table, as_of: date) -> pa.Table:
    """Compute the figures of one table, a row per enterprise."""
    engine.register("facts", facts)
    try:
        known = int(end_of_local_day(as_of).timestamp())
        parameters = {"as_of": as_of, "known": known}
        return engine.sql(query.text, params=parameters).to_arrow_table()
    finally:
        engine.unregister("facts")


def compute_bucket(store: FactStore, declared: Declarations, bucket: int, as_of: date) -> Rows:
    """Compute all views of one bucket's enterprises."""
    results, queries = {}, plan(declared)
    brought = {part.table for part in store.manifest.parts}
    with open_engine() as engine:
        for name, query in queries.items():
            facts = store.read(query.table, bucket, query.columns)
            if facts.num_rows > 0:
                results[name] = run(engine, query, facts, as_of)
    return assemble(results, queries, declared, as_of, brought)


@contextmanager
def computing(
    store: FactStore, declared: Declarations, as_of: date, buckets: int
) -> Iterator[Callable[[int], Rows]]:
    """Compute buckets ahead of whoever asks for each of them once, in order."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, "bucket") as threads:
        ahead: dict[int, Future[Rows]] = {}

        def compute(bucket: int) -> Rows:
            for number in range(bucket, min(bucket + SIDE_BY_SIDE, buckets)):
                if number not in ahead:
                    ahead[number] = threads.submit(compute_bucket, store, declared, number, as_of)
            return ahead.pop(bucket).result()

        try:
            yield compute
        finally:
            threads.shutdown(cancel_futures=True)


def assemble(
    results: Mapping[str, pa.Table],
    queries: Mapping[str, Query],
    declared: Declarations,
    as_of: date,
    brought: set[str],
) -> Rows:
    """Put the tables' figures side by side and combine them, in the order of the views."""
    listed = {name: np.array(found["uscc"].to_pylist(), str) for name, found in results.items()}
    codes = np.unique(np.concatenate([np.array([], str), *listed.values()]))
    disputed = np.zeros(len(codes), np.bool_)
    figures: dict[Aggregate, Floats] = {}
    for name, query in queries.items():
        for one in query.aggregates:
            zero = one.zero_if_empty and name in brought
            figures[one] = np.full(len(codes), 0.0 if zero else np.nan)
        if name in results:
            rows = np.searchsorted(codes, listed[name])
            disputed[rows] |= _column(results[name], "disputed").astype(np.bool_)
            for number, one in enumerate(query.aggregates):
                figures[one][rows] = _column(results[name], f"a{number}")
    matrix = np.empty((len(codes), len(declared.views.views)))
    for number, view in enumerate(declared.views.views):
        matrix[:, number] = combine(declared.formulas[view.name], figures, as_of)
    return Rows(codes.tolist(), disputed, matrix)


def _column(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column with NaN for what is missing."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64)
