"""Whose word is it, about which table, and what may it not say?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from saferoom.core.enrolment import Role
from saferoom.core.facts import CellType, Column, Table
from saferoom.core.self_report import (
    MOST_ROWS,
    ReportRow,
    ReportRows,
    check_reportable,
    check_self_report,
    full_rows,
    report_aad,
)
from saferoom.core.uscc import make_uscc
from saferoom.core.views import Level, View, ViewSet
from saferoom.errors import BadInput, Refusal, SaferoomError
from tests import factories as f

COLUMNS = ("record_id", "event_date", "sales")


def table(*, own: bool = True) -> Table:
    return Table(
        name="self_month",
        title_zh="甲",
        title_en="A",
        items=("other.self",),
        period=None,
        columns=(Column(name="sales", type=CellType.NUMBER, level=Level.L3, optional=True),),
        self_reported=own,
    )


def rows(*lines: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> ReportRows:
    return ReportRows(columns=columns, rows=tuple(ReportRow(cells=line) for line in lines))


def lookup(*signers: str) -> f.Register:
    register = f.Register.founded()
    register.enrol(f.ENTERPRISE, party=f.ENTERPRISE, role=Role.ENTERPRISE)
    for name in signers:
        register.enrol(name, party=name, role=Role.ENTERPRISE)
    return register


def test_an_enterprise_speaks_for_itself() -> None:
    register = lookup()
    signed = f.sign(f.self_report(), f.ENTERPRISE)
    assert check_self_report(signed, register.lookup, f.NOW) == f.self_report()


def test_nobody_speaks_for_another() -> None:
    other = make_uscc(2)
    register = lookup(other)
    for signer, why in ((other, "SIGNATURE_INVALID"), ("sun", "ROLE")):
        with pytest.raises(SaferoomError, match=why):
            check_self_report(f.sign(f.self_report(), signer), register.lookup, f.NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_report_of_another_time_is_a_replay(seconds: int) -> None:
    signed = f.sign(f.self_report(), f.ENTERPRISE)
    with pytest.raises(Refusal, match="REPLAY"):
        check_self_report(signed, lookup().lookup, f.NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "changes",
    [
        {"pledged": False},
        {"enterprise": "short"},
        {"table": ""},
        {"sealed": ""},
        {"sealed": "abc"},
        {"sealed": "zz"},
        {"sealed": "00" * 300_000},
    ],
)
def test_without_the_pledge_or_out_of_range_there_is_no_report(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        f.self_report(**changes)


def test_rows_have_a_cell_for_each_column() -> None:
    bads: tuple[Callable[[], object], ...] = (
        rows,
        lambda: rows(("a", "b")),
        lambda: rows(("a", "b", "c" * 1001)),
        lambda: rows(("a", "b", "c"), columns=("sales", "sales", "record_id")),
        lambda: rows(*[("a", "b", "c")] * (MOST_ROWS + 1)),
    )
    for bad in bads:
        with pytest.raises(BadInput):
            bad()


def test_no_department_is_spoken_for() -> None:
    assert check_reportable(table()) == table()
    for other in (None, table(own=False)):
        with pytest.raises(Refusal, match="CONTRACT_SCOPE"):
            check_reportable(other)


def test_whose_rows_they_are_and_when_known_is_not_theirs_to_say() -> None:
    written = full_rows(rows(("r1", "2026-10-31", "5")), table(), f.ENTERPRISE, f.NOW_TEXT)
    headings = ["uscc", "record_id", "event_date", "known_at", "status", "sales"]
    assert written == [headings, [f.ENTERPRISE, "r1", "2026-10-31", f.NOW_TEXT, "", "5"]]
    for name in ("uscc", "known_at", "status", "profit"):
        with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
            full_rows(rows(("x",), columns=(name,)), table(), f.ENTERPRISE, f.NOW_TEXT)


def test_a_column_that_is_left_out_is_empty() -> None:
    written = full_rows(rows(("r1",), columns=("record_id",)), table(), f.ENTERPRISE, f.NOW_TEXT)
    assert written[1] == [f.ENTERPRISE, "r1", "", f.NOW_TEXT, "", ""]


def test_rows_are_bound_to_enterprise_and_table() -> None:
    bound = {report_aad(who, what) for who in ("a", "b") for what in ("x", "y")}
    assert len(bound) == 4


def test_a_model_is_told_which_of_its_features_are_an_enterprises_own_word() -> None:
    def view(name: str, category: str, *also: str) -> View:
        return View(
            name=name,
            category=category,
            level=Level.L3,
            feature_type="count",
            table="t",
            also=also,
            formula="1",
            title_zh="甲",
            title_en="A",
        )

    views = ViewSet(
        views=(view("a", "tax"), view("b", "self"), view("c", "tax", "self"), view("d", "self"))
    )
    assert views.self_reported(("a", "b", "c")) == ("b", "c")
    assert views.self_reported(("a",)) == ()
