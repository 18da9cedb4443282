"""How does a source name its files and columns?

A source manifest is what `connectors/<name>/connector.toml` declares. Only headings that
it names are accepted; those under `ignore` are known and never read.
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
    path: str  # a pattern inside the source's folder
    headings: tuple[Heading, ...]
    ignore: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that each heading and each column stands once."""
        check_field(_PATTERN.fullmatch(self.path) is not None, "path")
        theirs = [*(one.heading for one in self.headings), *self.ignore]
        check_field(len(set(theirs)) == len(theirs), "headings")
        ours = [one.column for one in self.headings]
        check_field(len(set(ours)) == len(ours), "headings")


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


def check_source(manifest: SourceManifest, tables: Mapping[str, Table]) -> None:
    """Refuse what is not declared in facts.toml, and what leaves a column without a heading."""
    for source in manifest.tables:
        table = tables.get(source.table)
        if table is None:
            raise BadInput("SOURCE_MALFORMED", "a table that facts.toml does not list")
        ours = {one.column for one in source.headings}
        if ours != {column.name for column in table.all_columns}:
            raise BadInput("SOURCE_MALFORMED", f"the headings of {table.name}")
