"""Are the files what the connectors declare, and is their dirt of the promised kind?"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saferoom.core.uscc import check_uscc
from saferoom.demo.economy.files import ENCODING, write_books, write_sources
from saferoom.demo.economy.population import CHUNK, Plan
from saferoom.errors import BadInput

AS_OF = date(2026, 9, 30)
FIRMS = 4_000
ROOT = Path(__file__).parents[3]
TABLES = {
    "registry": ["reg_base"],
    "tax": ["tax_month", "tax_year", "tax_arrears"],
    "power": ["util_month"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("economy")
    write_sources(Plan(FIRMS, AS_OF), folder)
    write_books(Plan(FIRMS, AS_OF), folder)
    return folder


def read(folder: Path, source: str, table: str) -> pd.DataFrame:
    return pd.read_csv(
        folder / source / f"{table}.csv", encoding=ENCODING.get(source, "utf-8"), dtype=str
    )


def is_code(text: str) -> bool:
    try:
        check_uscc(text)
    except BadInput:
        return False
    return True


@pytest.mark.parametrize("source", TABLES)
def test_headings_are_exactly_the_connectors(folder: Path, source: str) -> None:
    declared = tomllib.loads((ROOT / "connectors" / source / "connector.toml").read_text("utf-8"))
    assert declared["encoding"] == ENCODING.get(source, "utf-8")
    assert set(declared["tables"]) == set(TABLES[source])
    for table, entry in declared["tables"].items():
        path = folder / source / f"{table}.csv"
        headings = path.read_text(declared["encoding"]).splitlines()[0].replace('"', "").split(",")
        assert set(headings) == {*entry["columns"].values(), *entry["ignore"]}


@pytest.mark.parametrize(
    ("source", "table"), [(source, table) for source in TABLES for table in TABLES[source]]
)
def test_half_a_percent_of_the_codes_are_mistyped(folder: Path, source: str, table: str) -> None:
    codes = read(folder, source, table)["uscc"]
    wrong = codes[[not is_code(code) for code in codes]]
    assert len(wrong) / len(codes) < 0.02
    if len(codes) > 10_000:
        assert len(wrong) / len(codes) == pytest.approx(0.005, abs=0.002)


def test_coverage_differs_by_source_and_is_not_at_random(folder: Path) -> None:
    registry = read(folder, "registry", "reg_base")
    registry = registry.drop_duplicates("record_id").set_index("uscc")
    covered = {
        source: set(read(folder, source, table)["uscc"])
        for source, table in (("tax", "tax_month"), ("power", "util_month"))
    }
    share = {s: np.mean([code in codes for code in registry.index]) for s, codes in covered.items()}
    assert 0.85 < share["tax"] < 0.97
    assert 0.6 < share["power"] < 0.85
    traders = registry.index[registry["type"] == "个体工商户"]
    assert np.mean([code in covered["power"] for code in traders]) < share["power"] - 0.2


def test_firms_were_renamed_under_the_same_record(folder: Path) -> None:
    registry = read(folder, "registry", "reg_base")
    versions = registry.groupby("record_id")
    renamed = versions["name"].nunique() == 2
    assert renamed.mean() == pytest.approx(0.02, abs=0.01)
    assert (versions["known_at"].nunique()[renamed] == 2).all()


def test_disputed_and_repaired_records(folder: Path) -> None:
    monthly, arrears = (
        read(folder, "tax", "tax_month"),
        read(folder, "tax", "tax_arrears"),
    )
    disputed = monthly[monthly["status"] == "disputed"]
    assert disputed["uscc"].nunique() / FIRMS == pytest.approx(0.01, abs=0.006)
    repaired = arrears[arrears["status"] == "repaired"]
    assert repaired["uscc"].nunique() / FIRMS == pytest.approx(0.02, abs=0.008)


def test_rows_become_known_after_their_period_and_some_after_the_as_of_day(folder: Path) -> None:
    for source, table in (("tax", "tax_month"), ("power", "util_month")):
        frame = read(folder, source, table)
        ended = pd.to_datetime(frame["period"]) + pd.offsets.MonthEnd(0)
        known = pd.to_datetime(frame["known_at"]).dt.tz_localize(None)
        paid = pd.to_datetime(frame["paid_at"])
        assert (known > ended).all()
        assert (paid.isna() | (paid <= known)).all()
    arrears = read(folder, "tax", "tax_arrears")
    late = arrears[arrears["record_id"].str.startswith("AL")]
    assert len(late) > 0
    assert (late["event_date"] < str(AS_OF)).all()
    assert (late["known_at"] > f"{AS_OF}T23").all()


def test_late_arrears_would_lift_a_leaking_model(folder: Path) -> None:
    """Let in, they tell the future: borrowers with such a row are bad for certain."""
    arrears = read(folder, "tax", "tax_arrears")
    late = set(arrears[arrears["record_id"].str.startswith("AL")]["uscc"])
    book = pd.read_csv(folder / "bank-a" / "loans.csv")
    leaks = book["uscc"].isin(late)
    assert leaks.any()
    assert book[leaks]["bad"].all()
    assert leaks.sum() / book["bad"].sum() > 0.4


def test_books_overlap_and_are_selected(folder: Path) -> None:
    a, b = (pd.read_csv(folder / bank / "loans.csv") for bank in ("bank-a", "bank-b"))
    both = set(a["uscc"]) & set(b["uscc"])
    assert 0 < len(both) < min(len(a), len(b))
    assert a["util"].mean() < 0.54  # of all firms it is 0.55


def test_campaign_month_drifts_beyond_a_quarter(tmp_path: Path) -> None:
    write_books(Plan(20_000, AS_OF), tmp_path, ("bank-a",))
    book = pd.read_csv(tmp_path / "bank-a" / "loans.csv")
    per_month = book["vintage"].value_counts()
    campaign = book["vintage"] == "2026-03"
    assert per_month["2026-03"] > 100
    assert stability_index(book["util"][~campaign], book["util"][campaign]) > 0.25
    quiet = book["vintage"] == "2025-06"
    assert stability_index(book["util"][~quiet], book["util"][quiet]) < 0.1


def stability_index(expected: pd.Series[float], actual: pd.Series[float]) -> float:
    cuts = np.quantile(expected, np.linspace(0, 1, 6)[1:-1])
    share = [
        (np.bincount(np.digitize(side, cuts), minlength=5) + 0.5) / len(side)
        for side in (expected, actual)
    ]
    return float(((share[1] - share[0]) * np.log(share[1] / share[0])).sum())


def test_chunks_continue_where_the_last_ended(tmp_path: Path) -> None:
    rows = write_sources(Plan(CHUNK + 10, AS_OF), tmp_path)
    registry = read(tmp_path, "registry", "reg_base")
    assert len(registry) == rows["reg_base"]
    assert registry["record_id"].nunique() == CHUNK + 10
