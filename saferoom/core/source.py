"""How does a source name its files and columns?

A source manifest is what `connectors/<name>/connector.toml` declares: files of its folder, or
tables of its database, not both. Only headings that it names are accepted; those under `ignore`
are known and never read. Where a database is, and by which name it lets us in, stands in no
manifest: that is the vault's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.facts import Table
from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PATTERN = re.compile(r"[A-Za-z0-9_*-]{1,60}\.(?:csv|parquet)")  # no folders, so nothing outside


_RELATION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(?:\.[A-Za-z_][A-Za-z0-9_]{0,62})?")


class Encoding(StrEnum):
    """How a source writes characters."""

    UTF_8 = "utf-8"
    GBK = "gbk"


@dataclass(frozen=True, kw_only=True)
class Heading(Record):
    """Our column and the source's heading."""

    column: str
    heading: str


@dataclass(frozen=True, kw_only=True)
class SourceTable(Record):
    """One table of a source."""

    table: str
    path: str | None = None  # a pattern inside the source's folder
    relation: str | None = None  # else a table of its database, perhaps of a schema
    watermark: tuple[str, ...] = ()  # of a relation: headings that grow, together never the same
    headings: tuple[Heading, ...]
    ignore: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that each heading and each column stands once."""
        check_field((self.path is None) != (self.relation is None), "path")
        check_field(self.path is None or _PATTERN.fullmatch(self.path) is not None, "path")
        check_field(
            self.relation is None or _RELATION.fullmatch(self.relation) is not None, "relation"
        )
        theirs = [*(one.heading for one in self.headings), *self.ignore]
        check_field(len(set(theirs)) == len(theirs), "headings")
        ours = [one.column for one in self.headings]
        check_field(len(set(ours)) == len(ours), "headings")
        marks = set(self.watermark)
        check_field(marks <= set(theirs) and len(marks) == len(self.watermark), "watermark")
        check_field(bool(marks) == (self.relation is not None), "watermark")


@dataclass(frozen=True, kw_only=True)
class SourceManifest(Record):
    """One connector of one source party."""

    KIND: ClassVar[str] = "saferoom/source/1"
    name: str
    party: str
    title_zh: str
    title_en: str
    encoding: Encoding
    tables: tuple[SourceTable, ...]

    def __post_init__(self) -> None:
        """Check names."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 < len(self.party) <= 64, "party")
        check_field(len(self.tables) > 0, "tables")
        check_field(len({one.path is None for one in self.tables}) == 1, "tables")

    @property
    def is_database(self) -> bool:
        """Say whether it is read by queries; else it is a folder of files."""
        return self.tables[0].relation is not None


def check_source(manifest: SourceManifest, tables: Mapping[str, Table]) -> None:
    """Refuse what is not declared in facts.toml, and what leaves a column without a heading."""
    for source in manifest.tables:
        table = tables.get(source.table)
        if table is None:
            raise BadInput("SOURCE_MALFORMED", "a table that facts.toml does not list")
        ours = {one.column for one in source.headings}
        if ours != {column.name for column in table.all_columns}:
            raise BadInput("SOURCE_MALFORMED", f"the headings of {table.name}")
