"""Which facts would find a mistake in a feature? Random ones, of every declared table.

Few firms, few records, many versions: late, corrected, disputed, repaired and erased ones,
ties in time, gaps, zeros and negative growth. One seed gives the same room each time.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.core.facts import CellType, Column, Table
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.materialising import assemble, open_engine, plan, run
from saferoom.vault.parts import schema_of
from saferoom.vault.segments import Rows
from tests.vault.reference import FEATURES, Firm, usable

DECLARED = read_declarations(content_folder())
FIRMS = ("firm-a", "firm-b", "firm-c")
STATUSES = ("valid", "corrected", "disputed", "repaired", "erased")
CHANCES = (0.88, 0.04, 0.04, 0.02, 0.02)
AMOUNTS = (0.0, 0.0, 0.4, 1.25, 100.0, 30_000.5, 1e7)
INDUSTRIES = ("C34", "F51", "I6510", "T97", "C12", "Z99", "")
Facts = dict[str, list[dict[str, object]]]


def draw_facts(rng: np.random.Generator, as_of: date) -> Facts:
    """Draw a small room; some tables stay empty, as if no source were connected."""
    facts: Facts = {}
    for name, table in sorted(DECLARED.tables.items()):
        most = {"util_month": 600, "tax_month": 300}.get(name, 120)  # months that must meet
        rows = 0 if rng.random() < 0.1 else int(rng.integers(10, most))
        facts[name] = [_row(rng, table, as_of) for _ in range(rows)]
    return facts


def _row(rng: np.random.Generator, table: Table, as_of: date) -> dict[str, object]:
    event = as_of - timedelta(days=int(1_200 * rng.random() ** 1.6) - 40)
    if table.period is not None:
        yearly = table.column(table.period).type is CellType.YEAR  # type: ignore[union-attr]
        month = 12 if yearly else event.month
        event = date(event.year, month, monthrange(event.year, month)[1])
    known = datetime(event.year, event.month, event.day, tzinfo=UTC) + timedelta(
        days=int(rng.choice((0, 1, 20, 60))), hours=int(rng.integers(0, 24))
    )
    firm = FIRMS[int(rng.integers(0, len(FIRMS)))]
    own = {column.name: _cell(rng, column, event, as_of) for column in table.columns}
    record = f"{firm}-{event.isoformat()}-{own.get('kind')}"
    return own | {
        "uscc": firm,
        "record_id": record if rng.random() < 0.8 else f"{firm}-{rng.integers(0, 9)}",
        "event_date": event,
        "known_at": int(known.timestamp()),
        "status": str(rng.choice(STATUSES, p=CHANCES)),
        "source": str(rng.choice(("one", "two"), p=(0.9, 0.1))),
        "batch": int(rng.integers(1, 3)),
    }


def _cell(  # noqa: PLR0911  # one per type
    rng: np.random.Generator, column: Column, event: date, as_of: date
) -> object:
    if column.optional and rng.random() < 0.3:
        return None
    match column.type:
        case CellType.TEXT if column.name == "industry":
            return str(rng.choice(INDUSTRIES))
        case CellType.TEXT:
            return str(rng.choice(column.one_of or ("some",)))
        case CellType.DAY if column.name == "est_date":
            return date(1990, 1, 1) + timedelta(days=int(rng.integers(0, 13_300)))
        case CellType.DAY:
            near = event if rng.random() < 0.6 else as_of
            return near + timedelta(days=int(rng.integers(-30, 120)))
        case CellType.FLAG:
            return int(rng.integers(0, 2))
        case CellType.WHOLE:
            return int(rng.choice((0, 1, 3, 10, 300)))
        case CellType.NUMBER:
            sign = -1 if column.least is None and rng.random() < 0.3 else 1
            return sign * float(rng.choice(AMOUNTS))
        case _:
            return event.year if column.type is CellType.YEAR else event.year * 12 + event.month


def arrow(table: Table, rows: list[dict[str, object]]) -> pa.Table:
    """Write rows as they rest in the vault."""
    return pa.Table.from_pylist(_full(table, rows), schema=schema_of(table))


def frame(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Write the same rows for the reference, cells as Python has them."""
    return pd.DataFrame(_full(table, rows), columns=schema_of(table).names, dtype=object)


def _full(table: Table, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    blank: dict[str, object] = dict.fromkeys(schema_of(table).names)
    return [
        {**blank, "batch": 1, "row": number, "source": "one", **row}
        for number, row in enumerate(rows)
    ]


def compute(facts: Mapping[str, list[dict[str, object]]], as_of: date) -> Rows:
    """Compute all features as the vault does."""
    queries = plan(DECLARED)
    brought = {name for name, rows in facts.items() if rows}
    with open_engine() as engine:
        results = {
            name: run(engine, query, arrow(query.table, facts[name]), as_of)
            for name, query in queries.items()
            if name in brought
        }
    return assemble(results, queries, DECLARED, as_of, brought)


def expect(
    facts: Mapping[str, list[dict[str, object]]], as_of: date
) -> dict[str, dict[str, float]]:
    """Compute all features by the reference."""
    brought = frozenset(name for name, rows in facts.items() if rows)
    kept = {name: usable(frame(DECLARED.tables[name], rows), as_of) for name, rows in facts.items()}
    read = plan(DECLARED)
    firms = {code for name in read for code in kept[name]["uscc"]}
    found = {}
    for code in sorted(firms):
        own = {name: rows[rows["uscc"] == code] for name, rows in kept.items()}
        firm = Firm(own, brought, as_of)
        found[code] = {name: feature(firm) for name, feature in FEATURES.items()}
    return found
