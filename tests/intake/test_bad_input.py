"""Whatever a source sends or a disk refuses: is nothing half taken, and does the next run go on?"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from saferoom.core.source import Encoding
from saferoom.errors import BadInput, Unavailable
from saferoom.vault import facts, ingestion
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Counts, Ingestion
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from tests import factories as make
from tests.intake.taking import DECLARED, source_of
from tests.intake.test_parquet_files import typed
from tests.intake.workbooks import usual, workbook
from tests.intake.zygote import Zygote
from tests.vault.room import CODES, tax_month, write_csv

TABLE = DECLARED.tables["tax_month"]
ROWS = [tax_month(code, month, "5") for code in CODES for month in range(1, 13)]


Rows = list[dict[str, object]]
Write = Callable[[Path, Rows], None]


def parquet(path: Path, rows: Rows) -> None:
    pq.write_table(typed(rows), path.with_suffix(".parquet"), compression="zstd")


def excel(path: Path, rows: Rows) -> None:
    lines: list[list[object]] = [[*rows[0]], *(list(row.values()) for row in rows)]
    path.with_suffix(".xlsx").write_bytes(workbook(lines))


WRITERS: tuple[Write, ...] = (write_csv, parquet, excel)


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
        others = [replace(one, path=f"*.{end}") for one in only for end in ("parquet", "xlsx")]
        self.source = replace(source, tables=(*only, *others))

    def counts(self) -> Counts:
        run = Ingestion(self.store, DECLARED.tables, self._sealing, make.NOW)
        return run.run(self.source, self.folder)

    def run(self) -> int:
        return self.counts().rows

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


def zeros_in_excel(path: Path) -> None:
    """Write 10 GB of zeros in 10 MB: whole blocks of a stream, one after the other."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = stream.compress(bytes(2**20)) + stream.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path.with_suffix(".xlsx"), "w") as file:
        for name, data in usual().items():
            file.writestr(name, data)
        part = zipfile.ZipInfo("xl/worksheets/sheet1.xml")
        file.writestr(part, block * 10_240 + stream.flush())
        part.compress_type, part.file_size = zipfile.ZIP_DEFLATED, 10_240 * 2**20


@pytest.mark.parametrize("flood", [flood_of_rows, flood_in_cells, zeros, zeros_in_excel])
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


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("size", [0, 500, 3_000])
def test_a_disk_that_takes_no_more_leaves_all_or_nothing(
    place: Place, size: int, write: Write
) -> None:
    write(place.folder / "tax_month.csv", ROWS[:48])
    assert place.run() == 48
    write(place.folder / "tax_month_2.csv", ROWS[48:])
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


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_of_file_is_read_behind_the_walls(place: Place, write: Write) -> None:
    write(place.folder / "tax_month.csv", ROWS)
    assert place.run() == place.check_whole() == len(ROWS)
    assert place.run() == 0


ONE = ROWS[0]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"record_id": ONE["record_id"], "known_at": ONE["known_at"]}, "record_id", "duplicate"),
        ({"event_date": "2026-11-30", "period": "2026-11"}, "event_date", "future"),
        ({"known_at": "2026-11-20T10:52:00Z"}, "known_at", "future"),
        ({"sales": "nan"}, "sales", "number"),
        ({"sales": "inf"}, "sales", "number"),
        ({"sales": "-inf"}, "sales", "number"),
        ({"sales": "-1"}, "sales", "range"),
        ({"sales": ""}, "sales", "empty"),
        ({"uscc": "91990000900000014X"}, "uscc", "uscc"),
        ({"record_id": "a\tb"}, "record_id", "text"),
    ],
)
def test_a_bad_row_waits_outside_whatever_brings_it_and_mended_it_comes_in(
    place: Place, write: Write, changes: dict[str, object], column: str, reason: str
) -> None:
    write(place.folder / "tax_month.csv", [ONE, ROWS[1] | changes, ROWS[2]])
    findings = place.counts().tables[TABLE.name]["findings"]
    assert findings == [[2, column, reason]]
    assert place.check_whole() == 2
    write(place.folder / "tax_month_2.csv", [ROWS[1]])
    assert place.run() == 1
    assert place.check_whole() == 3


@pytest.mark.parametrize("write", WRITERS)
def test_a_column_renamed_upstream_is_refused_and_the_next_run_goes_on(
    place: Place, write: Write
) -> None:
    renamed = [{("turnover" if k == "sales" else k): v for k, v in row.items()} for row in ROWS]
    write(place.folder / "tax_month.csv", renamed)
    with pytest.raises(BadInput, match="headings of tax_month: 2 differ"):
        place.run()
    assert place.check_whole() == 0
    write(place.folder / "tax_month.csv", ROWS)
    assert place.run() == place.check_whole() == len(ROWS)


@pytest.mark.parametrize("write", [parquet, excel])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_half_of_a_packed_file_is_none_and_the_whole_one_comes_in(
    place: Place, write: Write, part: float
) -> None:
    write(place.folder / "tax_month.csv", ROWS)
    (path,) = place.folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(BadInput, match="cannot be read as"):
        place.run()
    assert place.check_whole() == 0
    path.write_bytes(whole)
    assert place.run() == place.check_whole() == len(ROWS)


def test_the_last_row_of_half_a_csv_file_waits_outside(place: Place) -> None:
    path = place.folder / "tax_month.csv"
    write_csv(path, ROWS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]) + lines[10][:40])
    findings = place.counts().tables[TABLE.name]["findings"]
    assert findings == [[10, "", "ragged"]]
    assert place.check_whole() == 9


def test_a_file_in_another_encoding_waits_outside_row_by_row(place: Place) -> None:
    rows = [row | {"record_id": f"增值税-{place}"} for place, row in enumerate(ROWS[:3])]
    write_csv(place.folder / "tax_month.csv", rows, "gbk")
    place.source = replace(place.source, encoding=Encoding.UTF_8)
    findings = place.counts().tables[TABLE.name]["findings"]
    assert findings == [[row, "record_id", "encoding"] for row in (1, 2, 3)]
    assert place.check_whole() == 0
    place.source = replace(place.source, encoding=Encoding.GBK)
    (place.folder / "tax_month.csv").rename(place.folder / "tax_month_2.csv")
    assert place.run() == 0  # these bytes were seen; under another declaration they are sent anew
    write_csv(place.folder / "tax_month_3.csv", [*rows, ROWS[4]], "gbk")
    assert place.run() == place.check_whole() == 4
