"""Is a table good enough to compute features from?

Declared rules, each a share of a thousand: below `least` the source's steward is told, below
`gate` features of the table are missing rather than wrong. Only counts are compared here; who
counts, counts over rows that never leave. A table without rows says nothing about its quality:
what is not there is missing anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from saferoom.canonical import Json
from saferoom.core import aggregates
from saferoom.core.aggregates import LIMITS
from saferoom.core.facts import CellType, Table
from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput

WHOLE = 1000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Check(StrEnum):
    """What is counted: how many of how many hold."""

    COMPLETE = "complete"  # rows whose column is not empty, of all rows
    VALID = "valid"  # rows taken in, of those and the quarantined
    TIMELY = "timely"  # rows known within so many days of their event, of all rows
    CONTINUOUS = "continuous"  # months that an enterprise has, of those from its first to its last
    CROSS = "cross"  # enterprises that another table knows too, of all in this one


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

    def __post_init__(self) -> None:
        """Check that exactly what the check needs is said."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 <= self.gate <= self.least <= WHOLE, "least")
        check_field((self.column is not None) == (self.check is Check.COMPLETE), "column")
        check_field((self.days is not None) == (self.check is Check.TIMELY), "days")
        check_field(self.days is None or 0 < self.days <= 3660, "days")
        check_field((self.other is not None) == (self.check is Check.CROSS), "other")


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
        table = tables.get(rule.table)
        fits = table is not None and (rule.other is None or rule.other in tables)
        if table is not None and rule.column is not None:
            fits = fits and table.column(rule.column) is not None
        if table is not None and rule.check is Check.CONTINUOUS:
            period = table.column(table.period or "")
            fits = period is not None and period.type is CellType.MONTH
        if not fits:
            raise BadInput("POLICY_INVALID", f"quality rule {rule.table}.{rule.name}")


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
