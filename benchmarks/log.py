"""How much does the log bear, and what does checking it cost?

Entries are written by real transactions on real files: 32 writers whose entries stand alone and
are committed in groups, 32 writers with a transaction each (as releases have), and one
writer. Then they get places and tiles, a monitor reads them again, proofs are made over ten
million entries, and a receipt with a quorum of witnesses is verified. Nothing is asserted.

    python benchmarks/log.py [--quick] [--json] [--database sqlite|postgresql|both]
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.scoring import url_of
from benchmarks.telling import figure, tell
from saferoom.adapters import cedar
from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import open_database, reading, sqlite_url, writing
from saferoom.adapters.database.migrating import migrate
from saferoom.adapters.log_files import LogFiles
from saferoom.adapters.sinks import FileSink
from saferoom.app import log
from saferoom.app.context import Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.together import write_together
from saferoom.canonical import Digest, Json
from saferoom.core.log_events import KINDS, Entry, build_entry
from saferoom.core.receipt import build_receipt, check_receipt, record_part
from saferoom.core.trust import LogKey, Trust
from saferoom.core.witnesses import Witnesses, WitnessKey
from saferoom.crypto.signing import SigningKey
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.places import open_log
from saferoom.monitor.trusted import read_trusted
from saferoom.ports import Steward, Vault
from saferoom.tlog.checkpoint import Checkpoint, Note, cosign_checkpoint, read_note, sign_checkpoint
from saferoom.tlog.merkle import (
    MemoryReader,
    consistency_proof,
    inclusion_proof,
    node_hash,
    root,
    root_of_hashes,
)
from saferoom.tlog.proof import check_inclusion
from saferoom.tlog.tile import HEIGHT, WIDTH, TileReader

ORIGIN = "bench.example/log"
LOG_KEY = SigningKey(bytes(32))
WITNESSES = [SigningKey(bytes([n]) * 32) for n in (1, 2, 3)]
WRITERS = 32
LARGE = 10_000_000
Figures = Iterator[dict[str, object]]


def main() -> None:
    """Measure each database that is there, then what needs none."""
    options = _options()
    for database in ("sqlite", "postgresql") if options.database == "both" else [options.database]:
        for one in measure_database(database, quick=options.quick):
            tell(one, as_json=options.json)
    for one in (*measure_proofs(), *measure_receipt(), *measure_monitor(quick=options.quick)):
        tell(one, as_json=options.json)


def measure_database(database: str, *, quick: bool) -> Figures:
    """Yield how fast entries become durable and get their places."""
    count = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name, url_of(database) as url:
        if url is None:
            yield at_least(f"entries/s durable, {WRITERS} writers, {database}", None, 2_000)
            return
        folder = Path(name)
        engine = open_database(url or sqlite_url(folder / "room.db"), WRITERS)
        migrate(engine)
        room = open_room(engine, folder)
        try:
            yield from _writing(room, database, count, engine)
            yield from _placing(room, database, folder)
        finally:
            engine.dispose()


def _writing(room: Room, database: str, count: int, engine: sa.Engine) -> Figures:
    def alone(number: int) -> None:
        with writing(engine) as connection:
            write_entry(connection, room, draft(number))

    _write(alone, 50, 1)  # keys of subjects are made once
    together: Callable[[int], object] = lambda number: write_together(room, draft(number))  # noqa: E731
    yield at_least(
        f"entries/s durable, {WRITERS} writers in groups, {database}",
        _write(together, count, WRITERS), 2_000,
    )  # fmt: skip  # one figure
    yield at_least(
        f"entries/s durable, {8 * WRITERS} writers in groups, {database}",
        _write(together, count, 8 * WRITERS), 2_000,
    )  # fmt: skip  # one figure
    yield at_least(
        f"entries/s durable, {WRITERS} writers, a transaction each, {database}",
        _write(alone, count // 5, WRITERS), None,
    )  # fmt: skip  # one figure
    one = _write(alone, count // 10, 1)
    yield at_least(f"entries/s durable, one writer, {database}", one, None)


def _placing(room: Room, database: str, folder: Path) -> Figures:
    with reading(room.database) as connection:
        total = int(connection.scalar(sa.select(sa.func.count()).select_from(t.entry)) or 0)
    started = time.perf_counter()
    log.deliver(room)
    while room.log.size < total:
        log.sequence(room)
    seconds = time.perf_counter() - started
    yield at_least(
        f"entries/s given places, tiles and checkpoint, {database}", total / seconds, None
    )
    public = sum(path.stat().st_size for path in (folder / "log").rglob("*") if path.is_file())
    yield figure(f"public bytes per entry, {database}", public / total, "bytes", None)


def measure_proofs() -> Figures:
    """Prove places and growth over ten million entries, from tiles on disk."""
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name:
        tree = Uniform(Path(name), LARGE)
        indices = [secrets.randbelow(LARGE) for _ in range(200)]
        for index in indices:  # the first reading writes the tiles that it touches
            inclusion_proof(TileReader(tree.make, LARGE), index, LARGE)
            consistency_proof(TileReader(tree.make, LARGE), index, LARGE)
        times = []
        for index in indices:
            started = time.perf_counter()
            proof = inclusion_proof(TileReader(tree.fetch, LARGE), index, LARGE)
            times.append(time.perf_counter() - started)
            check_inclusion(
                index=index, size=LARGE, leaf_hash=tree.leaf, proof=proof, root=tree.root
            )
        yield figure("inclusion proof at 10^7, p50", 1000 * statistics.median(times), "ms", 2.0)
        yield figure("inclusion proof at 10^7, slowest of 200", 1000 * max(times), "ms", None)
        times = []
        for index in indices:
            started = time.perf_counter()
            consistency_proof(TileReader(tree.fetch, LARGE), index, LARGE)
            times.append(time.perf_counter() - started)
        yield figure("consistency proof at 10^7, p50", 1000 * statistics.median(times), "ms", 2.0)


def measure_receipt() -> Figures:
    """Verify a receipt of a hundred releases, cosigned by three witnesses."""
    trust, receipt = witnessed_receipt()
    check_receipt(receipt, trust)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        check_receipt(receipt, Trust.from_bytes(trust.to_bytes()))
        times.append(time.perf_counter() - started)
    yield figure("receipt verified, p50", 1000 * statistics.median(times), "ms", 5.0)
    yield figure("receipt", len(receipt), "bytes", None)


def measure_monitor(*, quick: bool) -> Figures:
    """Let a monitor read a log of releases again."""
    count = 20_000 if quick else 200_000
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as name:
        folder = Path(name)
        sample = [release().leaf for _ in range(500)]
        files = LogFiles(folder / "log", ORIGIN, [LOG_KEY])
        for first in range(0, count, 20_000):
            files.extend(first, [fresh(sample[n % 500]) for n in range(20_000)])
        asked = Asked(
            fetch=open_log(str(folder)),
            trusted=read_trusted(trust_file().to_bytes()),
            now=datetime.now(UTC),
        )
        started, busy = time.perf_counter(), time.process_time()
        visit = Visit(asked)
        alarms = {alarm.code for alarm in visit.run()} - {"CHECKPOINT_UNWITNESSED"}
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        assert not alarms, alarms
        yield at_least("entries/s read again by the monitor", visit.size / seconds, 50_000)
        yield at_least("the same, per second of one core", visit.size / busy, 50_000)


# --- what is measured on ---


def open_room(engine: sa.Engine, folder: Path) -> Room:
    """Open a room that logs; it has no vault and never asks for one."""
    nobody = cast("Vault", None)
    return Room(
        database=engine,
        clock=lambda: datetime.now(UTC),
        random_bytes=secrets.token_bytes,
        vault=nobody,
        steward=cast("Steward", None),
        load_policy=cedar.load_policy,
        sinks=(FileSink(folder / "sink" / "entries.log"),),
        log_key=LOG_KEY,
        subject_key=bytes(32),
        origin=ORIGIN,
        log=LogFiles(folder / "log", ORIGIN, [LOG_KEY]),
        owner="bench",
        founders=(),
    )


def draft(number: int) -> Draft:
    """Write an entry that stands alone."""
    holder = f"person {number % 50}"
    return Draft("token_issued", holder, {"holder": holder})


def _write(act: Callable[[int], object], count: int, writers: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(act, range(count)))
    return count / (time.perf_counter() - started)


@dataclass
class Uniform:
    """A tree whose leaves are all alike: a tile's bytes follow from its level alone."""

    folder: Path
    size: int
    leaf: bytes = bytes(32)

    def __post_init__(self) -> None:
        self._full = [self.leaf]
        while self.size >> (HEIGHT * len(self._full)):
            self._full.append(root_of_hashes([self._full[-1]] * WIDTH))

    @property
    def root(self) -> bytes:
        """Fold the tree from its whole subtrees, the smallest first."""
        parts = []
        for bit in range(self.size.bit_length()):
            if self.size >> bit & 1:
                level, height = divmod(bit, HEIGHT)
                parts.append(root_of_hashes([self._full[level]] * (1 << height)))
        folded = parts[0]
        for part in parts[1:]:
            folded = node_hash(part, folded)
        return folded

    def make(self, path: str) -> bytes | None:
        """Write a tile when it is first asked for."""
        level = int(path.split("/")[1])
        width = int(path.rpartition(".p/")[2]) if ".p/" in path else WIDTH
        data = self._full[level] * width
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return data

    def fetch(self, path: str) -> bytes | None:
        """Read a tile from the disk."""
        return (self.folder / path).read_bytes()


def release(records: int = 1) -> Entry:
    """Build an entry of releases."""
    names = KINDS["release"]
    values: dict[str, Json] = dict.fromkeys(names.record, "0" * 64)
    return build_entry(
        "release",
        {name: Digest("0" * 64) for name in names.artefacts},
        dict.fromkeys(names.committed, "x" * 30),
        datetime.now(UTC),
        secrets.token_bytes,
        [values] * records,
    )


def fresh(leaf: bytes) -> bytes:
    """Make another entry of the same shape, faster than by committing anew."""
    place = leaf.index(b'"bank":"') + len(b'"bank":"')
    return leaf[:place] + secrets.token_hex(32).encode() + leaf[place + 64 :]


def witnessed_receipt() -> tuple[Trust, bytes]:
    """Build a receipt of one of a hundred releases, in a log of a thousand."""
    entry = release(100)
    leaves = [*(release().leaf for _ in range(999)), entry.leaf]
    head = Checkpoint(ORIGIN, len(leaves), root(leaves))
    own = read_note(sign_checkpoint(head, LOG_KEY))
    now = int(time.time())
    marks = [cosign_checkpoint(head, f"w{n}", key, now) for n, key in enumerate(WITNESSES)]
    receipt = build_receipt(
        checkpoint=Note(head, (*own.signatures, *marks)).text(),
        leaf=entry.leaf,
        leaf_index=999,
        leaf_proof=inclusion_proof(MemoryReader(leaves), 999, 1000),
        openings={name: one for name, one in entry.openings.items() if name != "override"},
        record=record_part(entry.records, 57, entry.record_openings[57]),
    )
    return trust_file(), receipt


def trust_file() -> Trust:
    """Trust the log and two of three witnesses."""
    valid: dict[str, object] = {
        "valid_from": "2020-01-01T00:00:00Z", "valid_until": None, "compromised": False,
    }  # fmt: skip  # an interval
    key = {"algorithm": "ed25519", "key": LOG_KEY.public.raw.hex(), **valid}
    keys = [
        {"name": f"w{n}", "organisation": f"o{n}", "key": one.public.raw.hex(), **valid}
        for n, one in enumerate(WITNESSES)
    ]
    witnesses = Witnesses(2, tuple(WitnessKey.from_body(one) for one in keys))
    return Trust(origin=ORIGIN, log_keys=(LogKey.from_body(key),), witnesses=witnesses)


def at_least(name: str, value: float | None, target: float | None) -> dict[str, object]:
    """Write a figure of which more is better."""
    one = figure(name, value, "entries/s", None)
    ok = None if value is None or target is None else value >= target
    return one | {"target": target, "ok": ok}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    parser.add_argument("--database", default="both", choices=("sqlite", "postgresql", "both"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
