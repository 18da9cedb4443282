"""What does intake take, what does it leave outside, and what does it refuse whole?"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.core.facts import CellType, Column
from saferoom.core.source import Encoding
from saferoom.core.views import Level
from saferoom.errors import BadInput
from saferoom.intake import lines, reading
from saferoom.intake.batches import encode
from saferoom.intake.cells import Dirty, Value, reader_for
from saferoom.intake.columns import Typed, empty_value
from saferoom.intake.files import find_files, opened, opened_file
from saferoom.intake.reading import Reading
from saferoom.vault.batches import decode
from saferoom.vault.declarations import content_folder
from tests import factories as make
from tests.intake.taking import DECLARED, Rows, as_rows, source_of, take_csv
from tests.vault.room import CODES, reg_base, tax_month, write_csv

TABLE = DECLARED.tables["tax_month"]
ONE = CODES[0]


def read(path: Path, encoding: Encoding = Encoding.UTF_8) -> tuple[Rows, Reading]:
    return take_csv(path, source=source_of("tax_month"), table=TABLE, encoding=encoding)


def one_row(tmp_path: Path, **changes: object) -> tuple[Rows, Reading]:
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, 1, "100.5") | changes])
    return read(path)


def test_a_clean_row_is_typed(tmp_path: Path) -> None:
    rows, reading = one_row(tmp_path)
    names = [column.name for column in TABLE.all_columns]
    row = dict(zip(names, rows[0], strict=True))
    assert row["uscc"] == ONE
    assert row["event_date"] == 20757  # 2026-10-31
    assert row["known_at"] == 1_794_447_000
    assert row["period"] == 2026 * 12 + 9
    assert row["sales"] == 100.5
    assert row["cit"] is None
    assert row["status"] == "valid"
    assert (reading.rows, reading.quarantined) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"uscc": ONE[:-1] + "0"}, "uscc", "uscc"),
        ({"uscc": ONE[:16] + ONE[17] + ONE[16]}, "uscc", "uscc"),
        ({"uscc": ""}, "uscc", "empty"),
        ({"record_id": ""}, "record_id", "empty"),
        ({"record_id": "a\tb"}, "record_id", "text"),
        ({"record_id": "x" * 65}, "record_id", "text"),
        ({"sales": "nan"}, "sales", "number"),
        ({"sales": "inf"}, "sales", "number"),
        ({"sales": "-inf"}, "sales", "number"),
        ({"sales": "1e999"}, "sales", "number"),
        ({"sales": "1_000"}, "sales", "number"),
        ({"sales": "1,000"}, "sales", "number"),
        ({"sales": "=1+1"}, "sales", "number"),
        ({"sales": " 1"}, "sales", "number"),
        ({"sales": "１"}, "sales", "number"),
        ({"sales": "-1"}, "sales", "range"),
        ({"sales": ""}, "sales", "empty"),
        ({"status": "gone"}, "status", "choice"),
        ({"period": "2026-13"}, "period", "month"),
        ({"period": "2026-1"}, "period", "month"),
        ({"period": "2026-09"}, "event_date", "period"),
        ({"event_date": "2026-10-30"}, "event_date", "period"),
        ({"event_date": "2026-02-30"}, "event_date", "day"),
        ({"event_date": "31/10/2026"}, "event_date", "day"),
        ({"event_date": "0001-01-01"}, "event_date", "day"),
        ({"event_date": "2026-11-30", "period": "2026-11"}, "event_date", "future"),
        ({"known_at": "2026-11-20T10:51:01Z"}, "known_at", "future"),
        ({"known_at": "2026-11-21"}, "known_at", "future"),
        ({"known_at": "9999-12-31"}, "known_at", "future"),
        ({"known_at": "9999-12-31T23:59:59Z"}, "known_at", "future"),
        ({"known_at": "2026-11-12 01:30:00"}, "known_at", "instant"),
        ({"filed_at": "2026-11-21"}, "filed_at", "future"),
        ({"sales": "1\ufffd"}, "sales", "encoding"),
    ],
)
def test_a_dirty_row_waits_outside_with_its_number_and_reason(
    tmp_path: Path, changes: dict[str, object], column: str, reason: str
) -> None:
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, 2, "1"), tax_month(ONE, 1, "1") | changes])
    rows, reading = read(path)
    assert len(rows) == 1
    (finding,) = reading.findings
    assert (finding.row, finding.column, finding.reason) == (2, column, reason)
    assert reading.reasons == {reason: 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"due": "2027-01-15"},  # may lie ahead
        {"status": ""},
        {"known_at": "2026-11-20"},  # a day means its end
        {"known_at": "2026-11-20T10:51:00Z"},
        {"sales": "1e3"},
        {"sales": "0.10"},
        {"cit": "-5"},
    ],
)
def test_what_is_allowed_is_taken(tmp_path: Path, changes: dict[str, object]) -> None:
    _, reading = one_row(tmp_path, **changes)
    assert (reading.rows, reading.quarantined) == (1, 0)


def test_ragged_rows_wait_outside(tmp_path: Path) -> None:
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, 1, "1"), tax_month(ONE, 2, "1")])
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",x", lines[2], "a,b", ""]), encoding="utf-8")
    rows, reading = read(path)
    assert len(rows) == 1
    assert [(one.row, one.reason) for one in reading.findings] == [(1, "ragged"), (3, "ragged")]


def test_gbk_and_utf8_say_the_same(tmp_path: Path) -> None:
    table, home = DECLARED.tables["reg_base"], source_of("reg_base")
    taken: list[Rows] = []
    for encoding in Encoding:
        path = tmp_path / f"reg_base-{encoding}.csv"
        write_csv(path, [reg_base(ONE, name="永昌龘商贸")], str(encoding).replace("gbk", "gb18030"))
        taken.append(take_csv(path, source=home, table=table, encoding=encoding)[0])
    assert taken[0] == taken[1]
    assert "永昌龘商贸" in taken[0][0]


def test_a_wrong_encoding_never_passes_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, 1, "1", record_id="增值税一")], "gbk")
    rows, reading = read(path, Encoding.UTF_8)
    assert rows == []
    assert reading.reasons == {"encoding": 1}


def _rename(text: str) -> str:
    return text.replace("sales", "turnover", 1)


def _add(text: str) -> str:
    return "\n".join(line + ",new" for line in text.splitlines())


def _drop(text: str) -> str:
    return "\n".join(line.rsplit(",", 1)[0] for line in text.splitlines())


def _double(text: str) -> str:
    return text.replace("paid_at", "filed_at", 1)


def _unclosed(text: str) -> str:
    return text + '"open,\n1,2'


def _huge(text: str) -> str:
    return text + "9" * 5_000


@pytest.mark.parametrize(
    "break_it", [_rename, _add, _drop, _double, _unclosed, _huge, lambda _: ""]
)
def test_a_file_that_is_not_as_declared_is_refused_whole(
    tmp_path: Path, break_it: Callable[[str], str]
) -> None:
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, 1, "1")])
    path.write_text(break_it(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        read(path)


def test_findings_are_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FINDINGS", 3)
    monkeypatch.setattr(lines, "BLOCK", 200)
    path = tmp_path / "tax_month.csv"
    write_csv(path, [tax_month(ONE, month, "bad") for month in range(1, 9)])
    rows, found = read(path)
    assert rows == []
    assert (len(found.findings), found.quarantined) == (3, 8)


def test_a_link_out_of_the_folder_is_no_file_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("secret", encoding="utf-8")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "tax_month.csv").symlink_to(outside)
    (folder / "tax_month_2.csv").write_text("x", encoding="utf-8")
    os.mkfifo(folder / "tax_month_3.csv")
    with opened(folder) as held:
        names = ["tax_month.csv", "tax_month_2.csv", "tax_month_3.csv"]
        assert find_files(held, "tax_month*.csv") == names
        with opened_file(held, "tax_month_2.csv") as file:
            assert file.read() == b"x"
        for name in ("tax_month.csv", "tax_month_3.csv", "nowhere.csv"):
            with pytest.raises(BadInput, match="SOURCE_MALFORMED"), opened_file(held, name):
                pass
    (tmp_path / "link").symlink_to(folder)
    for name in ("nowhere", "link", "outside.csv"):
        with pytest.raises(BadInput, match="SOURCE_MALFORMED"), opened(tmp_path / name):
            pass


texts = st.text(max_size=12)
NUMBER = Column(name="x", type=CellType.NUMBER, level=Level.L1, optional=True)


@settings(max_examples=200)
@given(text=texts | st.floats().map(str) | st.integers().map(str))
def test_a_number_is_finite_or_dirty(text: str) -> None:
    try:
        value = reader_for(NUMBER, make.NOW)(text)
    except Dirty:
        return
    assert value is None if text == "" else math.isfinite(float(str(value)))


@settings(max_examples=200)
@given(
    text=texts | st.dates().map(str) | st.datetimes().map(lambda one: f"{one:%Y-%m-%dT%H:%M:%S}Z"),
    kind=st.sampled_from(CellType),
)
def test_no_cell_makes_a_reader_fall(text: str, kind: CellType) -> None:
    column = Column(name="x", type=kind, level=Level.L1)
    try:
        reader_for(column, make.NOW)(text)
    except Dirty:
        return


CELLS: dict[CellType, st.SearchStrategy[Value]] = {
    CellType.TEXT: st.none() | st.text(min_size=1, max_size=20),
    CellType.NUMBER: st.none() | st.floats(allow_nan=False, allow_infinity=False),
    CellType.DAY: st.none() | st.integers(-20_000, 60_000),
    CellType.MONTH: st.none() | st.integers(1900 * 12, 2100 * 12),
    CellType.YEAR: st.none() | st.integers(1900, 2100),
    CellType.WHOLE: st.none() | st.integers(-(10**15), 10**15),
    CellType.INSTANT: st.none() | st.integers(0, 2**40),
    CellType.FLAG: st.none() | st.integers(0, 1),
}


def typed(columns: Sequence[Column], values: Sequence[Sequence[Value]]) -> list[Typed]:
    return [
        pa.array(cells, pa.string())
        if column.type is CellType.TEXT
        else np.array([empty_value(column.type) if one is None else one for one in cells])
        for column, cells in zip(columns, values, strict=True)
    ]


@settings(max_examples=50, deadline=None)
@given(data=st.data(), rows=st.integers(1, 30))
def test_a_batch_reads_as_it_was_written(data: st.DataObject, rows: int) -> None:
    columns = DECLARED.tables["util_month"].all_columns
    values = [
        data.draw(st.lists(CELLS[column.type], min_size=rows, max_size=rows)) for column in columns
    ]
    table = DECLARED.tables["util_month"]
    batch = encode("util_month", columns, typed(columns, values))
    assert as_rows(decode(batch, table), table) == [list(row) for row in zip(*values, strict=True)]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_batch_is_refused_or_reads_as_typed_columns(data: st.DataObject) -> None:
    columns = TABLE.all_columns
    values: list[list[Value]] = [["text"] if c.type is CellType.TEXT else [1] for c in columns]
    batch = bytearray(encode("tax_month", columns, typed(columns, values)))
    at = data.draw(st.integers(0, len(batch) - 1))
    batch[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.sampled_from([len(batch), len(batch) - 1, 3, 0]))
    try:
        table = decode(bytes(batch[:cut]), TABLE)
    except BadInput:
        return
    table.validate(full=True)
    assert table.num_rows == 1


def test_the_samples_of_all_connectors_are_taken_whole() -> None:
    for name, manifest in DECLARED.sources.items():
        folder = content_folder() / "connectors" / name
        sample = manifest.tables[0]
        path = folder / "sample.csv"
        table = DECLARED.tables[sample.table]
        _, found = take_csv(path, source=sample, table=table, encoding=manifest.encoding)
        assert found.rows > 0
        assert found.quarantined == 0
