"""Whatever a source sends or a disk refuses: is nothing half taken, and does the next run go on?"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.vault import facts, ingestion
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from tests import factories as make
from tests.intake.taking import DECLARED, source_of
from tests.intake.test_parquet_files import typed
from tests.intake.zygote import Zygote
from tests.vault.room import CODES, tax_month, write_csv

TABLE = DECLARED.tables["tax_month"]
ROWS = [tax_month(code, month, "5") for code in CODES for month in range(1, 13)]


@contextmanager
def malformed_is_none() -> Iterator[None]:
    try:
        yield
    except SaferoomError as error:
        if error.code != "SOURCE_MALFORMED":
            raise


class Place:
    """A vault's store, and a folder of the tax office's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "in"
        self.facts = folder / "facts"
        for one in (self.folder, self.facts):
            one.mkdir(exist_ok=True)
        self._sealing = create_keys(folder / "keys", os.urandom)
        self._keys = Keys(folder / "keys", os.urandom)
        self.store = FactStore(self.facts, self._keys)
        source = DECLARED.sources["tax"]
        only = (source_of("tax_month"),)
        both = (*only, *(replace(one, path="*.parquet") for one in only))
        self.source = replace(source, tables=both)

    def run(self) -> int:
        return (
            Ingestion(self.store, DECLARED.tables, self._sealing, make.NOW)
            .run(self.source, self.folder)
            .rows
        )

    def run_or_not(self) -> int | None:
        """Take a file, or let it be refused as what is no file of this source."""
        with malformed_is_none():
            return self.run()
        return None

    def check_whole(self) -> int:
        """Count rows as a fresh start finds them: what counts can be read, and is all there is."""
        named = {self.facts / part.file for part in self.store.manifest.parts}
        assert set(self.facts.rglob("*.parquet")) == named
        fresh = FactStore(self.facts, self._keys)
        assert fresh.manifest == self.store.manifest
        rows = sum(int(fresh.read(TABLE, bucket).num_rows) for bucket in range(BUCKETS))
        assert rows == sum(batch.rows for batch in fresh.manifest.batches)
        return rows


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


@pytest.fixture
def place(tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(ingestion, "_intake_process", zygote.lent)
    return Place(tmp_path)


def flood_of_rows(path: Path) -> None:
    one = typed([ROWS[0]]).take(pa.array(np.zeros(1_000_000, np.int64)))
    with pq.ParquetWriter(path, one.schema, compression="zstd") as writer:
        for _ in range(3):
            writer.write_table(one)


def flood_in_cells(path: Path) -> None:
    """Write 400 MB of zeros in some kilobytes."""
    one = typed([ROWS[0]])
    zeros = pa.array(["0" * 100_000_000])
    place = one.schema.get_field_index("record_id")
    with pq.ParquetWriter(path, one.schema, compression="zstd", use_dictionary=False) as writer:
        wide = one.set_column(place, "record_id", zeros)
        for _ in range(4):
            writer.write_table(wide)


def zeros(path: Path) -> None:
    with path.with_suffix(".csv").open("wb") as file:
        file.write(",".join(ROWS[0]).encode() + b"\n")
        file.truncate(2**30)  # of no room on the disk


@pytest.mark.parametrize("flood", [flood_of_rows, flood_in_cells, zeros])
def test_a_flood_is_refused_with_bounded_memory_and_the_next_run_goes_on(
    place: Place, flood: Callable[[Path], None]
) -> None:
    path = place.folder / "tax_month.parquet"
    flood(path)
    assert sum(one.stat().st_blocks * 512 for one in place.folder.iterdir()) < 20 * 2**20
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        place.run()
    assert place.check_whole() == 0
    for one in place.folder.iterdir():
        one.unlink()
    write_csv(place.folder / "tax_month.csv", ROWS)
    assert place.run() == place.check_whole() == len(ROWS)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 500, 3_000])
def test_a_disk_that_takes_no_more_leaves_all_or_nothing(place: Place, size: int) -> None:
    write_csv(place.folder / "tax_month.csv", ROWS[:48])
    assert place.run() == 48
    write_csv(place.folder / "tax_month_2.csv", ROWS[48:])
    with files_of_at_most(size), pytest.raises(Unavailable, match="VAULT_STORAGE"):
        place.run()
    assert place.check_whole() == 48
    assert place.run() == 48
    assert place.check_whole() == 96


def test_a_full_disk_leaves_all_or_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "FLUSH_BYTES", 2_000)
    program = shutil.which("mount")
    mount = [str(program), "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place.facts)]
    done = program and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not done:
        pytest.skip("mounting a small disk needs root, and the program mount")
    try:
        monkeypatch.setattr("saferoom.intake.lines.BLOCK", 4_000)
        for number in range(200):
            rows = [row | {"record_id": f"{row['record_id']}-{number}"} for row in ROWS]
            write_csv(place.folder / f"tax_month_{number:03}.csv", rows)
        with pytest.raises(Unavailable, match="VAULT_STORAGE"):
            place.run()
        taken = place.check_whole()
        assert 0 < taken < 200 * len(ROWS)
        assert taken % len(ROWS) == 0
        room = ["mount", "-o", "remount,size=64m", str(place.facts)]
        subprocess.run(room, check=True)
        assert place.run() == 200 * len(ROWS) - taken
        assert place.check_whole() == 200 * len(ROWS)
    finally:
        subprocess.run(["umount", "-l", str(place.facts)], check=True)


def mutant(chance: random.Random, data: bytes) -> bytes:
    """Change, cut, double or move some bytes; a Parquet file's end twice as often."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        size = len(changed)
        end = max(0, size - 3_000) if chance.random() < 0.5 else 0
        at = chance.randint(end, size)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.choice((1, 4, 100))]
            case 2:
                changed[at:at] = chance.choice(
                    (b'"', b"\n", b"\0", b",", b"\xff\xfe", b"\r", b"9" * 30)
                )
            case 3:
                changed[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            case _:
                changed[at:at] = changed[at : at + chance.choice((1, 50, 1_000))]
    return bytes(changed)


@pytest.mark.parametrize(
    "count", [pytest.param(100), pytest.param(10_000, marks=[pytest.mark.long])]
)
def test_no_mutant_of_a_file_is_taken_in_part_or_ends_the_vault(place: Place, count: int) -> None:
    write_csv(place.folder / "seed.csv", ROWS[:20])
    pq.write_table(typed(ROWS[:20]), place.folder / "seed", compression="zstd", row_group_size=7)
    seeds = [(place.folder / name).read_bytes() for name in ("seed.csv", "seed")]
    for name in ("seed.csv", "seed"):
        (place.folder / name).unlink()
    chance, refused, rows = random.Random(20_261_120), 0, 0
    for number in range(count):
        kind = number % 2
        path = place.folder / ("tax_month.csv", "tax_month.parquet")[kind]
        path.write_bytes(mutant(chance, seeds[kind]))
        taken = place.run_or_not()
        rows, refused = rows + (taken or 0), refused + (taken is None)
        path.unlink()
        if number % 50 == 49:
            assert place.check_whole() == rows
    assert count / 10 < refused < count
    write_csv(place.folder / "tax_month.csv", ROWS)
    assert place.run() == len(ROWS)
