"""How does a source name its files and columns?

A source manifest is what `connectors/<name>/connector.toml` declares: files of its folder,
tables of its database, or resources of its service; one of the three. Only headings that it names
are accepted; those under `ignore` are known and never read. By which name a database or service
lets us in stands in no manifest: that is the vault's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.canonical import Json
from saferoom.core.facts import Table
from saferoom.core.record import Record, check_field
from saferoom.core.service import Resource, Service
from saferoom.core.store import Protocol
from saferoom.errors import BadInput

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PATTERN = re.compile(
    r"[A-Za-z0-9_*-]{1,60}\.(?:csv|parquet|xlsx)"
)  # no folders, so nothing outside
_RELATION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(?:\.[A-Za-z_][A-Za-z0-9_]{0,62})?")


SELF = "self"  # the source of what enterprises report of themselves; no connector's name


class Reached(StrEnum):
    """How a source's tables are reached."""

    FILES = "files"
    STORE = "store"
    DATABASE = "database"
    SERVICE = "service"


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
    resource: Resource | None = None  # else of its service
    watermark: tuple[str, ...] = ()  # headings that grow, together never the same
    headings: tuple[Heading, ...]
    ignore: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that each heading and each column stands once."""
        check_field([self.path, self.relation, self.resource].count(None) == 2, "path")
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
        grows = self.resource.since if self.resource is not None else self.relation
        check_field(bool(marks) == (grows is not None), "watermark")

    @property
    def reached(self) -> Reached:
        """Say where its rows come from."""
        if self.path is not None:
            return Reached.FILES
        return Reached.SERVICE if self.relation is None else Reached.DATABASE


@dataclass(frozen=True, kw_only=True)
class SourceManifest(Record):
    """One connector of one source party."""

    KIND: ClassVar[str] = "saferoom/source/1"
    name: str
    party: str
    title_zh: str
    title_en: str
    encoding: Encoding
    service: Service | None = None  # whom intake calls, where it calls
    store: Protocol | None = None  # by what it reads files that lie elsewhere
    tables: tuple[SourceTable, ...]

    def __post_init__(self) -> None:
        """Check names."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 < len(self.party) <= 64, "party")
        check_field(len(self.tables) > 0, "tables")
        check_field(len({one.reached for one in self.tables}) == 1, "tables")
        check_field((self.reached is Reached.SERVICE) == (self.service is not None), "service")
        check_field(self.store is None or self.reached is Reached.STORE, "store")

    @property
    def reached(self) -> Reached:
        """Say where its tables come from: one place for all of them."""
        found = self.tables[0].reached
        return Reached.STORE if found is Reached.FILES and self.store is not None else found


def check_source(manifest: SourceManifest, tables: Mapping[str, Table]) -> None:
    """Refuse what facts.toml does not declare for a source, and a column without a heading."""
    for source in manifest.tables:
        table = tables.get(source.table)
        if table is None:
            raise BadInput("SOURCE_MALFORMED", "a table that facts.toml does not list")
        if table.self_reported != (manifest.name == SELF):
            raise BadInput("SOURCE_MALFORMED", f"who brings {table.name}")
        ours = {one.column for one in source.headings}
        if ours != {column.name for column in table.all_columns}:
            raise BadInput("SOURCE_MALFORMED", f"the headings of {table.name}")


# What a connector.toml may leave out.
_UNSAID: dict[str, Json] = {
    "path": None,
    "relation": None,
    "resource": None,
    "watermark": [],
    "ignore": [],
}
_UNSAID_OF_RESOURCE: dict[str, Json] = {
    "rows": None,
    "paging": "none",
    "parameter": None,
    "first": None,
    "next": None,
    "since": None,
}
_UNSAID_OF_SERVICE: dict[str, Json] = {"networks": [], "calls_per_minute": 60}


def declared_body(document: Mapping[str, Json]) -> dict[str, Json]:
    """Turn what a connector.toml says into a manifest's body, with all that it leaves unsaid."""
    tables, service = document.get("tables"), document.get("service")
    check_field(isinstance(tables, dict), "tables")
    assert isinstance(tables, dict)
    return {
        **document,
        "kind": SourceManifest.KIND,
        "store": document.get("store"),
        "service": _UNSAID_OF_SERVICE | service if isinstance(service, dict) else service,
        "tables": [_declared_table(name, body) for name, body in tables.items()],
    }


def _declared_table(name: str, body: Json) -> Json:
    check_field(isinstance(body, dict), "tables")
    assert isinstance(body, dict)
    columns, resource = body.get("columns"), body.get("resource")
    check_field(isinstance(columns, dict), "columns")
    assert isinstance(columns, dict)
    headings: list[Json] = [{"column": our, "heading": its} for our, its in columns.items()]
    said = {key: value for key, value in body.items() if key != "columns"}
    if isinstance(resource, dict):
        said["resource"] = _UNSAID_OF_RESOURCE | resource
    return _UNSAID | {"table": name, "headings": headings} | said
