"""What is wrong with the sources' data, on purpose?

Mistyped codes in half a percent of rows (they must be quarantined), one firm in a hundred
disputing a record, one in fifty with a repaired record that must no longer count, and
arrears that are written down only after the as-of day: a feature that lets those in
looks brilliant and is worthless.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from saferoom.demo.economy.calendar import day_number
from saferoom.demo.economy.columns import (
    Columns,
    amount,
    choose,
    constant,
    identity,
    joined,
)
from saferoom.demo.economy.population import Chunk, Flags, Floats, Ints
from saferoom.demo.economy.tables import TAX, World

MISTYPED_SHARE = 0.005
DISPUTED_SHARE = 0.01
REPAIRED_SHARE = 0.02
LATE_SHARE = 0.6  # of firms that turn bad


def mistype(columns: Columns, chunk: Chunk, table: str) -> Columns:
    """Swap two characters of some codes, as people do; both check digits notice."""
    rng, codes = chunk.stream(f"mistyped_{table}"), columns["uscc"]
    wrong = rng.random(len(codes)) < MISTYPED_SHARE
    swapped = joined(
        pc.utf8_slice_codeunits(codes, 0, 16),
        pc.utf8_slice_codeunits(codes, 17, 18),
        pc.utf8_slice_codeunits(codes, 16, 17),
    )
    return columns | {"uscc": pc.if_else(pa.array(wrong), swapped, codes)}


def dispute(columns: Columns, world: World) -> Columns:
    """Mark the last declaration of one firm in a hundred as disputed by the firm."""
    firms = np.flatnonzero(world.publication.tax_covered)
    chosen = world.chunk.stream("disputed").random(len(firms)) < DISPUTED_SHARE
    rows = len(columns["status"])
    marked = np.zeros(rows, dtype=np.bool_)
    marked[rows - len(firms) :] = chosen  # the rows are ordered by period
    status = pc.if_else(pa.array(marked), pa.scalar("disputed"), columns["status"])
    return columns | {"status": status}


def repair(world: World) -> Columns:
    """Write arrears that were paid and repaired: kept as history, never in a feature."""
    rng = world.chunk.stream("repaired")
    firm = np.flatnonzero(rng.random(world.chunk.size) < REPAIRED_SHARE)
    event = day_number(world.chunk.plan.as_of) - rng.integers(90, 600, len(firm))
    return _arrears(
        world, firm, letter="AR", event=event, known=event + 30, owed=_owed(rng, firm)
    ) | {"status": constant("repaired", len(firm))}


def arrive_late(world: World, bad: Flags) -> Columns:
    """Write arrears that were incurred before the as-of day and written down after it."""
    rng = world.chunk.stream("late")
    firm = np.flatnonzero(bad & (rng.random(world.chunk.size) < LATE_SHARE))
    today = day_number(world.chunk.plan.as_of)
    return _arrears(
        world,
        firm,
        letter="AL",
        event=today - rng.integers(5, 90, len(firm)),
        known=today + rng.integers(2, 20, len(firm)),
        owed=_owed(rng, firm),
    )


def stacked(*parts: Columns) -> Columns:
    """Put tables of the same columns under each other."""
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _owed(rng: np.random.Generator, firm: Ints) -> Floats:
    return np.exp(rng.normal(10.5, 1.3, len(firm)))


def _arrears(
    world: World, firm: Ints, *, letter: str, event: Ints, known: Ints, owed: Floats
) -> Columns:
    return identity(
        codes=choose(world.chunk.codes, firm),
        source=TAX,
        record=joined(letter, pa.array(world.chunk.start + firm)),
        event=event,
        known=known,
    ) | {
        "kind": constant("增值税", len(firm)),
        "amount": amount(owed),
        "cleared": pa.nulls(len(firm), pa.string()),
    }
