"""Is a table good enough to compute features from?

Declared rules, each a share of a thousand: below `least` the source's steward is told, below
`gate` features of the table are not served. Only counts are compared here; who counts, counts
over rows that never leave. A table without rows says nothing about its quality: what is not
there is missing anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from saferoom.canonical import Json
from saferoom.core import aggregates
from saferoom.core.aggregates import LIMITS
from saferoom.core.facts import CellType, Column, Table
from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput, Refusal

WHOLE = 1000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBERS = {CellType.NUMBER, CellType.WHOLE}


class Check(StrEnum):
    """What is counted: how many of how many hold."""

    COMPLETE = "complete"  # records whose column is not empty, of all records
    VALID = "valid"  # rows taken in, of those and the quarantined
    TIMELY = "timely"  # records first known within so many days of their event, of all records
    CONTINUOUS = "continuous"  # months that an enterprise has, of those from its first to its last
    CROSS = "cross"  # enterprises that another table knows too, of all in this one
    AGREES = "agrees"  # figures of a period no further from another table's, of those in both
    LIVING = "living"  # records from before another table knew of the enterprise's end, of all


# What each check needs said, beside the table: all of it, and nothing else.
NEEDS: Mapping[Check, frozenset[str]] = {
    Check.COMPLETE: frozenset({"column"}),
    Check.VALID: frozenset(),
    Check.TIMELY: frozenset({"days"}),
    Check.CONTINUOUS: frozenset(),
    Check.CROSS: frozenset({"other"}),
    Check.AGREES: frozenset({"column", "other", "other_column", "percent"}),
    Check.LIVING: frozenset({"other", "other_column", "ends"}),
}


@dataclass(frozen=True, kw_only=True)
class QualityRule(Record):
    """One rule for one table."""

    name: str
    table: str
    check: Check
    least: int  # of a thousand; below: a ticket
    gate: int  # of a thousand; below: no feature
    column: str | None = None
    days: int | None = None
    other: str | None = None  # the other table
    other_column: str | None = None
    percent: int | None = None  # of the larger figure, that two may lie apart
    ends: tuple[str, ...] = ()  # texts of the other table that say that an enterprise is no more

    def __post_init__(self) -> None:
        """Check that exactly what the check needs is said."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 <= self.gate <= self.least <= WHOLE, "least")
        for name in sorted(frozenset().union(*NEEDS.values())):
            said = getattr(self, name) not in {None, ()}
            check_field(said == (name in NEEDS[self.check]), name)
        check_field(self.days is None or 0 < self.days <= 3660, "days")
        check_field(self.percent is None or 0 <= self.percent < 100, "percent")


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """What a rule found in a batch, or in the whole table where `batch` is None."""

    rule: str
    table: str
    batch: int | None
    held: int
    of: int
    enterprises: int  # behind it; of a few nothing is told

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 <= self.held <= self.of, "held")
        check_field(self.enterprises >= 0, "enterprises")

    @property
    def score(self) -> int:
        """Return the share that holds, of a thousand, rounded down; all where there is none."""
        return WHOLE if self.of == 0 else self.held * WHOLE // self.of


def check_rules(rules: Sequence[QualityRule], tables: Mapping[str, Table]) -> None:
    """Refuse rules about what facts.toml does not declare."""
    names = [(rule.table, rule.name) for rule in rules]
    if len(set(names)) != len(names):
        raise BadInput("POLICY_INVALID", "two quality rules of one name")
    for rule in rules:
        if not _fits(rule, tables):
            raise BadInput("POLICY_INVALID", f"quality rule {rule.table}.{rule.name}")


def _fits(rule: QualityRule, tables: Mapping[str, Table]) -> bool:
    """Say whether the tables have the columns that the check looks at, of its types."""
    column, period = _column(tables, rule.table, rule.column), _period(tables, rule.table)
    other = _column(tables, rule.other, rule.other_column)
    fits = rule.table in tables and (rule.other is None or rule.other in tables)
    match rule.check:
        case Check.COMPLETE:
            return fits and column is not None
        case Check.CONTINUOUS:
            return fits and period is CellType.MONTH
        case Check.AGREES:
            kinds = [one.type in _NUMBERS for one in (column, other) if one is not None]
            alike = period is not None and period is _period(tables, rule.other)
            return fits and kinds == [True, True] and alike
        case Check.LIVING:
            return fits and other is not None and other.type is CellType.TEXT
        case _:
            return fits


def _column(tables: Mapping[str, Table], table: str | None, name: str | None) -> Column | None:
    found = tables.get(table or "")
    return None if found is None else found.column(name or "")


def _period(tables: Mapping[str, Table], table: str | None) -> CellType | None:
    found = tables.get(table or "")
    period = None if found is None else found.column(found.period or "")
    return None if period is None else period.type


def score(findings: Iterable[Finding]) -> int:
    """Score a batch or a table by its weakest rule."""
    return min((finding.score for finding in findings), default=WHOLE)


def tickets(rules: Sequence[QualityRule], findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Pick what the source's steward should see to, and may: nothing that is about a few."""
    least = {(rule.table, rule.name): rule.least for rule in rules}
    of_many = (one for one in findings if one.enterprises >= LIMITS.least_cohort)
    return tuple(one for one in of_many if one.score < least[one.table, one.rule])


def told(ticket: Finding) -> dict[str, Json]:
    """Say which rule is not held where; the number of rows is rounded, who fails is not told."""
    return {
        "rule": ticket.rule,
        "table": ticket.table,
        "batch": ticket.batch,
        "of": aggregates.count(ticket.of),
    }


def closed_tables(rules: Sequence[QualityRule], findings: Sequence[Finding]) -> frozenset[str]:
    """Name the tables of which no feature is computed: a rule of the whole is below its gate."""
    gate = {(rule.table, rule.name): rule.gate for rule in rules}
    whole = (one for one in findings if one.batch is None)
    return frozenset(one.table for one in whole if one.score < gate[one.table, one.rule])


def check_served(features: Iterable[str], closed: Iterable[str]) -> None:
    """Refuse to compute with a feature whose table is below its gate: missing is no grade."""
    count = len({*features} & {*closed})
    if count:
        raise Refusal("QUALITY_GATE", f"features: {count}")
