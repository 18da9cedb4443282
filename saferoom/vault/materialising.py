"""How do facts become one row of features for each enterprise, as of a day?

Bucket by bucket, so memory holds a sixteenth at most. DuckDB sees Arrow tables in memory
and nothing else: no files, no extensions, no spilling, its configuration locked; one
thread, so that sums are added in one order and the same facts give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.core.moment import end_of_local_day
from saferoom.vault.compiler import compile_table, value_if_absent
from saferoom.vault.declarations import Declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.formula import Formula
from saferoom.vault.segments import Rows

MEMORY = "1GB"


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


def compute_bucket(store: FactStore, declared: Declarations, bucket: int, as_of: date) -> Rows:
    """Compute all views of one bucket's enterprises."""
    results = {}
    with open_engine() as engine:
        for name, views in views_by_table(declared).items():
            facts = store.read(declared.tables[name], bucket)
            if facts.num_rows > 0:
                results[name] = query(engine, facts, views, as_of)
    return assemble(results, declared)


def views_by_table(declared: Declarations) -> dict[str, dict[str, Formula]]:
    """Group the views by the table that they read."""
    tables: dict[str, dict[str, Formula]] = {}
    for view in declared.views.views:
        tables.setdefault(view.table, {})[view.name] = declared.formulas[view.name]
    return tables


def query(
    engine: duckdb.DuckDBPyConnection,
    facts: pa.Table,
    views: Mapping[str, Formula],
    as_of: date,
) -> pa.Table:
    """Compute the views of one table, a row per enterprise."""
    engine.register("facts", facts)
    try:
        known = int(end_of_local_day(as_of).timestamp())
        parameters = {"as_of": as_of, "known": known}
        return engine.sql(compile_table(views), params=parameters).to_arrow_table()
    finally:
        engine.unregister("facts")


def assemble(results: Mapping[str, pa.Table], declared: Declarations) -> Rows:
    """Put the tables' results side by side, in the order of the views."""
    codes = sorted({code for table in results.values() for code in table["uscc"].to_pylist()})
    names = declared.views.names()
    absent = [value_if_absent(declared.formulas[name]) for name in names]
    matrix = np.tile(np.array(absent), (len(codes), 1))
    disputed = np.zeros(len(codes), np.bool_)
    place = {code: number for number, code in enumerate(codes)}
    for table in results.values():
        rows = np.array([place[code] for code in table["uscc"].to_pylist()], np.int64)
        disputed[rows] |= _column(table, "disputed").astype(np.bool_)
        for number, name in enumerate(names):
            if name in table.column_names:
                matrix[rows, number] = _column(table, name)
    return Rows(codes, disputed, matrix)


def _column(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column with NaN for what is missing."""
    column = table[name].cast(pa.float64())
    values = column.to_numpy()
    return np.asarray(values, np.float64)
