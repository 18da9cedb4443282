"""Where do raw facts rest, and when do new ones count?

Encrypted Parquet (modular encryption, AES-GCM) in hash buckets with a random key each; a
part's place is its additional data, so moving or renaming a part is noticed. Parts are only
added. `manifest.json` alone says which parts exist: it is replaced when a source's file was
taken whole, so a crash before that leaves nothing but files that the next start removes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pyarrow.parquet.encryption as pe  # type: ignore[import-untyped]

from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.facts import Table
from saferoom.core.record import Record, check_field
from saferoom.errors import Tampered
from saferoom.vault.batches import ARROW_TYPES
from saferoom.vault.durable import sync, write_file
from saferoom.vault.keys import Keys

FLUSH_BYTES = 128 * 2**20  # of rows in memory; as many again may come in while these are written


@dataclass(frozen=True, kw_only=True)
class Part(Record):
    """One encrypted file of one bucket of one table."""

    table: str
    bucket: int
    file: str
    rows: int


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


@dataclass(frozen=True, kw_only=True)
class FactsManifest(Record):
    """What the folder holds."""

    KIND = "saferoom/facts-manifest/1"
    parts: tuple[Part, ...]
    batches: tuple[Batch, ...]


class FactStore:
    """The folder of facts; one writer at a time."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        """Open, and clear away what no manifest names."""
        self._folder, self._keys = folder, keys
        self._lock = threading.Lock()
        self.manifest = self._read()
        self._clear()

    def has(self, source: str, table: str, digest: str) -> bool:
        """Say whether a file was taken before."""
        return any(
            (batch.source, batch.table, batch.digest) == (source, table, digest)
            for batch in self.manifest.batches
        )

    def mark(self, source: str, table: str) -> str | None:
        """Say how far a database's table was read."""
        batches = [
            batch
            for batch in self.manifest.batches
            if (batch.source, batch.table) == (source, table)
        ]
        return max(batches, key=lambda batch: batch.number).mark if batches else None

    def begin(self, source: str, table: Table) -> Intake:
        """Start to take one file."""
        numbers = [batch.number for batch in self.manifest.batches]
        return Intake(self, source, table, max(numbers, default=0) + 1)

    def read(self, table: Table, bucket: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Decrypt all rows of one bucket of one table, of some columns if they are named."""
        empty = schema_of(table).empty_table()
        names = empty.column_names if columns is None else list(columns)
        parts = [
            self._read_part(part, names)
            for part in self.manifest.parts
            if (part.table, part.bucket) == (table.name, bucket)
        ]
        return pa.concat_tables([empty.select(names), *parts])

    def split(self, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Divide rows by their enterprises' buckets."""
        coded = rows["uscc"].combine_chunks().dictionary_encode()
        by_code = [self._keys.bucket_of(code) for code in coded.dictionary.to_pylist()]
        buckets = np.array(by_code, np.uint8)[coded.indices.to_numpy()]
        rows = rows.take(pa.array(np.argsort(buckets, kind="stable")))
        found, counts = np.unique(buckets, return_counts=True)
        for bucket, end, count in zip(found, np.cumsum(counts), counts, strict=True):
            yield int(bucket), rows.slice(end - count, count)

    def write_part(self, part: Part, rows: pa.Table) -> None:
        """Write one encrypted file and make it durable; no manifest names it yet."""
        path = self._folder / part.file
        path.parent.mkdir(mode=0o700, exist_ok=True)
        sealed = pe.create_encryption_properties(
            self._keys.bucket_key(part.bucket),
            aad_prefix=part.file.encode(),
            store_aad_prefix=False,
        )
        pq.write_table(
            rows,
            path,
            compression="zstd",
            compression_level=1,
            write_statistics=False,
            use_dictionary=[one.name for one in rows.schema if _repeats(one)],
            encryption_properties=sealed,
        )
        sync(path)
        sync(path.parent)

    def commit(self, parts: tuple[Part, ...], batch: Batch) -> None:
        """Let parts count, all or none."""
        with self._lock:
            manifest = FactsManifest(
                parts=(*self.manifest.parts, *parts), batches=(*self.manifest.batches, batch)
            )
            write_file(self._folder / "manifest.json", canonical_bytes(manifest.to_body()))
            self.manifest = manifest

    def discard(self, parts: tuple[Part, ...]) -> None:
        """Remove parts that will never count."""
        for part in parts:
            (self._folder / part.file).unlink(missing_ok=True)

    def _read_part(self, part: Part, columns: list[str]) -> pa.Table:
        opened = pe.create_decryption_properties(
            self._keys.bucket_key(part.bucket), aad_prefix=part.file.encode()
        )
        try:
            file = pq.ParquetFile(self._folder / part.file, decryption_properties=opened)
            return file.read(columns).select(columns)
        except (OSError, pa.ArrowException) as error:
            raise Tampered("CONTENT_CHANGED", "a part of the facts") from error

    def _read(self) -> FactsManifest:
        path = self._folder / "manifest.json"
        if not path.exists():
            return FactsManifest(parts=(), batches=())
        return FactsManifest.from_body(parse_object(path.read_bytes()))

    def _clear(self) -> None:
        named = {self._folder / part.file for part in self.manifest.parts}
        for path in self._folder.glob("*/*.parquet"):
            if path not in named:
                path.unlink()


class Intake:
    """One file on its way in."""

    def __init__(self, store: FactStore, source: str, table: Table, number: int) -> None:
        self._store, self._source, self._table, self._number = store, source, table, number
        self._waiting: list[pa.Table] = []
        self._parts: list[Part] = []
        self._rows = self._flushed = 0
        self._writer = ThreadPoolExecutor(1)  # else nothing comes in while something is written
        self._writing: Future[None] | None = None

    def add(self, rows: pa.Table) -> None:
        """Take a batch of clean rows."""
        self._waiting.append(rows)
        self._rows += rows.num_rows
        if sum(some.nbytes for some in self._waiting) >= FLUSH_BYTES:
            self._flush()

    def commit(
        self, counts: Mapping[str, Json], digest: Digest, taken_at: str, mark: str | None = None
    ) -> Batch:
        """Let the file's rows count, if their number is the one that intake read."""
        check_field(counts.get("rows") == self._rows, "rows")
        quarantined = counts.get("quarantined")
        check_field(type(quarantined) is int, "quarantined")
        self._flush()
        self._settle()
        self._writer.shutdown()
        batch = Batch(
            number=self._number,
            source=self._source,
            table=self._table.name,
            digest=digest,
            rows=self._rows,
            quarantined=int(str(quarantined)),
            taken_at=taken_at,
            mark=mark,
        )
        self._store.commit(tuple(self._parts), batch)
        return batch

    def abort(self) -> None:
        """Leave nothing of the file."""
        self._writer.shutdown()
        self._store.discard(tuple(self._parts))

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._settle()
        rows = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting = []
        count = rows.num_rows
        numbers = np.arange(self._flushed, self._flushed + count, dtype=np.int32)
        rows = rows.append_column("batch", pa.array(np.full(count, self._number, np.int32)))
        rows = rows.append_column("row", pa.array(numbers))
        rows = rows.append_column("source", pa.repeat(pa.scalar(self._source), count))
        self._flushed = self._rows
        self._writing = self._writer.submit(self._write, rows)

    def _settle(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _write(self, rows: pa.Table) -> None:
        for bucket, some in self._store.split(rows):
            name = f"{self._table.name}/{self._number:06d}-{len(self._parts):04d}.parquet"
            part = Part(table=self._table.name, bucket=bucket, file=name, rows=some.num_rows)
            self._parts.append(part)
            self._store.write_part(part, some)


def _repeats(column: pa.Field) -> bool:
    """Say whether a column's values come again and again, so that a dictionary shortens it."""
    return column.type != pa.float64() and column.name not in {"record_id", "row"}


def schema_of(table: Table) -> pa.Schema:
    """Name the columns of a table as they rest."""
    own = [(column.name, ARROW_TYPES[column.type]) for column in table.all_columns]
    return pa.schema([*own, ("batch", pa.int32()), ("row", pa.int32()), ("source", pa.string())])
