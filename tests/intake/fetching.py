"""How do tests take a source's service in, and see what the vault has of it?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from saferoom.core.service import Connection, Format, Paging, Resource, Service, TokenClient
from saferoom.core.source import Encoding, SourceManifest
from saferoom.vault.connections import Place
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Counts, Ingestion
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from tests import factories as make
from tests.intake.service import HOST, NETWORKS, papers
from tests.intake.taking import DECLARED
from tests.vault.room import CODES

TABLE = DECLARED.tables["tax_month"]
_STYLES: dict[str, dict[str, object]] = {
    "whole": {"rows": None},
    "paged": {"rows": None, "paging": Paging.PAGE, "parameter": "page", "first": 1},
    "cursor": {"paging": Paging.CURSOR, "parameter": "cursor", "next": "next"},
    "linked": {"rows": None, "paging": Paging.LINK},
    "csv": {"rows": None, "format": Format.CSV},
}


def resource(style: str, **changes: object) -> Resource:
    fields: dict[str, object] = {
        "path": f"/v1/{style}",
        "format": Format.JSON,
        "rows": "data",
        "paging": Paging.NONE,
        "parameter": None,
        "first": None,
        "next": None,
        "since": None,
    }
    return Resource(**{**fields, **_STYLES[style], **changes})  # type: ignore[arg-type]


def service(**changes: object) -> Service:
    fields: dict[str, object] = {
        "hosts": (HOST,),
        "networks": NETWORKS,
        "calls_per_minute": 6_000,
    }
    return Service(**{**fields, **changes})  # type: ignore[arg-type]


def manifest(
    one: Resource, encoding: Encoding = Encoding.UTF_8, **changes: object
) -> SourceManifest:
    source = DECLARED.sources["tax"]
    declared = next(table for table in source.tables if table.table == TABLE.name)
    table = replace(
        declared,
        path=None,
        resource=one,
        watermark=() if one.since is None else ("changed", "serial"),
        ignore=(*declared.ignore, "changed", "serial"),
    )
    fields: dict[str, object] = {
        "tables": (table,),
        "encoding": encoding,
        "service": service(),
    }
    return replace(source, **{**fields, **changes})  # type: ignore[arg-type]


def connection(address: str, **changes: object) -> Connection:
    fields: dict[str, object] = {
        "address": f"{address}",
        "authority": papers().authority,
        "certificate": None,
        "key": None,
        "token": None,
    }
    return Connection(**{**fields, **changes})  # type: ignore[arg-type]


def token_client(address: str, **changes: object) -> TokenClient:
    fields: dict[str, object] = {
        "address": f"{address}/token",
        "client_id": "room",
        "client_secret": "s/ecret",
        "scope": None,
    }
    return TokenClient(**{**fields, **changes})  # type: ignore[arg-type]


def filing(serial: int, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "serial": serial,
        "changed": "2026-11-01T12:00:00Z",  # the same for many: only the serial tells them apart
        "src_org": "a",
        "batch_id": "b",
        "uscc": CODES[serial % len(CODES)],
        "record_id": f"T-{serial}",
        "event_date": "2026-09-30",
        "known_at": "2026-10-12T01:30:00Z",
        "status": "valid",
        "period": "2026-09",
        "sales": 10.25,
        "vat": 0.1 + 0.2,
        "cit": None,
        "due": "2026-10-15",
        "filed_at": None,
        "paid_at": None,
    }
    return row | changes


class Room:
    """A vault's store, and what came to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sealing = create_keys(folder / "keys", os.urandom)
        self._keys = Keys(folder / "keys", os.urandom)
        (folder / "facts").mkdir()
        self.store = FactStore(folder / "facts", self._keys)

    def run(
        self, source: SourceManifest, place: Place = None, folder: Path | None = None
    ) -> Counts:
        run = Ingestion(self.store, DECLARED.tables, self._sealing, make.NOW)
        return run.run(source, folder or self._folder, place=place)

    def taken(self) -> list[str]:
        """List what a fresh start finds, in files that the manifest names and no others."""
        named = {self._folder / "facts" / part.file for part in self.store.manifest.parts}
        assert set((self._folder / "facts").rglob("*.parquet")) == named
        fresh = FactStore(self._folder / "facts", self._keys)
        every = [fresh.read(TABLE, bucket)["record_id"] for bucket in range(BUCKETS)]
        return sorted(one for some in every for one in some.to_pylist())
