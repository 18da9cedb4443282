"""Does a Parquet file say what the same rows say as CSV, and what of a hostile one?"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from saferoom.errors import BadInput
from saferoom.intake import parquet_files
from saferoom.intake.parquet_files import read_parquet
from saferoom.intake.reading import Finding, Reading
from tests.intake.taking import DECLARED, Rows, source_of, take, take_csv
from tests.vault.room import CODES, tax_month, util_month, write_csv

TAX, POWER = "tax_month", "util_month"
DAYS = {"event_date", "due", "filed_at", "paid_at"}
NUMBERS = {"sales", "vat", "cit", "usage", "bill"}
Change = Callable[[pa.Table], pa.Table]


def typed(rows: list[dict[str, object]]) -> pa.Table:
    """Type what a CSV file would hold as text."""
    columns: dict[str, pa.Array] = {}
    for name in rows[0]:
        cells: list[Any] = [None if row[name] == "" else str(row[name]) for row in rows]
        if name in DAYS:
            columns[name] = pa.array(
                [one and date.fromisoformat(one) for one in cells], pa.date32()
            )
        elif name in NUMBERS:
            columns[name] = pa.array([one and float(one) for one in cells], pa.float64())
        elif name == "known_at":
            moments = [datetime.fromisoformat(one) for one in cells]
            columns[name] = pa.array(moments, pa.timestamp("us", "Asia/Shanghai"))
        elif name == "cutoff":
            columns[name] = pa.array([one and one == "true" for one in cells], pa.bool_())
        else:
            columns[name] = pa.array(cells, pa.string())
    return pa.table(columns)


def read(table: pa.Table, name: str = TAX, **options: object) -> tuple[Rows, Reading]:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return take(
        DECLARED.tables[name],
        read_parquet(file, source=source_of(name), table=DECLARED.tables[name]),
    )


def put(name: str, cells: pa.Array) -> Change:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, cells)


@pytest.mark.parametrize(("name", "row"), [(TAX, tax_month), (POWER, util_month)])
def test_typed_rows_are_taken_as_the_same_rows_of_a_csv_file(
    tmp_path: Path, name: str, row: Callable[..., dict[str, object]]
) -> None:
    rows = [row(code, month, month / 4) for code in CODES for month in range(1, 30)]
    write_csv(tmp_path / "x.csv", rows)
    from_csv = take_csv(tmp_path / "x.csv", source=source_of(name), table=DECLARED.tables[name])
    for options in ({}, {"row_group_size": 7}, {"compression": "zstd", "use_dictionary": False}):
        assert read(typed(rows), name, **options) == from_csv


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("sales", pa.array([math.nan]), "number"),
        ("sales", pa.array([math.inf]), "number"),
        ("sales", pa.array([-1.0]), "range"),
        ("sales", pa.array([None], pa.float64()), "empty"),
        ("event_date", pa.array([date(2026, 12, 31)]), "future"),
        ("event_date", pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), "day"),
        ("known_at", pa.array([datetime(2026, 11, 20, 10, 51, 0, 1, UTC)]), "future"),
        ("known_at", pa.array([-(2**62)], pa.timestamp("us", "UTC")), "instant"),
        ("uscc", pa.array(["91990000900000014X"]), "uscc"),
        ("status", pa.array(["gone"]), "choice"),
    ],
)
def test_dirty_cells_wait_outside(name: str, cells: pa.Array, reason: str) -> None:
    rows, reading = read(put(name, cells)(typed([tax_month(CODES[0], 1, "1")])))
    assert rows == []
    assert reading.findings == [Finding(1, name, reason)]


def test_a_number_is_taken_to_its_last_bit() -> None:
    table = put("sales", pa.array([0.1 + 0.2]))(typed([tax_month(CODES[0], 1, "1")]))
    rows, _ = read(table)
    assert 0.1 + 0.2 in rows[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.rename_columns([f"{one}_" for one in table.column_names]),
        lambda table: table.drop_columns("cit"),
        lambda table: table.append_column("new", pa.array(["x"])),
        put("sales", pa.array(["1"])),
        put("event_date", pa.array(["2026-10-31"])),
        put("known_at", pa.array([datetime(2026, 11, 12, 1, 30)])),  # noqa: DTZ001  # of no zone
        put("uscc", pa.array([[1]])),
        put("uscc", pa.array([b"x"])),
    ],
)
def test_other_columns_or_types_are_refused_whole(change: Change) -> None:
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        read(change(typed([tax_month(CODES[0], 1, "1")])))


def test_a_flood_in_a_small_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "ALWAYS", 2**20)
    one = typed([tax_month(CODES[0], 1, "1")])
    many = one.take(pa.array(np.zeros(200_000, np.int64)))
    with pytest.raises(BadInput, match="unpacks to over"):
        read(many, compression="zstd")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 9, b"\0" * 5_000, b"uscc,sales\n1,2\n"])
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        list(read_parquet(io.BytesIO(data), source=source_of(TAX), table=DECLARED.tables[TAX]))
