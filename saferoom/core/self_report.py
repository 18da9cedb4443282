"""What does an enterprise say of itself, and who says so?

Figures that no department brings, or not yet: the enterprise signs that they are true, and seals
them to the vault, so that whoever carries the statement reads none. They rest in tables of their
own (`self_reported` in facts.toml), reach views that say so, and stand in for no official figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import canonical_bytes
from saferoom.core.enrolment import Lookup, check_enterprise
from saferoom.core.facts import COMMON, Table
from saferoom.core.moment import FRESH, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Refusal

MOST_ROWS = 240  # of one report: twenty years of months
MOST_SEALED = 256 * 2**10  # bytes
LONGEST_CELL = 1_000
OWN_CELLS = ("record_id", "event_date")  # of the common columns; the vault knows the others


@dataclass(frozen=True, kw_only=True)
class SelfReport(Record):
    """One enterprise's rows of one table, which only the vault can read."""

    KIND: ClassVar[str] = "saferoom/self-report/1"
    enterprise: str
    table: str
    sealed: str  # `ReportRows`, sealed to the vault, hexadecimal
    pledged: bool  # that the figures are true, and that the enterprise answers for them
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges; a report without the pledge does not exist."""
        check_field(len(self.enterprise) == 18, "enterprise")
        check_field(0 < len(self.table) <= 40, "table")
        check_field(0 < len(self.sealed) <= 2 * MOST_SEALED, "sealed")
        hex_bytes(self.sealed, len(self.sealed) // 2)
        check_field(self.pledged, "pledged")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class ReportRow(Record):
    """One row as written: a text for each column of the report, empty where it is unknown."""

    cells: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(all(len(cell) <= LONGEST_CELL for cell in self.cells), "cells")


@dataclass(frozen=True, kw_only=True)
class ReportRows(Record):
    """What is sealed: rows of some columns; intake judges each cell like any source's."""

    KIND: ClassVar[str] = "saferoom/self-report-rows/1"
    columns: tuple[str, ...]
    rows: tuple[ReportRow, ...]

    def __post_init__(self) -> None:
        """Check that every row has its cells, and each column stands once."""
        check_field(len(set(self.columns)) == len(self.columns) <= 100, "columns")
        check_field(0 < len(self.rows) <= MOST_ROWS, "rows")
        check_field(all(len(row.cells) == len(self.columns) for row in self.rows), "rows")


def report_aad(enterprise: str, table: str) -> bytes:
    """Bind sealed rows to whose they are: copied, they open in no other's report."""
    return b"saferoom/self-report/1\0" + canonical_bytes({"enterprise": enterprise, "table": table})


def check_self_report(statement: Statement, lookup: Lookup, now: datetime) -> SelfReport:
    """Accept a fresh report, signed by the enterprise's own key and by nothing else."""
    report = SelfReport.from_body(statement.body)
    check_enterprise(statement, report.enterprise, lookup)
    if abs(now - read_instant(report.asked_at)) > FRESH:
        raise Refusal("REPLAY")
    return report


def check_reportable(table: Table | None) -> Table:
    """Refuse a table that a department answers for: no one's own word stands in it."""
    if table is None or not table.self_reported:
        raise Refusal("CONTRACT_SCOPE", "no table for an enterprise's own figures")
    return table


def full_rows(rows: ReportRows, table: Table, enterprise: str, now: str) -> list[list[str]]:
    """Write the rows as a source would, headings first: whose and when known is not theirs to say.

    A column that the report leaves out is empty; one that it may not name is refused.
    """
    names = [column.name for column in table.all_columns]
    given = {*OWN_CELLS, *(column.name for column in table.columns)}
    if not set(rows.columns) <= given:
        raise BadInput("SOURCE_MALFORMED", f"the headings of {table.name}")
    fixed = {**dict.fromkeys((one.name for one in COMMON), ""), "uscc": enterprise, "known_at": now}
    written = [names]
    for row in rows.rows:
        cells = fixed | dict(zip(rows.columns, row.cells, strict=True))
        written.append([cells.get(name, "") for name in names])
    return written
