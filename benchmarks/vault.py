"""How many rows a second come into the vault, checked, encrypted and durable?

Six sources' monthly files are written, then taken in as a steward's order does it: intake's
process reads, checks and seals, the vault unseals, divides, encrypts and syncs. The baseline is
Arrow's CSV reader over the same files in the same run, which checks and keeps nothing. Figures
are printed, none is asserted.

Afterwards come the figures of views (`vault_views.py`) and of reading and erasing
(`vault_segments.py`), each a program of its own, so that its memory is its own. `--full` takes 20
million rows in, then computes all views of a million enterprises; each part first looks whether
the disk has room.

    python benchmarks/vault.py [--quick | --full] [--json]
"""

from __future__ import annotations

import argparse
import calendar
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from pyarrow import csv as arrow_csv

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.telling import figure, tell
from saferoom.core.source import SourceManifest
from saferoom.core.uscc import make_uscc
from saferoom.vault.declarations import Declarations, content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import Keys, create_keys

SOURCES = {  # six of them, in the shapes of two declared tables
    "tax-a": ("tax", "tax_month"),
    "tax-b": ("tax", "tax_month"),
    "tax-c": ("tax", "tax_month"),
    "power": ("power", "util_month"),
    "water": ("power", "util_month"),
    "gas": ("power", "util_month"),
}
MONTHS = 36
ENTERPRISES = {"quick": 10_000, "usual": 30_000, "full": 100_000}
ROWS_PER_SECOND, MOST_MEMORY = 400_000.0, 2_048.0  # targets
BYTES_PER_ROW = 250  # of disk: the files, and what is made of them
AT_ONCE = 5_000


def main() -> None:
    """Measure and print."""
    options = _options()
    if options.measure is not None:
        print(json.dumps(take_in(options.measure)))
        return
    size = "full" if options.full else "quick" if options.quick else "usual"
    for one in measure(ENTERPRISES[size]):
        tell(one, as_json=options.json)
    for other in ("vault_views.py", "vault_segments.py"):
        program = Path(__file__).with_name(other)
        subprocess.run([sys.executable, program, *sys.argv[1:]], check=True)


def measure(enterprises: int) -> Iterator[dict[str, object]]:
    """Yield every figure."""
    rows = enterprises * MONTHS * len(SOURCES)
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 2 * rows * BYTES_PER_ROW:
            sys.exit(f"{2 * rows * BYTES_PER_ROW:,} bytes of disk are needed for {rows:,} rows")
        for source, (_, table) in SOURCES.items():
            write_source(folder / "sources" / source, table, enterprises)
        baseline = rows / read_only(folder)
        command = [sys.executable, __file__, "--measure", str(folder)]
        told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["rows"] == rows, told
    rate = rows / told["seconds"]
    yield figure("rows ingested", rows, "rows")
    yield figure("ingest, end to end", rate, "rows/s", ROWS_PER_SECOND, more=True)
    yield figure("baseline: Arrow reads the same files on one core", baseline, "rows/s")
    yield figure("ingest, as a share of the baseline", 100 * rate / baseline, "%")
    for who in ("vault", "intake"):  # they run side by side: the slower one's bounds the rate
        yield figure(f"processor time per row, {who}", 1e6 * told[f"{who} cpu"] / rows, "µs")
    yield figure("peak memory of the vault", told["vault"], "MiB", MOST_MEMORY)
    yield figure("peak memory of intake", told["intake"], "MiB", MOST_MEMORY)
    yield figure("encrypted, at rest", told["bytes"] / rows, "bytes/row")


def take_in(folder: Path) -> dict[str, float]:
    """Be the vault for all sources; report time, processor time and memory."""
    declared = read_declarations(content_folder())
    sealing = create_keys(folder / "keys", os.urandom)
    (folder / "facts").mkdir()
    store = FactStore(folder / "facts", Keys(folder / "keys", os.urandom))
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, ended))
    watcher.start()
    rows, started = 0, time.perf_counter()
    for name, (like, table) in SOURCES.items():
        manifest = _manifest(declared, name, like, table)
        run = Ingestion(store, declared.tables, sealing, datetime.now(UTC))
        rows += run.run(manifest, folder / "sources" / name).rows
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    own, child = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "rows": rows,
        "seconds": seconds,
        "vault cpu": own.ru_utime + own.ru_stime,
        "intake cpu": child.ru_utime + child.ru_stime,
        "vault": own.ru_maxrss / 1024,
        "intake": peak[0],
        "bytes": sum(path.stat().st_size for path in (folder / "facts").rglob("*.parquet")),
    }


def _watch(peak: list[float], ended: threading.Event) -> None:
    """Keep the most memory that intake's processes had; what a parent had counts in no rusage."""
    while not ended.wait(0.1):
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            with suppress(OSError):
                status = Path(f"/proc/{child}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                peak[0] = max(peak[0], int(found[1]) / 1024 if found else 0.0)


def read_only(folder: Path) -> float:
    """Let Arrow read every file, guessing types, and keep nothing; return the seconds."""
    started = time.perf_counter()
    options = arrow_csv.ReadOptions(use_threads=False, block_size=8 * 2**20)
    for path in folder.glob("sources/*/*.csv"):
        for _ in arrow_csv.open_csv(path, options):
            pass
    return time.perf_counter() - started


def write_source(folder: Path, table: str, enterprises: int) -> None:
    """Write one file of clean rows, enterprise by enterprise."""
    folder.mkdir(parents=True)
    random, writer = np.random.default_rng(7), None
    with (folder / f"{table}.csv").open("wb") as file:
        for first in range(0, enterprises, AT_ONCE):
            codes = [make_uscc(n) for n in range(first, min(first + AT_ONCE, enterprises))]
            columns = _rows(table, folder.name, codes, random)
            if writer is None:
                quiet = arrow_csv.WriteOptions(quoting_style="none", quoting_header="none")
                writer = arrow_csv.CSVWriter(file, columns.schema, write_options=quiet)
            writer.write(columns)
        if writer is not None:
            writer.close()


def _rows(table: str, source: str, codes: Sequence[str], random: np.random.Generator) -> pa.Table:
    many = len(codes) * MONTHS
    places = [divmod(2023 * 12 + 6 + number, 12) for number in range(MONTHS + 1)]
    months = [f"{year}-{month + 1:02d}" for year, month in places]
    ends = [f"{y}-{m + 1:02d}-{calendar.monthrange(y, m + 1)[1]}" for y, m in places[:-1]]
    nexts = months[1:]

    def each(texts: list[str]) -> pa.Array:
        return pa.array(texts).take(pa.array(np.tile(np.arange(MONTHS), len(codes))))

    def money() -> pa.Array:
        return pa.array(np.exp(random.normal(10, 1, many)).round(2))

    empty = pa.repeat("", many)
    uscc = pa.array(codes).take(pa.array(np.repeat(np.arange(len(codes)), MONTHS)))
    own = {
        "tax_month": {"sales": money(), "vat": money(), "cit": empty},
        "util_month": {"kind": pa.repeat("power", many), "usage": money(), "bill": money()},
    }[table]
    last = {"tax_month": "filed_at", "util_month": "cutoff"}[table]
    return pa.table({
        "uscc": uscc,
        "src_org": pa.repeat(source, many),
        "record_id": pc.binary_join_element_wise(uscc, each(months[:-1]), "-"),
        "event_date": each(ends),
        "known_at": each([f"{one}-12T01:30:00Z" for one in nexts]),
        "batch_id": pa.repeat("B1", many),
        "status": pa.repeat("valid", many),
        "period": each(months[:-1]),
        **own,
        "due": each([f"{one}-15" for one in nexts]),
        "paid_at": each([f"{one}-12" for one in nexts]),
        last: empty,
    })  # fmt: skip


def _manifest(declared: Declarations, name: str, like: str, table: str) -> SourceManifest:
    source = declared.source(like)
    only = tuple(one for one in source.tables if one.table == table)
    return replace(source, name=name, tables=only)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 million rows, under a minute")
    parser.add_argument("--full", action="store_true", help="20 million rows; checks disk first")
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
