"""Does each feature equal what an independent reference says, as of a day?

The reference below was written in pandas from the definitions, not from the compiler.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saferoom.canonical import Json
from saferoom.errors import BadInput
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import schema_of
from saferoom.vault.formula import read_formula
from saferoom.vault.materialising import assemble, open_engine, query, views_by_table

DECLARED = read_declarations(content_folder())
AS_OF = date(2026, 11, 19)
FIRMS = ["firm-a", "firm-b", "firm-c"]
Frame = pd.DataFrame


def usable(frame: Frame, as_of: date) -> Frame:
    """Apply the as-of rule by sorting and dropping."""
    night = pd.Timestamp(as_of) + pd.Timedelta(days=1) - pd.Timedelta(hours=8)
    known = frame[pd.to_datetime(frame["known_at"], unit="s") < night]
    gone = set(known[known["status"].isin(["repaired", "erased"])]["record_id"])
    known = known.sort_values(["known_at", "batch", "row"], kind="stable")
    known = known.drop_duplicates(["uscc", "record_id"], keep="last")
    known = known[~known["record_id"].isin(gone)]
    return known[pd.to_datetime(known["event_date"]) < pd.Timestamp(as_of)]


def months_back(frame: Frame, as_of: date, first: int, last: int) -> Frame:
    periods = pd.PeriodIndex(pd.to_datetime(frame["event_date"]), freq="M")
    ago = pd.Period(as_of, freq="M").ordinal - periods.astype("int64")
    return frame[(ago >= first) & (ago <= last)]


def latest(frame: Frame, column: str) -> object:
    if frame.empty:
        return None
    return frame.sort_values(["event_date", "known_at", "batch", "row"]).iloc[-1][column]


def total(frame: Frame, column: str) -> float:
    return float("nan") if frame.empty else math.fsum(frame[column])


def growth(top: float, bottom: float) -> float:
    return (
        float("nan") if math.isnan(top) or math.isnan(bottom) or bottom == 0 else top / bottom - 1
    )


def reg_age_m(facts: dict[str, Frame], as_of: date) -> float:
    born = latest(facts["reg_base"], "est_date")
    if born is None:
        return float("nan")
    assert isinstance(born, date)
    target = (as_of.year * 12 + as_of.month, as_of.day)
    reached = [n for n in range(2000) if (born.year * 12 + born.month + n, born.day) <= target]
    return float(max(reached))


def reg_cap_ln(facts: dict[str, Frame], as_of: date) -> float:
    capital = latest(facts["reg_base"], "reg_cap")
    return float("nan") if capital is None else math.log1p(float(str(capital)))


def sales_12(facts: dict[str, Frame], as_of: date) -> float:
    return total(months_back(facts["tax_month"], as_of, 1, 12), "sales")


def sales_yoy(facts: dict[str, Frame], as_of: date) -> float:
    before = total(months_back(facts["tax_month"], as_of, 13, 24), "sales")
    return float(np.clip(growth(sales_12(facts, as_of), before), -1, 5))


def zero_m12(facts: dict[str, Frame], as_of: date) -> float:
    window = months_back(facts["tax_month"], as_of, 1, 12)
    return float("nan") if window.empty else float((window["sales"] == 0).sum())


def late_file_n12(facts: dict[str, Frame], as_of: date) -> float:
    window = months_back(facts["tax_month"], as_of, 1, 12)
    if window.empty:
        return float("nan")
    filed = pd.to_datetime(window["filed_at"])
    return float((filed > pd.to_datetime(window["due"])).sum())


def tax_grade(facts: dict[str, Frame], as_of: date) -> float:
    grade = latest(facts["tax_year"], "grade")
    return float("nan") if grade is None else float("DCMBA".index(str(grade)) + 1)


def arrears_now(facts: dict[str, Frame], as_of: date) -> float:
    owed = facts["tax_arrears"]
    return math.fsum(owed[owed["cleared"].isna()]["amount"])


def kwh_3m_yoy(facts: dict[str, Frame], as_of: date) -> float:
    power = facts["util_month"][facts["util_month"]["kind"] == "power"]
    top, bottom = months_back(power, as_of, 1, 3), months_back(power, as_of, 13, 15)
    return growth(total(top, "usage"), total(bottom, "usage"))


REFERENCE: dict[str, Callable[[dict[str, Frame], date], float]] = {
    one.__name__: one
    for one in (
        *(reg_age_m, reg_cap_ln, sales_12, sales_yoy, zero_m12),
        *(late_file_n12, tax_grade, arrears_now, kwh_3m_yoy),
    )
}

days = st.dates(date(2024, 6, 1), date(2026, 12, 31))
amounts = st.sampled_from([0.0, 1.25, 100.0, 30_000.5, 1e7])
statuses = st.sampled_from(["valid"] * 6 + ["corrected", "disputed", "repaired", "erased"])


@st.composite
def records(draw: st.DrawFn, table: str) -> dict[str, object]:
    event = draw(days)
    row: dict[str, object] = {
        "uscc": draw(st.sampled_from(FIRMS)),
        "event_date": event,
        "known_at": int(
            datetime(event.year, event.month, event.day, tzinfo=UTC).timestamp()
            + draw(st.integers(0, 60)) * 86_400
            + draw(st.integers(0, 86_399))
        ),
        "status": draw(statuses),
    }
    row["record_id"] = f"{row['uscc']}-{draw(st.integers(0, 25))}"
    own: dict[str, dict[str, st.SearchStrategy[object]]] = {
        "reg_base": {
            "est_date": st.dates(date(1990, 1, 1), date(2025, 12, 31)),
            "reg_cap": amounts,
        },
        "tax_month": {"sales": amounts, "due": days, "filed_at": st.none() | days},
        "tax_year": {"grade": st.sampled_from("ABMCD")},
        "tax_arrears": {"amount": amounts, "cleared": st.none() | days},
        "util_month": {"kind": st.sampled_from(["power", "water"]), "usage": amounts},
    }
    return row | {name: draw(values) for name, values in own[table].items()}


def arrow(table: str, rows: list[dict[str, object]]) -> pa.Table:
    schema = schema_of(DECLARED.tables[table])
    full = [
        {**dict.fromkeys(schema.names), "batch": 1, "row": number, "source": "s", **row}
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema=schema)


def compute(facts: dict[str, list[dict[str, object]]], as_of: date) -> dict[str, dict[str, float]]:
    with open_engine() as engine:
        results = {
            table: query(engine, arrow(table, facts[table]), views, as_of)
            for table, views in views_by_table(DECLARED).items()
        }
    rows = assemble(results, DECLARED)
    names = DECLARED.views.names()
    return {
        code: dict(zip(names, values.tolist(), strict=True))
        for code, values in zip(rows.codes, rows.matrix, strict=True)
    }


def frame(table: str, rows: list[dict[str, object]]) -> Frame:
    columns = schema_of(DECLARED.tables[table]).names
    full = [{"batch": 1, "row": number, **row} for number, row in enumerate(rows)]
    return pd.DataFrame(full, columns=columns)


def test_every_declared_view_has_a_reference() -> None:
    assert set(REFERENCE) == set(DECLARED.views.names())


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    facts=st.fixed_dictionaries(
        {table: st.lists(records(table), max_size=40) for table in DECLARED.tables}
    ),
    as_of=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
)
def test_features_equal_the_reference(
    facts: dict[str, list[dict[str, object]]], as_of: date
) -> None:
    computed = compute(facts, as_of)
    kept = {table: usable(frame(table, rows), as_of) for table, rows in facts.items()}
    firms = {code for rows in kept.values() for code in rows["uscc"]}
    assert set(computed) == firms
    for firm in firms:
        own = {table: rows[rows["uscc"] == firm] for table, rows in kept.items()}
        for name, reference in REFERENCE.items():
            expected = reference(own, as_of)
            assert computed[firm][name] == pytest.approx(expected, nan_ok=True, rel=1e-12), name


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


def sales(rows: list[dict[str, object]], as_of: date = AS_OF) -> float:
    facts: dict[str, list[dict[str, object]]] = {table: [] for table in DECLARED.tables}
    facts["tax_month"] = [filing(record_id="T0", sales=1.0), *rows]  # so that the firm is there
    return compute(facts, as_of)["firm-a"]["sales_12"] - 1


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
    views = views_by_table(DECLARED)["tax_month"]
    disputed = filing(status="disputed")
    settled = filing(known_at=seconds(2026, 11, 18, 0, 0, 0))
    for rows, marked in (([disputed], True), ([disputed, settled], False)):
        with open_engine() as engine:
            result = query(engine, arrow("tax_month", rows), views, AS_OF)
        assert result["disputed"].to_pylist() == [marked]


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
        {"op": "count", "where": [{"column": "due", "test": "after", "value": "sales"}]},
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
        read_formula(formula, DECLARED.tables["tax_month"])


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("policies/facts.toml", 'kind = "saferoom/facts/1"', 'kind = "saferoom/facts/2"'),
        ("policies/facts.toml", 'type = "number"', 'type = "float"'),
        ("policies/facts.toml", 'name = "sales"', 'name = "Sales; --"'),
        ("policies/facts.toml", "[tables.tax_year]", "[tables.tax_year"),
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
    assert Path(path).name in str(refused.value) or "two views" in str(refused.value)


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
