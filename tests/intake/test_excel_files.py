"""What does an Excel file say, and which are refused before they unpack to a flood?"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date

import pytest

from saferoom.core.facts import Table
from saferoom.errors import BadInput
from saferoom.intake import excel_files, sheets
from saferoom.intake.excel_files import read_excel
from saferoom.intake.reading import Reading
from tests.intake.taking import DECLARED, Rows, source_of, take
from tests.intake.workbooks import MAIN, packed, sheet, usual, workbook
from tests.vault.room import CODES, tax_month

TABLE = DECLARED.tables["tax_month"]
ONE = tax_month(CODES[0], 1, "100.5")
NAMES = list(ONE)
PLACES = {name: place for place, name in enumerate(NAMES)}


def line(**changes: object) -> list[object]:
    days = {name: date.fromisoformat(str(ONE[name])) for name in ("event_date", "due")}
    return list((ONE | days | {"sales": 100.5, "cit": None} | changes).values())


def read(data: bytes, table: Table = TABLE) -> tuple[Rows, Reading]:
    return take(table, read_excel(io.BytesIO(data), source=source_of(table.name), table=table))


def read_one(**changes: object) -> tuple[Rows, Reading]:
    return read(workbook([NAMES, line(**changes)]))


def value(rows: Rows, name: str) -> object:
    return rows[0][[column.name for column in TABLE.all_columns].index(name)]


def test_a_clean_row_is_typed() -> None:
    rows, reading = read_one()
    assert (reading.rows, reading.quarantined) == (1, 0)
    assert (value(rows, "uscc"), value(rows, "sales")) == (CODES[0], 100.5)
    assert (
        value(rows, "event_date")
        == (date.fromisoformat(str(ONE["event_date"])) - date(1970, 1, 1)).days
    )
    assert value(rows, "cit") is None


def test_it_says_what_a_csv_file_says() -> None:
    as_text, _ = read(workbook([NAMES, list(ONE.values())]))
    as_days, _ = read_one(vat=float(str(ONE["vat"])))
    assert as_text == as_days


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"sales": 0.1 + 0.2}, "sales", 0.1 + 0.2),
        ({"sales": 12}, "sales", 12.0),
        ({"record_id": 12345}, "record_id", "12345"),
        ({"record_id": "增值税<&>"}, "record_id", "增值税<&>"),
        ({"known_at": date(2026, 11, 12)}, "known_at", 1_794_499_199),
        ({"period": date(2026, 10, 1)}, "period", 2026 * 12 + 9),
    ],
)
def test_what_excel_makes_of_values_is_read_back(
    changes: dict[str, object], name: str, expected: object
) -> None:
    rows, reading = read_one(**changes)
    assert reading.findings == []
    assert value(rows, name) == expected


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"uscc": "x"}, "uscc", "uscc"),
        ({"sales": None}, "sales", "empty"),
        ({"sales": float("nan")}, "sales", "number"),
        ({"sales": float("inf")}, "sales", "number"),
        ({"sales": True}, "sales", "number"),
        ({"sales": "=1+1"}, "sales", "number"),
        ({"sales": -1}, "sales", "range"),
        ({"event_date": 46_326.5}, "event_date", "day"),
        ({"event_date": 60}, "event_date", "day"),
        ({"event_date": 10**9}, "event_date", "day"),
        ({"known_at": 46_326.5}, "known_at", "instant"),
        ({"known_at": date(2027, 1, 1)}, "known_at", "future"),
        ({"period": date(2026, 10, 2)}, "period", "month"),
        ({"status": "gone"}, "status", "choice"),
        ({"record_id": "a\tb"}, "record_id", "text"),
    ],
)
def test_a_dirty_row_waits_outside_with_its_number_and_reason(
    changes: dict[str, object], column: str, reason: str
) -> None:
    rows, reading = read(workbook([NAMES, line(record_id="T-0"), line(**changes)]))
    assert len(rows) == 1
    (finding,) = reading.findings
    assert (finding.row, finding.column, finding.reason) == (2, column, reason)


def test_ragged_double_and_empty_rows() -> None:
    lines: list[list[object]] = [
        [*NAMES],
        line(),
        [],
        line(),
        [*line(record_id="T-9"), "more"],
        [*line(record_id="T-8"), None],
    ]
    rows, reading = read(workbook(lines))
    assert len(rows) == 2
    found = [(one.row, one.column, one.reason) for one in reading.findings]
    assert found == [(3, "record_id", "duplicate"), (4, "", "ragged")]


def test_headings_may_stand_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel_files, "ROWS", 2)
    lines: list[list[object]] = [
        [],
        [],
        [*NAMES],
        *(line(record_id=f"T-{number}") for number in range(5)),
        line(uscc="x"),
    ]
    rows, reading = read(workbook(lines))
    assert len(rows) == 5
    assert [one.row for one in reading.findings] == [6]


@pytest.mark.parametrize(
    "names",
    [
        [],
        NAMES[:-1],
        [*NAMES, "new"],
        [*NAMES[:-1], "renamed"],
        [*NAMES[:-1], NAMES[0]],
        [*NAMES, None, 5],
    ],
)
def test_other_headings_refuse_the_file(names: Sequence[object]) -> None:
    with pytest.raises(BadInput, match="headings of tax_month"):
        read(workbook([names, line()]))


def in_cell(written: str, name: str = "sales") -> bytes:
    """Write a workbook in which one cell is written so."""
    place = PLACES[name]
    plain = workbook([NAMES, line()])
    with zipfile.ZipFile(io.BytesIO(plain)) as file:
        parts = {one: file.read(one) for one in file.namelist()}
    body = parts["xl/worksheets/sheet1.xml"].decode()
    old = f'<c r="{chr(65 + place)}2"><v>100.5</v></c>'
    assert old in body
    new = written.replace("<c", f'<c r="{chr(65 + place)}2"')
    parts["xl/worksheets/sheet1.xml"] = body.replace(old, new).encode()
    return packed(parts)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("<c><f>1+1</f><v>7</v></c>", 7.0),  # what was saved counts, whatever the formula says
        ('<c t="str"><f>"7"</f><v>7</v></c>', 7.0),
        ('<c t="inlineStr"><is><t>7</t><rPh sb="0" eb="1"><t>8</t></rPh></is></c>', 7.0),
        ('<c t="inlineStr"><is><r><t>7</t></r><r><t>.5</t></r></is></c>', 7.5),
        ("<c><v>7.0E+0</v></c>", 7.0),
        ("<c><f>1+1</f></c>", None),
        ('<c t="e"><v>#N/A</v></c>', None),
        ('<c t="new"><v>7</v></c>', None),
    ],
)
def test_formulas_are_never_evaluated(written: str, expected: float | None) -> None:
    rows, reading = read(in_cell(written))
    if expected is None:
        assert [(one.row, one.reason) for one in reading.findings] == [(1, "number")]
    else:
        assert value(rows, "sales") == expected


def of_sheet(written: bytes) -> bytes:
    return workbook([NAMES], **{"xl__worksheets__sheet1.xml": written})


def test_days_may_count_from_1904() -> None:
    day = (date(2026, 10, 31) - date(1904, 1, 1)).days
    early = workbook([NAMES, line(event_date=day, due="2026-11-15")])
    with zipfile.ZipFile(io.BytesIO(early)) as file:
        parts = {one: file.read(one) for one in file.namelist()}
    parts |= usual(workbook_pr='<workbookPr date1904="1"/>')
    rows, reading = read(packed(parts))
    assert (reading.findings, len(rows)) == ([], 1)


ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><worksheet>&b;</worksheet>'
)
GOOD = workbook([NAMES, line()])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be read as Excel"),
        (b"PK", "cannot be read as Excel"),
        (GOOD[:-30], "cannot be read as Excel"),
        (packed({}), "cannot be read as Excel"),
        (packed(usual()), "cannot be read as Excel"),
        (packed(usual(2)), "a workbook of several sheets"),
        (packed(usual(0)), "a workbook of several sheets"),
        (
            workbook(
                [NAMES], xl__worksheets__sheet1=b"x", **{"xl__worksheets__sheet1.xml": ENTITIES}
            ),
            "Excel",
        ),
        (of_sheet(b'<?xml version="1.0" encoding="none-such"?><a/>'), "cannot be read as Excel"),
        (of_sheet(b"<a>"), "cannot be read as Excel"),
        (of_sheet(sheet('<row r="0"/>')), "Excel"),
        (
            of_sheet(sheet('<row r="2"/><row r="2"/>')),
            "Excel",
        ),
        (of_sheet(sheet('<row r="9999999"/>')), "Excel"),
        (
            of_sheet(sheet('<row><c r="ZZZ1"/></row>')),
            "Excel",
        ),
        (
            of_sheet(sheet('<row><c r="A2"/></row>')),
            "Excel",
        ),
        (
            workbook(
                [NAMES],
                **{"xl__worksheets__sheet1.xml": sheet('<row><c r="B1"/><c r="A1"/></row>')},
            ),
            "Excel",
        ),
        (in_cell('<c t="s"><v>9999</v></c>'), "cannot be read as Excel"),
        (in_cell('<c t="s"><v>-1</v></c>'), "cannot be read as Excel"),
        (in_cell("<c><v>x</v></c>"), "cannot be read as Excel"),
        (in_cell('<c t="str"><v>' + "x" * 5_000 + "</v></c>"), "a long cell of a workbook"),
        (packed({f"{number}": b"" for number in range(1_001)}), "cannot be read as Excel"),
    ],
)
def test_what_is_no_workbook_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=f"SOURCE_MALFORMED.*{why}"):
        read(data)


def test_other_ways_to_pack_are_refused() -> None:
    for compression in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with pytest.raises(BadInput, match="cannot be read as Excel"):
            read(packed(usual(), compression))


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in usual().items():
            file.writestr(name, data)
        with file.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            for _ in range(400):
                part.write(bytes(2**20))
    monkeypatch.setattr(zipfile.ZipFile, "open", never)
    with pytest.raises(BadInput, match="unpacks to over 200 times its size"):
        read(written.getvalue())


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_said() -> None:
    data = bytearray(of_sheet(bytes(2**20)))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as file:
        size = file.getinfo("xl/worksheets/sheet1.xml").file_size.to_bytes(4, "little")
    changed = bytes(data).replace(size, (100).to_bytes(4, "little"))
    with pytest.raises(BadInput, match="cannot be read as Excel"):
        read(changed)


def test_texts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_TEXTS", 3)
    with pytest.raises(BadInput, match="more than 3 texts in a workbook"):
        read(GOOD)


def test_phonetic_readings_are_no_text() -> None:
    plain = [name if name != "sales" else "sales" for name in NAMES]
    texts = "".join(
        f'<si><t>{name}</t><rPh sb="0" eb="1"><t>reading</t></rPh></si>' for name in plain
    )
    cells = "".join(f'<c t="s"><v>{place}</v></c>' for place in range(len(plain)))
    data = packed(
        {
            **usual(),
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>'.encode(),
            "xl/worksheets/sheet1.xml": sheet(f"<row>{cells}</row>"),
        }
    )
    assert read(data)[1].findings == []
