"""Do ten thousand broken files and replies end intake or the vault, or come in by half?

Each mutant goes the whole way: intake's walls, readers and checks, the vault's channel and store.
It is taken or refused as what is no file or reply of this source; an intake that ends, or stands
still, fails the test. Again and again a fresh start counts what is there.
"""

from __future__ import annotations

import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no stubs are published
import pytest

from saferoom.core.source import Encoding, SourceManifest
from saferoom.errors import SaferoomError
from saferoom.vault import ingestion
from tests.intake.fetching import Room, connection, filing, manifest, resource
from tests.intake.service import Request, reply, serving
from tests.intake.taking import DECLARED, source_of
from tests.intake.test_databases import manifest as database_manifest
from tests.intake.test_parquet_files import typed
from tests.intake.warm import Warm
from tests.intake.workbooks import packed, workbook
from tests.vault.room import CODES, tax_month, write_csv

TOGETHER = 100  # mutants into one store, so that its manifest stays short
ROWS = [
    tax_month(code, month, "5", record_id=f"增值税-{month}") for code in CODES for month in (1, 2)
]
DIED = {"intake ended before the file did", "intake stood still"}
DIRT = (
    *(b'"', b"\n", b"\0", b",", b"\xff\xfe", b"\r", b"9" * 30, b"{", b"]", b"\\u", b":", b"null"),
    *(b"NaN", b"-Infinity", b"1e999", b"<", b"&", b"\xe5", b"\x81"),
)
Chance = random.Random


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
                changed[at:at] = chance.choice(DIRT)
            case 3:
                changed[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            case _:
                changed[at:at] = changed[at : at + chance.choice((1, 50, 1_000))]
    return bytes(changed)


def csv_file(chance: Chance, folder: Path, seed: bytes) -> None:
    (folder / "tax_month.csv").write_bytes(mutant(chance, seed))


def parquet_file(chance: Chance, folder: Path, seed: bytes) -> None:
    (folder / "tax_month.parquet").write_bytes(mutant(chance, seed))


def excel_file(chance: Chance, folder: Path, seed: bytes) -> None:
    """Change the bytes of the file, or of a part, and pack it again."""
    if chance.random() < 0.3:
        seed = mutant(chance, seed)
    else:
        with zipfile.ZipFile(io.BytesIO(seed)) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        part = chance.choice(sorted(parts))
        seed = packed(parts | {part: mutant(chance, parts[part])})
    (folder / "tax_month.xlsx").write_bytes(seed)


class Fuzz:
    """A vault's store and sources that send mutants."""

    def __init__(self, folder: Path, chance: Chance, warm: Warm, inbox: Path) -> None:
        self._folder, self._chance, self._warm, self._inbox = folder, chance, warm, inbox
        self._number = 0
        self.room = self._fresh()
        self.rows = self.taken = self.refused = 0

    def run(self, source: SourceManifest, place: object = None) -> None:
        """Take a mutant, or see it refused; then count, now and then."""
        self._number += 1
        source = replace(source, name=f"tax-{self._number}")  # whose marks are its own
        try:
            counts = self.room.run(source, place, self._inbox)  # type: ignore[arg-type]
        except SaferoomError as error:
            check_refused(error)
            self.refused += 1
        else:
            self.rows, self.taken = self.rows + counts.rows, self.taken + 1
        for path in self._inbox.iterdir():
            path.unlink()
        if self._number % TOGETHER == 0:
            self.check()

    def check(self) -> None:
        """Compare what was told with what a fresh start finds, and begin anew."""
        assert len(self.room.taken()) == self.rows
        self.rows, self.room = 0, self._fresh()

    def _fresh(self) -> Room:
        folder = self._folder / f"room-{self._number}"
        folder.mkdir()
        return Room(folder)


def check_refused(error: SaferoomError) -> None:
    assert error.code in {"SOURCE_MALFORMED", "SOURCE_UNAVAILABLE"}
    assert error.detail not in DIED


@pytest.fixture
def fuzz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fuzz]:
    inbox = tmp_path / "in"
    inbox.mkdir()
    warm = Warm(inbox)
    monkeypatch.setattr(ingestion, "_intake_process", warm.lent)
    monkeypatch.setattr(ingestion, "calling", warm.calling)
    yield Fuzz(tmp_path, random.Random(20_261_120), warm, inbox)
    warm.close()


COUNTS = [pytest.param(25), pytest.param(1_250, marks=[pytest.mark.long])]


def seed_of(tmp_path: Path, kind: str) -> bytes:
    path = tmp_path / "seed"
    match kind:
        case "utf-8" | "gbk":
            write_csv(path, ROWS, kind)
        case "parquet":
            pq.write_table(typed(ROWS), path, compression="none", use_dictionary=False)
        case "packed parquet":
            pq.write_table(typed(ROWS), path, compression="zstd", row_group_size=7)
        case "excel":
            return workbook([list(ROWS[0]), *(list(row.values()) for row in ROWS)])
    return path.read_bytes()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("kind", "write"),
    [
        ("utf-8", csv_file),
        ("gbk", csv_file),
        ("parquet", parquet_file),
        ("packed parquet", parquet_file),
        ("excel", excel_file),
    ],
)
def test_no_broken_file_comes_in_by_half_or_ends_anything(
    fuzz: Fuzz,
    tmp_path: Path,
    kind: str,
    write: Callable[[Chance, Path, bytes], None],
    count: int,
) -> None:
    seed, chance, inbox = seed_of(tmp_path, kind), random.Random(kind), tmp_path / "in"
    encoding = Encoding.GBK if kind == "gbk" else Encoding.UTF_8
    one = source_of("tax_month")
    tables = tuple(replace(one, path=f"*.{end}") for end in ("csv", "parquet", "xlsx"))
    source = replace(DECLARED.sources["tax"], tables=tables, encoding=encoding)
    for _ in range(count):
        write(chance, inbox, seed)
        fuzz.run(source)
    told(fuzz, kind, count)


def told(fuzz: Fuzz, kind: str, count: int) -> None:
    fuzz.check()
    print(f"{kind}: {count} mutants, {fuzz.taken} taken, {fuzz.refused} refused")
    assert fuzz.taken + fuzz.refused == count
    assert fuzz.refused > count / 50
    assert fuzz.taken > count / 50 or kind == "packed parquet"  # hardly one of them can be unpacked


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_no_broken_reply_comes_in_by_half_or_ends_anything(
    fuzz: Fuzz, tmp_path: Path, kind: str, count: int
) -> None:
    rows = [filing(number) for number in range(1, 9)]
    lines = [",".join(rows[0])]
    lines += [",".join("" if one is None else str(one) for one in row.values()) for row in rows]
    body = "\n".join(lines) if kind == "csv" else json.dumps({"data": rows, "next": None})
    media = "text/csv" if kind == "csv" else "application/json"
    chance = random.Random(kind)

    def answer(request: Request) -> Iterator[bytes]:
        if "cursor" in request.query:  # a mutant may name a page more: that is the last
            yield reply(b'{"data":[],"next":null}')
        elif chance.random() < 0.7:
            yield reply(mutant(chance, body.encode()), media)
        else:
            yield mutant(chance, reply(body.encode(), media))

    style = "csv" if kind == "csv" else "cursor"
    source = manifest(resource(style, since="since"))
    with serving(tmp_path, answer) as server:
        for _ in range(count):
            fuzz.run(source, connection(server.address))
    told(fuzz, kind, count)


VALUES = (
    *(None, "", "x", b"\xff\0", 10**18, -(2**63), 1e308, float("inf"), -1.5, 0, "9" * 5_000),
    *(
        "2026-13-45",
        "9999-12-31",
        "\0",
        "\ufffd",
        "\U0001f600",
        "true",
        "nan",
        "1e999",
        "1970-01-01",
    ),
)


def broken_database(chance: Chance, path: Path) -> None:
    """Write filings, some cells as a dynamic database lets anything stand; or break its file."""
    path.unlink(missing_ok=True)
    names = ["serial", "changed", *list(filing(1))[2:]]
    with closing(sqlite3.connect(path)) as database, database:
        columns = ", ".join(f'"{name}"' for name in names)
        database.execute(f"CREATE TABLE filings ({columns})")
        marks = ", ".join("?" * len(names))
        for serial in range(1, 9):
            row = [filing(serial)[name] for name in names]
            for _ in range(chance.choice((0, 0, 1, 3))):
                row[chance.randrange(len(row))] = chance.choice(VALUES)
            database.execute(f"INSERT INTO filings VALUES ({marks})", row)
        if chance.random() < 0.1:
            database.execute(f"ALTER TABLE filings RENAME COLUMN {chance.choice(names)} TO other")
        if chance.random() < 0.1:
            text = f"UPDATE filings SET {chance.choice(names)} = CAST(x'ff' AS TEXT)"
            database.execute(text)
    if chance.random() < 0.3:
        path.write_bytes(mutant(chance, path.read_bytes()))


@pytest.mark.parametrize("count", COUNTS)
def test_no_broken_database_comes_in_by_half_or_ends_anything(
    fuzz: Fuzz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(ingestion, "_intake_process", fuzz._warm.database)
    path, chance = tmp_path / "theirs.db", random.Random("sql")
    for _ in range(count):
        broken_database(chance, path)
        fuzz.run(database_manifest(), f"sqlite:///{path}")
    told(fuzz, "sql", count)
