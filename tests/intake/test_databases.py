"""Is a source's database read on from where the last run ended, whatever happens to it?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.facts import CellType
from saferoom.core.source import SourceManifest, check_source
from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.intake.sql_cells import as_cells, read_mark, write_mark
from saferoom.vault import ingestion
from saferoom.vault.connections import read_address
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Counts, Ingestion
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from tests import factories as make
from tests.intake.taking import DECLARED
from tests.vault.room import CODES

TABLE = DECLARED.tables["tax_month"]
METADATA = sa.MetaData()
FILINGS = sa.Table(
    "filings",
    METADATA,
    sa.Column("serial", sa.Integer),
    sa.Column("changed", sa.DateTime(timezone=True)),
    sa.Column("src_org", sa.Text),
    sa.Column("batch_id", sa.Text),
    sa.Column("uscc", sa.Text),
    sa.Column("record_id", sa.Text),
    sa.Column("event_date", sa.Date),
    sa.Column("known_at", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("period", sa.Text),
    sa.Column("sales", sa.Numeric(18, 2)),
    sa.Column("vat", sa.Float),
    sa.Column("cit", sa.Float),
    sa.Column("due", sa.Date),
    sa.Column("filed_at", sa.Date),
    sa.Column("paid_at", sa.Date),
)
MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def manifest() -> SourceManifest:
    source = DECLARED.sources["tax"]
    one = next(table for table in source.tables if table.table == TABLE.name)
    relation = replace(
        one,
        path=None,
        relation="filings",
        watermark=("changed", "serial"),
        ignore=(*one.ignore, "changed", "serial"),
    )
    return replace(source, tables=(relation,))


def filing(serial: int, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "serial": serial,
        "changed": MOMENT,  # the same for many: only the serial tells them apart
        "uscc": CODES[serial % len(CODES)],
        "record_id": f"T-{serial}",
        "event_date": date(2026, 9, 30),
        "known_at": "2026-10-12T01:30:00Z",
        "status": "valid",
        "period": "2026-09",
        "sales": Decimal("10.25"),
        "vat": 0.1 + 0.2,
        "due": date(2026, 10, 15),
    }
    return row | changes


@dataclass
class Bench:
    """A source's database and a vault's store."""

    engine: sa.Engine
    address: str
    store: FactStore
    run_once: Callable[[], Counts]

    def put(self, *rows: dict[str, object]) -> None:
        with self.engine.begin() as connection:
            connection.execute(FILINGS.insert(), list(rows))

    def execute(self, command: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(command)

    def taken(self) -> list[str]:
        every = [self.store.read(TABLE, bucket)["record_id"] for bucket in range(BUCKETS)]
        return sorted(one for some in every for one in some.to_pylist())


@pytest.fixture(params=["sqlite", "postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    address = f"sqlite:///{tmp_path}/theirs.db"
    if request.param == "postgresql":
        address = request.getfixturevalue("postgresql_server")("postgres")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    METADATA.drop_all(engine)
    METADATA.create_all(engine)
    sealing = create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    store = FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))

    def run_once() -> Counts:
        run = Ingestion(store, DECLARED.tables, sealing, make.NOW)
        return run.run(manifest(), tmp_path, place=address)

    yield Bench(engine, address, store, run_once)
    METADATA.drop_all(engine)
    engine.dispose()


def test_each_run_takes_what_came_since_the_last(bench: Bench) -> None:
    bench.put(*(filing(number) for number in range(1, 6)))
    assert bench.run_once().rows == 5
    assert bench.run_once().rows == 0
    assert len(bench.store.manifest.batches) == 1  # a run that found nothing leaves nothing
    bench.put(filing(6), filing(7, changed=MOMENT + timedelta(seconds=1)))  # 6 shares 5's moment
    assert bench.run_once().rows == 2
    assert bench.taken() == [f"T-{number}" for number in range(1, 8)]
    table = bench.store.read(TABLE, bench.store.keys.bucket_of(CODES[1]))
    assert set(table["sales"].to_pylist()) == {10.25}
    assert set(table["vat"].to_pylist()) == {0.1 + 0.2}


def test_dirty_rows_wait_outside_and_are_passed(bench: Bench) -> None:
    dirty = [filing(2, uscc="x"), filing(3, sales=-1), filing(4, event_date=date(2026, 9, 1))]
    bench.put(filing(1), *dirty, filing(5, record_id="T-1", uscc=CODES[1]), filing(6, vat=None))
    counts = bench.run_once()
    assert (counts.rows, counts.quarantined) == (1, 5)
    assert counts.tables[TABLE.name]["findings"] == [
        [2, "uscc", "uscc"],
        [3, "sales", "range"],
        [4, "event_date", "period"],
        [5, "record_id", "duplicate"],
        [6, "vat", "empty"],
    ]
    assert bench.run_once().quarantined == 0
    bench.put(filing(2, changed=MOMENT + timedelta(days=1)))  # mended at the source
    assert bench.run_once().rows == 1


def test_a_column_renamed_upstream_is_refused_and_later_runs_go_on(bench: Bench) -> None:
    bench.put(filing(1))
    bench.run_once()
    bench.put(filing(2))
    bench.execute("ALTER TABLE filings RENAME COLUMN sales TO turnover")
    with pytest.raises(BadInput, match="headings of tax_month: 2 differ"):
        bench.run_once()
    bench.execute("ALTER TABLE filings RENAME COLUMN turnover TO sales")
    assert bench.run_once().rows == 1
    assert bench.taken() == ["T-1", "T-2"]


def test_no_table_and_a_row_without_a_watermark_are_refused(bench: Bench) -> None:
    bench.put(filing(1))
    bench.run_once()
    bench.put(filing(2), filing(3, changed=None))
    with pytest.raises(BadInput, match="without a watermark"):
        bench.run_once()
    assert bench.taken() == ["T-1"]
    METADATA.drop_all(bench.engine)
    with pytest.raises(BadInput, match="the relation of tax_month"):
        bench.run_once()


DIE = """
import sys
from saferoom.intake import __main__ as intake, databases
import sqlalchemy as sa
databases.ROWS = 10
class Dying(databases.TableReading):
    def _piece(self, rows, first):
        if first > 20:
            {how}
        return super()._piece(rows, first)
databases.TableReading = Dying
sys.exit(intake.main())
"""


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("self._connection.connection.dbapi_connection.close()", "SOURCE_UNAVAILABLE"),
        ("raise sa.exc.OperationalError('secret', {}, Exception())", "SOURCE_UNAVAILABLE"),
        ("import os; os.kill(os.getpid(), 9)", "SOURCE_MALFORMED"),
    ],
)
def test_a_source_that_dies_midway_leaves_nothing_and_the_next_run_takes_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str, code: str
) -> None:
    bench.put(*(filing(number) for number in range(1, 51)))
    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "PROGRAM", (sys.executable, "-I", "-c", DIE.format(how=how)))
        with pytest.raises(SaferoomError, match=code) as caught:
            bench.run_once()
    assert "secret" not in str(caught.value)
    assert bench.taken() == []
    assert bench.run_once().rows == 50
    assert len(set(bench.taken())) == 50


def test_intake_changes_nothing_at_the_source(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(filing(1))
    how = "self._connection.execute(sa.text('DELETE FROM filings')); self._connection.commit()"
    program = DIE.format(how=how).replace("first > 20", "True")
    monkeypatch.setattr(ingestion, "PROGRAM", (sys.executable, "-I", "-c", program))
    with pytest.raises(Unavailable, match="SOURCE_UNAVAILABLE"):
        bench.run_once()
    with bench.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(FILINGS)) == 1


def test_an_address_that_leads_nowhere_is_unavailable(tmp_path: Path) -> None:
    sealing = create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    store = FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))
    for address in ("postgresql+psycopg://127.0.0.1:1/x", "nothing://x", "sqlite:////no/where.db"):
        run = Ingestion(store, DECLARED.tables, sealing, make.NOW)
        with pytest.raises(Unavailable, match="SOURCE_UNAVAILABLE"):
            run.run(manifest(), tmp_path, place=address)


def test_the_manifest_of_a_database_passes_the_one_check() -> None:
    check_source(manifest(), DECLARED.tables)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "x*.csv"},
        {"relation": None},
        {"relation": "filings; drop"},
        {"relation": "a.b.c"},
        {"watermark": ()},
        {"watermark": ("unknown",)},
        {"watermark": ("changed", "changed")},
    ],
)
def test_a_relation_is_declared_whole(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        replace(manifest().tables[0], **changes)  # type: ignore[arg-type]


def test_files_and_relations_are_not_one_source() -> None:
    with pytest.raises(BadInput, match="tables"):
        replace(manifest(), tables=(*manifest().tables, DECLARED.sources["tax"].tables[1]))


MARKS = st.one_of(
    st.integers(), st.text(), st.dates(), st.datetimes(), st.datetimes(timezones=st.just(UTC))
) | st.decimals(allow_nan=False, allow_infinity=False)


@given(marks=st.lists(MARKS, min_size=1, max_size=3))
def test_a_mark_is_read_as_it_was_written(marks: list[object]) -> None:
    assert read_mark(write_mark(marks)) == marks


@pytest.mark.parametrize("mark", [b"x", 1.5, True, [1]])
def test_what_cannot_be_compared_for_certain_is_no_mark(mark: object) -> None:
    with pytest.raises(BadInput, match="type of a watermark"):
        write_mark([mark])


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        (CellType.TEXT, None, b""),
        (CellType.WHOLE, Decimal("5.00"), b"5"),
        (CellType.WHOLE, Decimal("5.5"), b"5.5"),
        (CellType.WHOLE, Decimal("1E+131071"), b"1E+131071"),
        (CellType.WHOLE, Decimal("NaN"), b"NaN"),
        (CellType.WHOLE, Decimal("sNaN"), b"sNaN"),
        (CellType.INSTANT, datetime.max.replace(tzinfo=UTC), b"\0"),
        (CellType.INSTANT, datetime.min.replace(tzinfo=timezone(timedelta(hours=8))), b"\0"),
        (CellType.NUMBER, Decimal("Infinity"), float("inf")),
        (CellType.NUMBER, 10**400, float("inf")),
        (CellType.NUMBER, "1", b"1"),
        (CellType.NUMBER, True, b"true"),
        (CellType.FLAG, False, b"false"),
        (CellType.YEAR, 2026, b"2026"),
        (CellType.DAY, date(2026, 1, 2), b"2026-01-02"),
        (CellType.DAY, datetime(2026, 1, 2, tzinfo=UTC), b"\0"),
        (CellType.INSTANT, datetime(2026, 1, 2, 3, 4, 5, 1, UTC), b"2026-01-02T03:04:06Z"),
        (CellType.INSTANT, datetime(2026, 1, 2), b"\0"),  # noqa: DTZ001  # of no zone
        (CellType.INSTANT, date(2026, 1, 2), b"2026-01-02"),
        (CellType.TEXT, b"bytes", b"\0"),
        (CellType.TEXT, "\ud800", b"?"),
    ],
)
def test_a_value_becomes_the_cell_that_a_file_would_hold(
    kind: CellType, value: object, cell: object
) -> None:
    assert as_cells(kind, [value]).to_pylist() == [cell]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700])
def test_an_address_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tax"
    path.write_text("sqlite:///x\n", encoding="utf-8")
    path.chmod(0o600)
    assert read_address(tmp_path, "tax") == "sqlite:///x"
    path.chmod(mode)
    with pytest.raises(BadInput, match="CONNECTION_FILE"):
        read_address(tmp_path, "tax")


def test_a_missing_linked_or_empty_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "binary").write_bytes(b"\xff://")
    (tmp_path / "binary").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("missing", "empty", "binary", "link"):
        with pytest.raises(BadInput, match="CONNECTION_FILE"):
            read_address(tmp_path, name)
