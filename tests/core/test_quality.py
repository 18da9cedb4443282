"""Which tables are closed, and who gets a ticket?"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from saferoom.core.facts import CellType, Column, Table
from saferoom.core.quality import (
    Check,
    Finding,
    QualityRule,
    check_rules,
    check_served,
    closed_tables,
    score,
    tickets,
    told,
)
from saferoom.core.views import Level
from saferoom.errors import BadInput, Refusal


def table(name: str, period: CellType | None = CellType.MONTH) -> Table:
    columns = [
        Column(name="sales", type=CellType.NUMBER, level=Level.L3),
        Column(name="state", type=CellType.TEXT, level=Level.L3),
    ]
    if period is not None:
        columns.append(Column(name="period", type=period, level=Level.L3))
    return Table(
        name=name,
        title_zh="甲",
        title_en="A",
        items=("tax.filing",),
        period="period" if period else None,
        columns=tuple(columns),
    )


AGREES: Mapping[str, object] = {
    "check": Check.AGREES,
    "column": "sales",
    "other": "tax_month",
    "other_column": "sales",
    "percent": 20,
}
LIVING: Mapping[str, object] = {
    "check": Check.LIVING,
    "other": "reg_base",
    "other_column": "state",
    "ends": ("gone",),
}
TABLES: Mapping[str, Table] = {
    "tax_month": table("tax_month"),
    "tax_year": table("tax_year", CellType.YEAR),
    "reg_base": table("reg_base", None),
    "si_month": table("si_month"),
}


def rule(**changes: object) -> QualityRule:
    fields: dict[str, object] = {
        "name": "taken",
        "table": "tax_month",
        "check": Check.VALID,
        "least": 950,
        "gate": 500,
    }
    return QualityRule(**{**fields, **changes})  # type: ignore[arg-type]


def finding(held: int, of: int, batch: int | None = None, enterprises: int = 20) -> Finding:
    return Finding(
        rule="taken", table="tax_month", batch=batch, held=held, of=of, enterprises=enterprises
    )


def test_of_a_few_enterprises_nothing_is_told() -> None:
    """A file of one firm would tell whether that firm's cell is empty."""
    rules = [rule(least=900)]
    many, few = finding(1, 36), finding(1, 36, batch=7, enterprises=19)
    assert tickets(rules, [many, few]) == (many,)


def test_a_ticket_tells_where_and_how_much_and_not_who_fails() -> None:
    shown = told(finding(981, 1003, batch=7, enterprises=400))
    assert shown == {"rule": "taken", "table": "tax_month", "batch": 7, "of": 1005}


@pytest.mark.parametrize(
    ("held", "of", "thousand"),
    [(0, 0, 1000), (0, 5, 0), (999, 1000, 999), (2, 3, 666), (3, 3, 1000)],
)
def test_a_score_is_a_share_rounded_down(held: int, of: int, thousand: int) -> None:
    assert finding(held, of).score == thousand


def test_a_table_is_as_good_as_its_weakest_rule() -> None:
    assert score([finding(9, 10), finding(1, 2), finding(1, 1)]) == 500
    assert score([]) == 1000


@pytest.mark.parametrize(
    ("held", "told", "closed"), [(950, False, False), (949, True, False), (499, True, True)]
)
def test_below_least_is_a_ticket_and_below_the_gate_no_feature(
    held: int, told: bool, closed: bool
) -> None:
    findings = (finding(held, 1000),)
    assert tickets([rule()], findings) == (findings if told else ())
    assert closed_tables([rule()], findings) == (
        frozenset({"tax_month"}) if closed else frozenset()
    )


def test_one_bad_batch_is_a_ticket_and_closes_nothing() -> None:
    findings = (finding(990, 1000), finding(1, 11, batch=7))
    assert tickets([rule()], findings) == (findings[1],)
    assert closed_tables([rule()], findings) == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Taken"},
        {"least": 1001},
        {"gate": 951},
        {"gate": -1},
        {"column": "sales"},
        {"check": Check.COMPLETE},
        {"check": Check.TIMELY},
        {"check": Check.TIMELY, "days": 0},
        {"check": Check.CROSS},
        {"other": "reg_base"},
        {"days": 3},
        {"other_column": "sales"},
        {"percent": 5},
        {"ends": ("gone",)},
        {"check": Check.AGREES, "column": "sales", "other": "tax_month", "percent": 5},
        {"check": Check.LIVING, "other": "reg_base", "other_column": "state"},
    ],
)
def test_a_rule_says_exactly_what_its_check_needs(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        rule(**changes)


def test_more_cannot_hold_than_there_is() -> None:
    with pytest.raises(BadInput):
        finding(2, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"table": "unknown"},
        {"check": Check.COMPLETE, "column": "profit"},
        {"check": Check.CROSS, "other": "unknown"},
        {"check": Check.CONTINUOUS, "table": "tax_year"},
        {"check": Check.CONTINUOUS, "table": "reg_base"},
        {**AGREES, "other": "unknown"},
        {**AGREES, "other": "tax_year"},
        {**AGREES, "other": "reg_base"},
        {**AGREES, "other_column": "profit"},
        {**AGREES, "other_column": "state"},
        {**AGREES, "table": "reg_base", "other": "reg_base"},
        {**LIVING, "other": "unknown"},
        {**LIVING, "other_column": "sales"},
        {**LIVING, "other_column": "profit"},
    ],
)
def test_a_rule_is_about_declared_tables(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        check_rules([rule(**changes)], TABLES)


def test_rules_have_names_of_their_own() -> None:
    with pytest.raises(BadInput, match="one name"):
        check_rules([rule(), rule(least=900)], TABLES)
    check_rules(
        [
            rule(),
            rule(name="gaps", check=Check.CONTINUOUS),
            rule(name="sales", check=Check.COMPLETE, column="sales"),
            rule(name="known", check=Check.CROSS, other="reg_base"),
            rule(name="as_insured", **{**AGREES, "other": "si_month"}),
            rule(name="living", **LIVING),
        ],
        TABLES,
    )


@pytest.mark.parametrize("percent", [-1, 100])
def test_figures_may_lie_apart_by_less_than_the_larger(percent: int) -> None:
    with pytest.raises(BadInput):
        rule(**{**AGREES, "percent": percent})
    assert rule(**{**AGREES, "percent": 0}).percent == 0


def test_a_feature_below_its_gate_is_refused_and_others_are_not() -> None:
    check_served(("a", "b"), ())
    check_served(("a", "b"), ("c",))
    with pytest.raises(Refusal, match=r"QUALITY_GATE.*features: 2"):
        check_served(("a", "b", "d"), ("b", "c", "a"))
