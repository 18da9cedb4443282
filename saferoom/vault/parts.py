"""What says which facts there are, and by which key each part opens?

`manifest.json` alone: its parts, in the order in which their rows came in, and for each place
(a bucket, or a cell of one) how many keys it had before the present one. Parts that came in lie
in their bucket; when they are settled (`upkeep.py`) they lie in one of its cells, which is what
one enterprise's erasure rewrites. A bucket has as many cells as keep each of them small, a power
of two, and all its settled parts are of one such division.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.canonical import Digest, Json, parse_object
from saferoom.core.facts import Table
from saferoom.core.record import Record
from saferoom.vault.batches import ARROW_TYPES
from saferoom.vault.keys import BUCKETS

_KIND_2 = "saferoom/facts-manifest/2"
KEYS = "facts/"  # what the names of their keys begin with


@dataclass(frozen=True, kw_only=True)
class Part(Record):
    """One encrypted file of one bucket of one table; of one cell, once it is settled."""

    table: str
    bucket: int
    file: str
    rows: int
    cell: int | None = None
    cells: int | None = None  # that the bucket has

    @property
    def place(self) -> str:
        """Name whose key it rests under."""
        return place_of(self.bucket, self.cell, self.cells)


@dataclass(frozen=True, kw_only=True)
class Batch(Record):
    """One file of a source that was taken whole; it is never taken again."""

    number: int
    source: str
    table: str
    digest: Digest
    rows: int
    quarantined: int
    taken_at: str
    mark: str | None  # of a database's table: how far it was read
    order: Digest | None = None  # by which it came in; None: before orders were kept
    nonce: str | None = None  # that hides what its line commits to (lineage.py)


@dataclass(frozen=True, kw_only=True)
class Renewal(Record):
    """How often a place was given a new key."""

    place: str
    times: int


@dataclass(frozen=True, kw_only=True)
class FactsManifest(Record):
    """What the folder holds."""

    KIND = "saferoom/facts-manifest/3"
    parts: tuple[Part, ...] = ()
    batches: tuple[Batch, ...] = ()
    renewals: tuple[Renewal, ...] = ()

    def key_name(self, place: str) -> str:
        """Name the key of a place."""
        times = next((one.times for one in self.renewals if one.place == place), 0)
        return f"{KEYS}{place}/{times}"

    def next_key_name(self, place: str) -> str:
        """Name the key that a place is given next."""
        name, times = self.key_name(place).rsplit("/", 1)
        return f"{name}/{int(times) + 1}"

    def renewed(self, place: str) -> tuple[Renewal, ...]:
        """Count a new key of one place."""
        times = int(self.next_key_name(place).rsplit("/", 1)[1])
        others = tuple(one for one in self.renewals if one.place != place)
        return (*others, Renewal(place=place, times=times))

    def key_names(self) -> set[str]:
        """Name every key that is needed: of each bucket, and of each cell with rows."""
        places = {part.place for part in self.parts} | {place_of(n) for n in range(BUCKETS)}
        return {self.key_name(place) for place in places}


def place_of(bucket: int, cell: int | None = None, cells: int | None = None) -> str:
    """Name a bucket, or one of its cells."""
    return f"{bucket}" if cell is None else f"{bucket}.{cell}-{cells}"


def name_of(table: str, place: str, random: bytes) -> str:
    """Name a file as no other ever was: its name is its additional data."""
    return f"{table}/{place}-{random[:8].hex()}.parquet"


def read_manifest(path: Path) -> FactsManifest:
    """Read it; a folder without one holds nothing."""
    if not path.exists():
        return FactsManifest()
    body = parse_object(path.read_bytes())
    return FactsManifest.from_body(_since_2(body) if body.get("kind") == _KIND_2 else body)


def _since_2(body: dict[str, Json]) -> dict[str, Json]:
    """Read a manifest from before batches kept their orders."""
    listed = body.get("batches")
    batches: list[Json] = [
        {**one, "order": None, "nonce": None}
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]
    return {**body, "kind": FactsManifest.KIND, "batches": batches}


def schema_of(table: Table) -> pa.Schema:
    """Name the columns of a table as they rest."""
    own = [(column.name, ARROW_TYPES[column.type]) for column in table.all_columns]
    return pa.schema([*own, ("batch", pa.int32()), ("row", pa.int32()), ("source", pa.string())])
