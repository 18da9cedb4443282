"""Does every kind of source keep the same promises? The one check that a new kind has to pass.

A kind is a place where a source keeps rows, and a way in which it dies in the middle. What the
vault makes of it is the same for all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # no stubs are published
import pytest

from saferoom.core.source import SourceManifest, check_source
from saferoom.errors import SaferoomError
from saferoom.vault import ingestion
from saferoom.vault.connections import Place
from tests.intake.fetching import TABLE, Room, connection, filing, manifest, resource
from tests.intake.service import Request, head, reply, serving
from tests.intake.taking import DECLARED
from tests.intake.test_databases import manifest as database_manifest
from tests.intake.test_parquet_files import typed
from tests.intake.workbooks import workbook
from tests.intake.zygote import Zygote
from tests.vault.room import write_csv

Rows = list[dict[str, object]]
Put = Callable[[Rows], None]


@dataclass
class Kind:
    """One kind of source, where it is, and how rows get there."""

    source: SourceManifest
    put: Put
    cut: Put  # the same rows, but it dies before their end
    place: Place = None


def file_kind(folder: Path, end: str, write: Callable[[Path, Rows], None]) -> Kind:
    """Put each state of a table into a file of its own, as offices do: only new rows."""
    source = DECLARED.sources["tax"]
    one = next(table for table in source.tables if table.table == TABLE.name)
    table = replace(one, path=f"tax_month*.{end}", ignore=(*one.ignore, "changed", "serial"))
    seen: set[object] = set()

    def put(rows: Rows) -> None:
        path = folder / f"tax_month_{len(seen)}.{end}"
        write(path, [row for row in rows if row["record_id"] not in seen])
        seen.update(row["record_id"] for row in rows if "sales" in row)

    def cut(rows: Rows) -> None:
        path = folder / f"tax_month_{len(seen)}.{end}"
        write(path, [row for row in rows if row["record_id"] not in seen])
        data = path.read_bytes()
        if end == "csv":  # where a row breaks off says nothing of the others; a quote does
            data += b'"'
        path.write_bytes(data if end == "csv" else data[: len(data) // 2])

    return Kind(replace(source, tables=(table,)), put, cut)


def csv_write(path: Path, rows: Rows) -> None:
    write_csv(path, [{k: "" if v is None else v for k, v in row.items()} for row in rows])


def parquet_write(path: Path, rows: Rows) -> None:
    pq.write_table(
        typed([{k: "" if v is None else v for k, v in row.items()} for row in rows]), path
    )


def excel_write(path: Path, rows: Rows) -> None:
    path.write_bytes(workbook([[*rows[0]], *([*row.values()] for row in rows)]))


def database_kind(folder: Path) -> Kind:
    path = folder / "theirs.db"

    def put(rows: Rows) -> None:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database, database:
            columns = ", ".join(f'"{name}"' for name in rows[0])
            database.execute(f"CREATE TABLE filings ({columns})")
            marks = ", ".join("?" * len(rows[0]))
            database.executemany(
                f"INSERT INTO filings VALUES ({marks})", [[*row.values()] for row in rows]
            )

    def cut(rows: Rows) -> None:
        put([row | {"src_org": "x" * 3_000} for row in rows])
        data = bytearray(path.read_bytes())
        data[-8_192:] = b"\xff" * 8_192  # its last pages are gone
        path.write_bytes(data)

    return Kind(database_manifest(), put, cut, f"sqlite:///{path}")


@dataclass
class Service:
    """Pages of four, until it dies."""

    rows: Rows
    dies: bool = False

    def __call__(self, request: Request) -> bytes | Iterator[bytes]:
        place = int(request.query.get("cursor", "0"))
        rows = [row for row in self.rows if str(row["changed"]) >= request.query.get("since", "")]
        if self.dies and place:
            return iter([head(200, {"Content-Type": "application/json", "Content-Length": "9"})])
        more = place + 4 if place + 4 < len(rows) else None
        return reply(json.dumps({"data": rows[place : place + 4], "next": more}).encode())


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


@pytest.fixture(params=["csv", "parquet", "excel", "database", "service"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    folder = tmp_path / "in"
    folder.mkdir()
    if request.param == "service":
        service = Service([])

        def put(rows: Rows, *, dies: bool = False) -> None:
            service.rows, service.dies = rows, dies

        with serving(tmp_path, service) as server:
            source = manifest(resource("cursor", since="since"))
            yield Kind(source, put, lambda rows: put(rows, dies=True), connection(server.address))
        return
    kinds: dict[str, Callable[[], Kind]] = {
        "csv": lambda: file_kind(folder, "csv", csv_write),
        "parquet": lambda: file_kind(folder, "parquet", parquet_write),
        "excel": lambda: file_kind(folder, "xlsx", excel_write),
        "database": lambda: database_kind(folder),
    }
    yield kinds[request.param]()


Run = Callable[[Kind], tuple[int, object]]


@pytest.fixture
def room(tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(ingestion, "_intake_process", zygote.lent)
    monkeypatch.setattr(ingestion, "calling", zygote.calling)
    (tmp_path / "room").mkdir()
    return Room(tmp_path / "room")


@pytest.fixture
def run(room: Room, tmp_path: Path) -> Run:
    def once(kind: Kind) -> tuple[int, object]:
        counts = room.run(kind.source, kind.place, tmp_path / "in")
        return counts.rows, counts.tables.get(TABLE.name, {}).get("findings", [])

    return once


def rows_to(last: int) -> Rows:
    return [filing(number, changed=f"2026-11-{number:02}") for number in range(1, last + 1)]


def names(last: int) -> list[str]:
    return sorted(f"T-{number}" for number in range(1, last + 1))


def test_its_manifest_passes_the_one_check(kind: Kind) -> None:
    check_source(kind.source, DECLARED.tables)
    assert SourceManifest.from_body(kind.source.to_body()) == kind.source


def test_each_row_comes_in_once(kind: Kind, run: Run, room: Room) -> None:
    kind.put(rows_to(10))
    assert run(kind) == (10, [])
    assert run(kind)[0] == 0
    kind.put(rows_to(13))
    assert run(kind) == (3, [])
    assert room.taken() == names(13)


def test_a_dirty_row_waits_outside_with_its_number_and_the_others_come_in(
    kind: Kind, run: Run, room: Room
) -> None:
    rows = rows_to(4)
    rows[1]["known_at"] = "2027-01-01T00:00:00Z"
    rows[2]["sales"] = -1
    kind.put(rows)
    assert run(kind) == (2, [[2, "known_at", "future"], [3, "sales", "range"]])
    assert room.taken() == ["T-1", "T-4"]


def test_a_renamed_column_refuses_the_run_and_the_next_goes_on(
    kind: Kind, run: Run, room: Room
) -> None:
    kind.put(rows_to(3))
    run(kind)
    renamed = [{("turnover" if k == "sales" else k): v for k, v in r.items()} for r in rows_to(6)]
    kind.put(renamed)
    with pytest.raises(SaferoomError, match="headings of tax_month: 2 differ"):
        run(kind)
    assert room.taken() == names(3)
    kind.put(rows_to(6))
    assert run(kind)[0] == 3
    assert room.taken() == names(6)


def test_one_that_dies_midway_leaves_nothing_and_the_next_run_takes_all(
    kind: Kind, run: Run, room: Room
) -> None:
    kind.put(rows_to(3))
    run(kind)
    kind.cut(rows_to(20))
    with pytest.raises(SaferoomError, match="SOURCE_"):
        run(kind)
    assert room.taken() == names(3)
    kind.put(rows_to(20))
    assert run(kind)[0] == 17
    assert room.taken() == names(20)
