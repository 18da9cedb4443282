"""Is the as-of rule kept, and is nothing computed that was not declared and checked?"""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from saferoom.canonical import Json
from saferoom.errors import BadInput
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.grammar import read_formula
from saferoom.vault.materialising import open_engine
from tests.vault.drawn import DECLARED, compute

AS_OF = date(2026, 11, 19)


SALES: dict[str, Json] = {"op": "sum", "column": "sales"}


def filing(**changes: object) -> dict[str, object]:
    """A filing of October 2026, known on 12 November."""
    row: dict[str, object] = {
        "uscc": "firm-a",
        "record_id": "T1",
        "event_date": date(2026, 10, 31),
        "known_at": int(datetime(2026, 11, 12, tzinfo=UTC).timestamp()),
        "status": "valid",
        "sales": 100.0,
        "due": date(2026, 11, 15),
    }
    return row | changes


def feature(name: str, as_of: date = AS_OF, **facts: list[dict[str, object]]) -> float:
    """Compute one feature of firm-a from these tables' rows."""
    rows = compute({table: facts.get(table, []) for table in DECLARED.tables}, as_of)
    place = DECLARED.views.names().index(name)
    return float(rows.matrix[rows.codes.index("firm-a"), place])


def sales(rows: list[dict[str, object]]) -> float:
    firm_is_there = filing(record_id="T0", sales=1.0)
    return feature("sales_12", tax_month=[firm_is_there, *rows]) - 1


def seconds(*local_time: int) -> int:
    local = datetime(*local_time, tzinfo=UTC) - timedelta(hours=8)  # type: ignore[misc, arg-type]
    return int(local.timestamp())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([filing()], 100),
        ([filing(known_at=seconds(2026, 11, 19, 23, 59, 59))], 100),  # Shanghai
        ([filing(known_at=seconds(2026, 11, 20, 0, 0, 0))], 0),
        ([filing(), filing(sales=70.0, known_at=seconds(2026, 11, 18, 0, 0, 0))], 70),
        ([filing(), filing(sales=70.0, known_at=seconds(2026, 11, 25, 0, 0, 0))], 100),
        ([filing(sales=70.0), filing(sales=80.0)], 80),  # known at once: the later row
        ([filing(), filing(status="repaired", known_at=seconds(2026, 11, 18, 0, 0, 0))], 0),
        ([filing(status="repaired"), filing(known_at=seconds(2026, 11, 18, 0, 0, 0))], 0),
        ([filing(), filing(status="repaired", known_at=seconds(2026, 11, 20, 9, 0, 0))], 100),
        ([filing(status="erased")], 0),
        ([filing(status="corrected")], 100),
        ([filing(status="disputed")], 100),  # counted, and the enterprise is marked
        ([filing(event_date=AS_OF)], 0),
        ([filing(event_date=date(2026, 11, 30))], 0),
        ([filing(event_date=date(2025, 11, 30))], 100),  # month 12
        ([filing(event_date=date(2025, 10, 31))], 0),  # month 13
        ([filing(), filing(source="another")], 200),  # another source's record of one name
    ],
)
def test_the_as_of_rule(rows: list[dict[str, object]], expected: float) -> None:
    assert sales(rows) == expected


def test_a_disputed_record_marks_its_enterprise_while_it_is_the_latest() -> None:
    disputed = filing(status="disputed")
    settled = filing(known_at=seconds(2026, 11, 18, 0, 0, 0))
    for rows, marked in (([disputed], True), ([disputed, settled], False)):
        facts = {table: rows if table == "tax_month" else [] for table in DECLARED.tables}
        assert compute(facts, AS_OF).disputed.tolist() == [marked]


ENTERED = seconds(2026, 1, 10)


def listed(**changes: object) -> dict[str, object]:
    """An entry on the abnormal list, made and known in January."""
    row: dict[str, object] = {
        "uscc": "firm-a",
        "record_id": "B1",
        "event_date": date(2026, 1, 9),
        "known_at": ENTERED,
        "status": "valid",
        "reason": None,
        "out_date": None,
    }
    return row | changes


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], 1),
        # Taken off in March, and written down in the same month.
        ([listed(out_date=date(2026, 3, 1), known_at=seconds(2026, 3, 5))], 0),
        # Taken off in March, but nobody knew before December.
        ([listed(out_date=date(2026, 3, 1), known_at=seconds(2026, 12, 1))], 1),
        # A source that overwrites what it once said, without saying when.
        ([listed(out_date=date(2026, 12, 1), batch=2)], 1),
    ],
)
def test_an_end_that_was_known_later_does_not_leak(
    later: list[dict[str, object]], expected: float
) -> None:
    assert feature("abn_now", reg_abn=[listed(), *later]) == expected


def test_an_overwritten_payment_does_not_leak() -> None:
    """Cleared after the as-of day in the very version that was known before it."""
    owed: dict[str, object] = {
        "uscc": "firm-a",
        "record_id": "A1",
        "event_date": date(2026, 5, 5),
        "known_at": seconds(2026, 6, 1),
        "status": "valid",
        "tax_kind": "VAT",
        "amount": 900.0,
    }
    for cleared, expected in ((date(2026, 11, 19), 0.0), (date(2026, 11, 20), 900.0)):
        assert feature("arrears_now", tax_arrears=[owed | {"cleared": cleared}]) == expected


def test_no_row_is_zero_only_where_somebody_brought_the_table() -> None:
    other = listed(uscc="firm-b")
    assert math.isnan(feature("abn_n36", tax_month=[filing()]))
    assert feature("abn_n36", tax_month=[filing()], reg_abn=[other]) == 0
    assert math.isnan(feature("zero_m12", reg_abn=[listed()], tax_month=[filing(uscc="firm-b")]))


def test_a_row_of_an_unknown_amount_is_no_zero() -> None:
    fine = listed(amount=None, severity="minor")
    other = listed(uscc="firm-b", amount=None, severity="minor")
    assert math.isnan(feature("pen_amt24", penalty=[fine]))
    assert feature("pen_amt24", penalty=[fine, fine | {"record_id": "B2", "amount": 5.0}]) == 5
    assert feature("pen_amt24", penalty=[other], tax_month=[filing()]) == 0


@pytest.mark.parametrize(
    ("as_of", "day", "counted"),
    [
        (date(2026, 11, 19), date(2024, 11, 18), 0),
        (date(2026, 11, 19), date(2024, 11, 19), 1),
        (date(2026, 11, 19), date(2026, 11, 18), 1),
        (date(2026, 11, 19), date(2026, 11, 19), 0),
        (date(2028, 2, 29), date(2026, 2, 28), 1),  # no 29 February two years before
    ],
)
def test_months_up_to_the_as_of_day(as_of: date, day: date, counted: float) -> None:
    owed = listed(event_date=day, amount=1.0)
    assert feature("arrears_n24", as_of, tax_arrears=[owed], tax_month=[filing()]) == counted


@pytest.mark.parametrize(
    "formula",
    [
        {"op": "sum"},
        {"op": "sum", "column": "nothing"},
        {"op": "sum", "column": "due"},
        {"op": "sum", "column": "sales", "months": [0, 12]},
        {"op": "sum", "column": "sales", "months": [12, 1]},
        {"op": "sum", "column": "sales", "months": [1, 2, 3]},
        {"op": "sum", "column": "sales", "extra": 1},
        {"op": "sum", "column": "sales", "empty": "one"},
        {"op": "median", "column": "sales"},
        {"op": "count", "column": "sales"},
        {"op": "last", "column": "due"},
        {"op": "sum", "column": "sales", "codes": {"A": 1}},
        {"op": "count", "where": [{"column": "sales", "test": "equals", "value": "0; DROP"}]},
        {"op": "count", "where": [{"column": "sales", "test": "like", "value": "x"}]},
        {"op": "count", "where": [{"column": "record_id", "test": "equals", "value": "a' OR '1"}]},
        {"op": "count", "where": [{"column": "sales", "test": "after", "value": "due"}]},
        {"op": "count", "where": [{"column": "due", "test": "after", "than": "sales"}]},
        {"op": "count", "where": [{"column": "due", "test": "after", "value": "2026-01-01"}]},
        {"op": "count", "where": [{"column": "due", "test": "within_days", "value": 0}]},
        {"op": "count", "where": [{"column": "due", "test": "within_days", "value": True}]},
        {"op": "count", "where": [{"column": "sales", "test": "equals", "than": "due"}]},
        {"op": "count", "where": [{"column": "sales", "test": "above"}]},
        {"op": "count", "where": [{"column": "sales", "test": "above", "value": 1, "than": "vat"}]},
        {"op": "count", "where": [{"column": "cutoff", "test": "equals", "value": 1}]},
        {"op": "count", "where": {"column": "due", "test": "is_empty"}},
        {"op": "count", "months": [1, 2], "within": 3},
        {"op": "count", "within": 0},
        {"op": "count", "within": 121},
        {"op": "count", "year": "1"},
        {"op": "count", "table": "tax_day"},
        {"op": "count", "all": 1},
        {"op": "streak"},
        {"op": "streak", "months": [1, 49]},
        {"op": "max", "column": "paid_at"},
        {"op": "max", "column": "paid_at", "minus": "sales"},
        {"op": "max", "column": "sales", "minus": "due"},
        {"op": "sum", "column": "sales", "plus": "vat", "minus": "cit"},
        {"op": "last", "column": "sales", "empty": "zero"},
        {"op": "last", "column": "sales", "prefix": 3},
        {"op": "last", "column": "grade", "table": "tax_year"},
        {"op": "last", "column": "grade", "table": "tax_year", "codes": {}},
        {"op": "last", "column": "grade", "table": "tax_year", "codes": {"a'": 1}},
        {"op": "last", "column": "grade", "table": "tax_year", "codes": {"A": 1.5}},
        {"op": "ln", "of": {"op": "last", "column": "due"}},
        {"op": "ln", "of": 1, "clip": [0, 1]},
        {"op": "ratio", "top": 1, "bottom": 1.5},
        {"op": "ratio", "top": 1, "bottom": 2, "clip": [2, 1]},
        {"op": "corr", "of": SALES, "with": SALES, "months": [1, 12], "least": 13},
        {"op": "corr", "of": SALES, "with": SALES, "months": [1, 12], "least": 2},
        {"op": "corr", "of": SALES, "with": 1, "months": [1, 12], "least": 6},
        {"op": "corr", "of": {**SALES, "within": 3}, "with": SALES, "months": [1, 12], "least": 6},
        {"op": "months_below", "of": SALES, "peak": SALES, "months": [1, 6], "percent": 100},
        {"op": "months_below", "of": SALES, "peak": SALES, "months": [0, 6], "percent": 1},
        {"op": "count", "where": [{"column": "due", "test": "is_empty", "value": 1}]},
        {"op": "growth", "top": {"op": "sum", "column": "sales"}},
        {"op": "ln1p", "of": {"op": "last", "column": "due"}},
        {"op": "months_since", "of": {"op": "last", "column": "sales"}},
        {"op": "months_since", "of": {"op": "sum", "column": "sales"}},
        {"op": ["sum"]},
        [],
        None,
    ],
)
def test_what_is_not_in_the_grammar_is_refused(formula: Json) -> None:
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_formula(formula, DECLARED.tables, "tax_month")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("policies/facts.toml", 'kind = "saferoom/facts/1"', 'kind = "saferoom/facts/2"'),
        ("policies/facts.toml", 'type = "number"', 'type = "float"'),
        ("policies/facts.toml", 'name = "sales"', 'name = "Sales; --"'),
        ("policies/facts.toml", "[tables.tax_year]", "[tables.tax_year"),
        ("policies/facts.toml", '"tax.filing"', '"tax.filings"'),
        ("policies/facts.toml", '"social.pension"', '"social.medical"'),  # only verified
        ("policies/facts.toml", 'items = ["tax.filing"]', "items = []"),
        (
            "policies/facts.toml",
            '"sales", type = "number", level = "L3"',
            '"sales", type = "number", level = "L2"',
        ),
        ("policies/catalogue.toml", "version = 1", "version = 0"),
        ("policies/catalogue.toml", 'mode = "collect"', 'mode = "copy"'),
        ("policies/catalogue.toml", 'id = "tax.filing"', 'id = "tax.grade"'),
        ("policies/features/judicial.toml", 'also = ["tax"]\n', ""),  # reads sales in silence
        ("policies/features/judicial.toml", 'also = ["tax"]', 'also = ["judicial"]'),
        ("policies/features/invoice.toml", 'level = "L4"', 'level = "L3"'),  # below its input
        ("policies/features/tax.toml", 'table = "tax_month"', 'table = "tax_day"'),
        ("policies/features/tax.toml", 'name = "zero_m12"', 'name = "sales_12"'),
        ("policies/features/tax.toml", 'level = "L3"', 'level = "L9"'),
        ("policies/features/tax.toml", 'category = "tax"', 'categories = "tax"'),
        ("connectors/tax/connector.toml", 'name = "tax"', 'name = "taxes"'),
        ("connectors/tax/connector.toml", 'encoding = "gbk"', 'encoding = "latin-1"'),
        ("connectors/tax/connector.toml", "tax_month*.csv", "../tax_month*.csv"),
        ("connectors/tax/connector.toml", "ignore = [", "ignored = ["),
    ],
)
def test_a_declaration_with_a_mistake_is_named_and_refused(
    tmp_path: Path, path: str, old: str, new: str
) -> None:
    content = content_folder()
    for name in ("policies", "connectors"):
        shutil.copytree(content / name, tmp_path / name)
    text = (tmp_path / path).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match="POLICY_INVALID") as refused:
        read_declarations(tmp_path)
    assert Path(path).name in str(refused.value) or "view" in str(refused.value)


def test_the_digest_of_the_views_is_that_of_their_content() -> None:
    again = read_declarations(content_folder())
    assert again.views.digest == DECLARED.views.digest
    first = replace(DECLARED.views.views[0], title_en="Another title")
    changed = replace(DECLARED.views, views=(first, *DECLARED.views.views[1:]))
    assert changed.digest != DECLARED.views.digest


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET temp_directory = '/tmp'",
        "EXPORT DATABASE '/tmp/out'",
    ],
)
def test_the_engine_reaches_no_file_and_keeps_its_settings(text: str) -> None:
    with open_engine() as engine, pytest.raises(duckdb.Error):
        engine.execute(text)
