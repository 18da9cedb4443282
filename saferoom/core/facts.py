"""Which raw tables may rest in the vault, and what must their cells look like?

Declared by the operator in `policies/facts.toml`. What is not declared is not ingested;
intake parses by these records and the vault stores by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from saferoom.core.record import Record, check_field
from saferoom.core.views import Level

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class CellType(StrEnum):
    """What a cell may hold."""

    TEXT = "text"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"
    INSTANT = "instant"


class Status(StrEnum):
    """Where a record stands with its source and its enterprise."""

    VALID = "valid"
    DISPUTED = "disputed"
    REPAIRED = "repaired"
    CORRECTED = "corrected"
    ERASED = "erased"


@dataclass(frozen=True, kw_only=True)
class Column(Record):
    """One column of facts."""

    name: str
    type: CellType
    level: Level
    optional: bool = False  # an empty cell means unknown, or that it has not happened
    future: bool = False  # a day after intake is allowed
    longest: int = 200  # characters of a text
    least: int | None = None  # of a number
    one_of: tuple[str, ...] = ()  # the only texts allowed, if any

    def __post_init__(self) -> None:
        """Check ranges: names become identifiers in queries."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 < self.longest <= 1000, "longest")


# Every table has these; `batch`, `row` and `source` are added by the vault.
COMMON = (
    Column(name="uscc", type=CellType.TEXT, level=Level.L2, longest=18),
    Column(name="record_id", type=CellType.TEXT, level=Level.L2, longest=64),
    Column(name="event_date", type=CellType.DAY, level=Level.L2),
    Column(name="known_at", type=CellType.INSTANT, level=Level.L2),
    Column(
        name="status",
        type=CellType.TEXT,
        level=Level.L2,
        optional=True,
        one_of=tuple(Status),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Table(Record):
    """One table of facts; `period` names the column whose last day is event_date."""

    name: str
    title_zh: str
    title_en: str
    items: tuple[str, ...]  # of the catalogue, that allow it
    period: str | None
    columns: tuple[Column, ...]
    self_reported: bool = False  # by the enterprise itself; no source brings it

    def __post_init__(self) -> None:
        """Check names."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(bool(self.items), "items")
        names = [column.name for column in self.all_columns]
        check_field(len(set(names)) == len(names), "columns")
        check_field(not {"batch", "row", "source"} & set(names), "columns")
        if self.period is not None:
            kinds = {column.name: column.type for column in self.columns}
            check_field(kinds.get(self.period) in {CellType.MONTH, CellType.YEAR}, "period")

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """List the common columns, then the table's own."""
        return (*COMMON, *self.columns)

    def column(self, name: str) -> Column | None:
        """Find a column by name."""
        return next((column for column in self.all_columns if column.name == name), None)
