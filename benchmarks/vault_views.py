"""How long does it take to compute all views of a whole room as of a day, in which memory?

A fact store is filled with made-up facts of every table that a view reads: six sources by
month over 36 months, the others now and then. Then one snapshot is computed and published
exactly as the vault does it: encrypted facts in, encrypted segments out, two buckets side
by side. Filling happens in another process, so the memory shown is the vault's own.

    python benchmarks/vault_views.py [--quick | --full] [--json]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.telling import figure, tell
from saferoom.canonical import Digest
from saferoom.core.facts import CellType, Column, Table
from saferoom.demo.economy.calendar import last_days
from saferoom.demo.economy.codes import enterprise_codes
from saferoom.vault.declarations import Declarations, content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from saferoom.vault.materialising import computing, plan
from saferoom.vault.parts import schema_of
from saferoom.vault.publication import SnapshotStore
from saferoom.vault.snapshots import Snapshot

AS_OF = date(2026, 11, 19)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
MONTHS = 36
CHUNK = 10_000
MONTHLY = ("tax_month", "util_month", "si_month", "hf_month", "invoice_month", "customs_month")
NOW_AND_THEN = 0.3  # rows per enterprise of the tables that are not monthly
SECONDS_PER_100K = 30.0
BYTES_PER_ENTERPRISE = 30_000  # on disk, facts and segments, with room to spare
SMALLEST = 100_000  # below, what each query costs at least is most of it: no target
Ints = NDArray[np.int64]


def main() -> None:
    """Print every figure."""
    options = _options()
    if options.fill is not None:
        fill(options.fill, options.enterprises)
        return
    for one in measure(options.enterprises):
        tell(one, as_json=options.json)


def measure(enterprises: int) -> Iterator[dict[str, object]]:
    """Fill a store, publish one snapshot, and say what that took."""
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name:
        if shutil.disk_usage(name).free < BYTES_PER_ENTERPRISE * enterprises:
            yield figure(f"disk for {enterprises:,} enterprises", None, "s", SECONDS_PER_100K)
            return
        command = [sys.executable, __file__, "--fill", name, "--enterprises", str(enterprises)]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        yield figure("filling the store", time.perf_counter() - started, "s", None)
        yield from publish(Path(name), enterprises)


def snapshot(folder: Path, declared: Declarations, store: FactStore, keys: Keys) -> Snapshot:
    """Publish one snapshot."""
    snapshots, views = SnapshotStore(folder / "segments", keys), declared.views
    with computing(store, declared, AS_OF, BUCKETS) as compute:
        return snapshots.publish(AS_OF.isoformat(), views.digest, views.names(), compute, NOW)


def publish(folder: Path, enterprises: int) -> Iterator[dict[str, object]]:
    """Compute and publish as the vault does."""
    declared, keys = read_declarations(content_folder()), Keys(folder / "keys", os.urandom)
    store = FactStore(folder / "facts", keys)
    started = time.perf_counter(), time.process_time()
    made = snapshot(folder, declared, store, keys)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    views, per = len(declared.views.views), enterprises / 100_000
    assert made.manifest.enterprises == enterprises
    yield figure("rows of facts", sum(part.rows for part in store.manifest.parts), "rows", None)
    name = f"{views} views of {enterprises:,} enterprises"
    target = SECONDS_PER_100K * per if enterprises >= SMALLEST else None
    yield figure(name, wall, "s", target)
    yield figure(f"{name}, CPU", cpu, "s", None)
    yield figure(f"{name}, CPU for 100,000", cpu / per, "s", None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield figure(f"{name}, peak memory", peak, "MiB", 2048.0)


def fill(folder: Path, enterprises: int) -> None:
    """Write facts of every table that a view reads."""
    for name in ("facts", "segments"):
        (folder / name).mkdir()
    create_keys(folder / "keys", os.urandom)
    store = FactStore(folder / "facts", Keys(folder / "keys", os.urandom))
    for name, query in plan(read_declarations(content_folder())).items():
        intake, rows = store.begin("bench", query.table), 0
        for start in range(0, enterprises, CHUNK):
            facts = made_up(query.table, start, min(CHUNK, enterprises - start))
            intake.add(facts)
            rows += facts.num_rows
        counts = {"rows": rows, "quarantined": 0}
        intake.commit(counts, Digest(f"{len(name):064x}"), "2026-11-20T03:00:00Z")


def made_up(table: Table, start: int, firms: int) -> pa.Table:
    """Make one table's rows of some firms: right in type, drawn by chance."""
    rng = np.random.default_rng([start, len(table.name)])
    here = AS_OF.year * 12 + AS_OF.month - 1
    if table.name in MONTHLY:
        firm, ago = np.tile(np.arange(firms), MONTHS), np.repeat(np.arange(1, MONTHS + 1), firms)
    elif table.name == "reg_base":
        firm, ago = np.arange(firms), np.full(firms, 30)
    else:
        rows = int(firms * NOW_AND_THEN)
        firm, ago = rng.integers(0, firms, rows), rng.integers(1, MONTHS, rows)
    day = last_days(here - ago)
    cells = {
        "uscc": pa.array(enterprise_codes(np.arange(start, start + firms))).take(pa.array(firm)),
        "record_id": pa.array(
            [f"{start + one}-{when}" for one, when in zip(firm, ago, strict=True)]
        ),
        "event_date": pa.array(day.astype("datetime64[D]")),
        "known_at": pa.array((day + 12) * 86_400),
        "status": pa.repeat(pa.scalar("valid"), len(firm)),
    }
    for column in table.columns:
        cells[column.name] = _cells(rng, column, day)
    types = schema_of(table)
    arrays = [cells[one.name].cast(types.field(one.name).type) for one in table.all_columns]
    return pa.table(arrays, names=[one.name for one in table.all_columns])


def _cells(rng: np.random.Generator, column: Column, day: Ints) -> pa.Array:
    match column.type:
        case CellType.TEXT:
            choice = column.one_of or ("C34", "F51")
            return pa.array(list(choice)).take(pa.array(rng.integers(0, len(choice), len(day))))
        case CellType.DAY:
            return pa.array((day + rng.integers(0, 40, len(day))).astype("datetime64[D]"))
        case CellType.NUMBER:
            return pa.array(np.round(rng.lognormal(10, 1, len(day)), 2))
        case CellType.FLAG:
            return pa.array(rng.integers(0, 2, len(day)))
        case _:
            return pa.array(rng.integers(0, 100, len(day)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    for name, many in (("--quick", 4_000), ("--full", 1_000_000)):
        size.add_argument(
            name, dest="enterprises", action="store_const", const=many, default=100_000,
            help=f"{many:,} enterprises",
        )  # fmt: skip
    size.add_argument("--enterprises", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
