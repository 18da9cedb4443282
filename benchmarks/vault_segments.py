"""How fast are snapshots read, and how fast is one enterprise erased?

A snapshot of random numbers is published in a home of its own and read as the vault reads it.
The baseline of the scan is the same number of bytes, unencrypted, in files of the same sizes, read
into the same kind of matrix, in the same run. Facts of one bucket are as many as a million
enterprises have: 36 months of six tables for each of its 62,500. Figures are printed, none is
asserted.

    python benchmarks/vault_segments.py [--quick | --full] [--cpu] [--json]

`--cpu` counts this process's time on a processor instead of the clock's, for a machine that others
use meanwhile; what waits for the disk is then not counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.telling import figure, tell
from saferoom.canonical import Digest
from saferoom.core.facts import Table
from saferoom.core.uscc import make_uscc
from saferoom.vault import upkeep
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from saferoom.vault.parts import schema_of
from saferoom.vault.publication import SnapshotStore
from saferoom.vault.segments import Rows
from saferoom.vault.snapshots import Snapshot
from saferoom.wire import ChannelClosed, receive, send

COLUMNS = tuple(f"feature_{number:03d}" for number in range(100))
MONTHS, TABLES = 36, 6
FREE_BYTES = 4 * 2**30
TRIES = 5
ANSWER_BYTES = 1_024
clock: Callable[[], float] = time.perf_counter
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def main() -> None:
    """Measure, and print a line for each figure."""
    global clock  # noqa: PLW0603  # one for the whole program
    options = _options()
    if options.cpu:
        clock = time.process_time
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name:
        for one in measure(Path(name), _size(options)):
            tell(one, as_json=options.json)


def measure(home: Path, enterprises: int) -> Iterator[dict[str, object]]:
    """Yield every figure; targets are for a million enterprises."""
    (home / "segments").mkdir()
    (home / "facts").mkdir()
    create_keys(home / "keys", os.urandom)
    keys = Keys(home / "keys", os.urandom)
    codes = _codes(keys, enterprises)
    store = SnapshotStore(home / "segments", keys)
    started = clock()
    snapshot = publish(store, codes)
    whole = f"{enterprises:,} x {len(COLUMNS)}"
    yield figure(f"publish {whole}", clock() - started, "s", None)
    encrypted, plain = scans(snapshot, home)
    yield figure(f"scan {whole}", encrypted, "s", None)
    yield figure(f"read the same bytes unencrypted, {whole}", plain, "s", None)
    yield figure("scan / unencrypted", encrypted / plain, "x", 1.5)
    yield figure("one row", one_row(snapshot, codes), "us", 100.0)
    yield figure(
        "one row, asked for and answered over a socket", by_socket(snapshot, codes), "us", 1e3
    )
    yield figure("1,000 random rows", many_rows(snapshot, codes, 1000), "ms", 50.0)
    facts, rows = settled_facts(home, keys, codes)
    yield figure("rows in the bucket", rows, "rows", None)
    gone = min(codes[0])
    mark = keys.mark_of(gone)
    started = clock()
    upkeep.erase(facts, mark, 0)
    of_facts = clock() - started
    store.erase(mark, gone)
    taken = clock() - started
    yield figure(f"erase one of {enterprises:,}: facts", of_facts, "s", None)
    yield figure(f"erase one of {enterprises:,}: facts and snapshot", taken, "s", 1.0)


def publish(store: SnapshotStore, codes: list[list[str]]) -> Snapshot:
    """Publish random numbers."""
    random = np.random.default_rng(2026)

    def compute(bucket: int) -> Rows:
        own = sorted(codes[bucket])
        return Rows(own, np.zeros(len(own), np.bool_), random.random((len(own), len(COLUMNS))))

    return store.publish("2026-11-19", Digest("00" * 32), COLUMNS, compute, NOW)


def scans(snapshot: Snapshot, home: Path) -> tuple[float, float]:
    """Scan all segments, and read plain files of the same sizes; the middle of several tries."""
    shapes = [(one.rows, len(COLUMNS)) for one in snapshot.files.files]
    for number, shape in enumerate(shapes):
        np.random.default_rng(number).random(shape).tofile(home / f"{number}.plain")

    def encrypted() -> None:
        for segment in snapshot.by_name.values():
            segment.matrix()

    def plain() -> None:
        for number, shape in enumerate(shapes):
            matrix = np.empty(shape)
            with (home / f"{number}.plain").open("rb", buffering=0) as file:
                file.readinto(matrix.reshape(-1).view("u1").data)

    pairs = [(_timed(encrypted), _timed(plain)) for _ in range(TRIES)]
    for path in home.glob("*.plain"):
        path.unlink()
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def one_row(snapshot: Snapshot, codes: list[list[str]]) -> float:
    """Look up one enterprise after another; microseconds of the middle one."""
    asked = _choose(codes, 500)
    times = [_timed(lambda code=code: snapshot.rows([code], COLUMNS)) for code in asked]  # type: ignore[misc]
    return statistics.median(times) * 1e6


def by_socket(snapshot: Snapshot, codes: list[list[str]]) -> float:
    """Ask for one enterprise after another in our frames; microseconds of the middle one.

    A row never leaves: what comes back is as long as a sealed answer. By the clock, also with
    `--cpu`: most of it is waiting for the other side.
    """
    ours, theirs = socket.socketpair()

    def answer() -> None:
        with theirs, suppress(ChannelClosed):
            while True:
                snapshot.rows([str(receive(theirs).header["enterprise"])], COLUMNS)
                send(theirs, {"say": "answer"}, [bytes(ANSWER_BYTES)])

    times = []
    with ThreadPoolExecutor(1) as vault:
        vault.submit(answer)
        with ours:
            for code in _choose(codes, 500):
                started = time.perf_counter()
                send(ours, {"say": "score", "enterprise": code})
                receive(ours)
                times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def many_rows(snapshot: Snapshot, codes: list[list[str]], count: int) -> float:
    """Look many up at once; milliseconds of the middle try."""
    asked = [_choose(codes, count, try_) for try_ in range(TRIES)]
    times = [_timed(lambda some=some: snapshot.rows(some, COLUMNS)) for some in asked]  # type: ignore[misc]
    return statistics.median(times) * 1e3


def settled_facts(home: Path, keys: Keys, codes: list[list[str]]) -> tuple[FactStore, int]:
    """Fill one bucket as full as a million enterprises would, and settle it."""
    declared = read_declarations(content_folder())
    store = FactStore(home / "facts", keys)
    table = declared.tables["tax_month"]
    own = sorted(codes[0])
    for number in range(TABLES):
        named = Table(
            name=f"table_{number}",
            title_zh="x",
            title_en="x",
            period=table.period,
            columns=table.columns,
            items=table.items,
        )
        for month in range(0, MONTHS, 12):
            intake = store.begin("tax", named)
            for ago in range(month, month + 12):
                intake.add(_filings(named, own, ago))
            counts = {"rows": 12 * len(own), "quarantined": 0}
            intake.commit(counts, Digest(os.urandom(32).hex()), "2026-11-20T03:00:00Z")
    upkeep.settle(store, 0)
    return store, sum(part.rows for part in store.manifest.parts)


def _filings(table: Table, codes: list[str], ago: int) -> pa.Table:
    random, count = np.random.default_rng(ago), len(codes)
    day = (NOW - timedelta(days=30 * ago)).date()
    columns: dict[str, object] = {
        "uscc": codes,
        "record_id": [f"T-{code}-{ago}" for code in codes],
        "event_date": [day] * count,
        "known_at": [int(NOW.timestamp())] * count,
        "status": ["valid"] * count,
    }
    schema = pa.schema(list(schema_of(table))[:-3])
    arrays = []
    for field in schema:
        if field.name in columns:
            arrays.append(pa.array(columns[field.name], field.type))
        elif pa.types.is_floating(field.type):
            arrays.append(pa.array(random.random(count).round(4) * 1e6, field.type))
        else:
            arrays.append(pa.array(random.integers(0, 9999, count), pa.int32()).cast(field.type))
    return pa.table(arrays, schema=schema)


def _codes(keys: Keys, count: int) -> list[list[str]]:
    codes: list[list[str]] = [[] for _ in range(BUCKETS)]
    for number in range(count):
        code = make_uscc(number)
        codes[keys.bucket_of(code)].append(code)
    return codes


def _choose(codes: list[list[str]], count: int, seed: int = 7) -> list[str]:
    random = np.random.default_rng(seed)
    chosen = []
    for _ in range(count):
        bucket = codes[int(random.integers(BUCKETS))]
        chosen.append(bucket[int(random.integers(len(bucket)))])
    return chosen


def _timed(work: Callable[[], object]) -> float:
    started = clock()
    work()
    return clock() - started


def _size(options: argparse.Namespace) -> int:
    if options.full:
        if shutil.disk_usage(tempfile.gettempdir()).free < FREE_BYTES:
            raise SystemExit("less than 4 GiB of disk is free")
        return 1_000_000
    return 50_000 if options.quick else 200_000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute: 50,000 enterprises")
    parser.add_argument("--full", action="store_true", help="a million enterprises; needs 4 GiB")
    parser.add_argument("--cpu", action="store_true", help="time on a processor")
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
