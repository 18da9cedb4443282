"""Where do raw facts rest, and when do new ones count?

Encrypted Parquet (modular encryption, AES-GCM) in hash buckets with a random key each; a
part's place is its additional data, so moving or renaming a part is noticed. A part is never
changed: it is added, or others take its place (`upkeep.py`). `manifest.json` alone says which
parts exist: it is replaced when a source's file was taken whole, so a crash before that leaves
nothing but files, and keys of files, that the next start removes.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pyarrow.parquet.encryption as pe  # type: ignore[import-untyped]

from saferoom.canonical import Digest, Json, canonical_bytes
from saferoom.core.facts import Table
from saferoom.core.record import check_field
from saferoom.errors import Tampered
from saferoom.vault.bucket_files import BucketFiles
from saferoom.vault.durable import sync_all, write_file
from saferoom.vault.keys import Keys, bucket_of, cell_of
from saferoom.vault.parts import (
    KEYS,
    Batch,
    FactsManifest,
    Part,
    Renewal,
    place_of,
    read_manifest,
    schema_of,
)
from saferoom.vault.tombstones import Tombstones

FLUSH_BYTES = 32 * 2**20  # of rows in memory; as many again may come in while these are written


class FactStore:
    """The folder of facts; one writer at a time."""

    def __init__(self, folder: Path, keys: Keys, tombstones: Tombstones | None = None) -> None:
        """Open, and clear away what no manifest names."""
        self._folder, self.keys = folder, keys
        self._tombstones = tombstones or Tombstones(keys)
        self._lock = threading.Lock()
        self.manifest = read_manifest(folder / "manifest.json")
        keys.add(self.manifest.key_names() if not keys.names(KEYS) else ())
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

    def begin(self, source: str, table: Table, order: Digest | None = None) -> Intake:
        """Start to take one file, by an order."""
        numbers = [batch.number for batch in self.manifest.batches]
        return Intake(self, source, table, max(numbers, default=0) + 1, order)

    def read_own(self, table: Table, enterprise: str) -> pa.Table:
        """Decrypt one enterprise's rows of one table, and no more than its place holds."""
        mark = self.keys.mark_of(enterprise)
        empty = schema_of(table).empty_table()
        places = [
            part
            for part in self.manifest.parts
            if (part.table, part.bucket) == (table.name, bucket_of(mark))
            and (part.cell is None or part.cell == cell_of(mark, part.cells or 1))
        ]
        rows = (self.read_part(part, empty.column_names) for part in places)
        return pa.concat_tables([empty, *(one.filter(_of(enterprise)) for one in rows)])

    def read(self, table: Table, bucket: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Decrypt all rows of one bucket of one table, of some columns if they are named."""
        empty = schema_of(table).empty_table()
        names = empty.column_names if columns is None else list(columns)
        parts = [
            self.read_part(part, names)
            for part in self.manifest.parts
            if (part.table, part.bucket) == (table.name, bucket)
        ]
        return pa.concat_tables([empty.select(names), *parts])

    def split(self, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Divide rows by their enterprises' buckets; what was erased does not come back."""
        rows = self._tombstones.spare(rows)
        coded = rows["uscc"].combine_chunks().dictionary_encode()
        by_code = [self.keys.bucket_of(code) for code in coded.dictionary.to_pylist()]
        buckets = np.array(by_code, np.uint8)[coded.indices.to_numpy()]
        rows = rows.take(pa.array(np.argsort(buckets, kind="stable")))
        found, counts = np.unique(buckets, return_counts=True)
        for bucket, end, count in zip(found, np.cumsum(counts), counts, strict=True):
            yield int(bucket), rows.slice(end - count, count)

    def sync(self, parts: Sequence[Part]) -> None:
        """Make parts durable."""
        paths = [self._folder / part.file for part in parts]
        sync_all([*paths, *{path.parent for path in paths}])

    def write_under(self, key: str, part: Part, rows: pa.Table) -> None:
        """Write a part under this key, which the manifest that names the part will name too."""
        with self._writer(key, part.file, rows.schema) as writer:
            writer.write_table(rows)

    def begin_part(self, bucket: int, file: str, schema: pa.Schema) -> pq.ParquetWriter:
        """Begin a part of a bucket, to be written a piece at a time; no manifest names it yet."""
        return self._writer(self.manifest.key_name(place_of(bucket)), file, schema)

    def _writer(self, key: str, file: str, schema: pa.Schema) -> pq.ParquetWriter:
        path = self._folder / file
        path.parent.mkdir(mode=0o700, exist_ok=True)
        sealed = pe.create_encryption_properties(
            self.keys.key(key), aad_prefix=file.encode(), store_aad_prefix=False
        )
        return pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=1,
            write_statistics=False,
            use_dictionary=[one.name for one in schema if _repeats(one)],
            encryption_properties=sealed,
        )

    def commit(self, parts: tuple[Part, ...], batch: Batch) -> None:
        """Let parts count, all or none."""
        with self._lock:
            self._replace(
                FactsManifest(
                    parts=(*self.manifest.parts, *parts),
                    batches=(*self.manifest.batches, batch),
                    renewals=self.manifest.renewals,
                )
            )

    def exchange(
        self, old: Collection[Part], new: tuple[Part, ...], renewals: tuple[Renewal, ...]
    ) -> None:
        """Let new parts count instead of others, all or none; then files and keys go."""
        gone = {part.file for part in old}
        with self._lock:
            left = tuple(part for part in self.manifest.parts if part.file not in gone)
            self._replace(
                FactsManifest(parts=(*left, *new), batches=self.manifest.batches, renewals=renewals)
            )
        self.discard(gone)
        self.keys.keep_only(KEYS, self.manifest.key_names())

    def discard(self, files: Iterable[str]) -> None:
        """Remove files that no manifest names, or will."""
        for file in files:
            (self._folder / file).unlink(missing_ok=True)

    def read_part(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        """Decrypt one part."""
        rows = read_part(self._folder, self.keys, self.manifest, part, columns)
        return rows if columns is None else rows.select(columns)

    def _replace(self, manifest: FactsManifest) -> None:
        write_file(self._folder / "manifest.json", canonical_bytes(manifest.to_body()))
        self.manifest = manifest

    def _clear(self) -> None:
        named = {self._folder / part.file for part in self.manifest.parts}
        for path in self._folder.glob("*/*.parquet"):
            if path not in named:
                path.unlink()
        self.keys.keep_only(KEYS, self.manifest.key_names())


class Intake:
    """One file on its way in."""

    def __init__(  # what a batch is, made by the store alone
        self,
        store: FactStore,
        source: str,
        table: Table,
        number: int,
        order: Digest | None = None,
    ) -> None:
        self._store, self._source, self._table, self._number = store, source, table, number
        self._order = order
        self._waiting: list[pa.Table] = []
        self._files = BucketFiles(store.begin_part, table.name, store.keys.new_key)
        self._rows = self._flushed = self._size = 0
        self._committing = False
        self._writer = ThreadPoolExecutor(1)  # else nothing comes in while something is written
        self._writing: Future[None] | None = None

    def add(self, rows: pa.Table) -> None:
        """Take a batch of clean rows."""
        self._waiting.append(rows)
        self._rows += rows.num_rows
        self._size += rows.nbytes
        if self._size >= FLUSH_BYTES:
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
        parts = self._files.finish()
        self._store.sync(parts)
        batch = Batch(
            number=self._number,
            source=self._source,
            table=self._table.name,
            digest=digest,
            rows=self._rows,
            quarantined=int(str(quarantined)),
            taken_at=taken_at,
            mark=mark,
            order=self._order,
            nonce=self._store.keys.random(32).hex(),
        )
        # From here on a fault may come after the manifest names them: the next start decides.
        self._committing = True
        self._store.commit(parts, batch)
        return batch

    def abort(self) -> None:
        """Leave nothing of the file."""
        self._writer.shutdown()
        if not self._committing:
            self._store.discard(self._files.give_up())

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._settle()
        rows = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._size = [], 0
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
            self._files.add(bucket, some)


def _of(enterprise: str) -> pc.Expression:
    return pc.field("uscc") == enterprise


def _repeats(column: pa.Field) -> bool:
    """Say whether a column's values come again and again, so that a dictionary shortens it."""
    return column.type != pa.float64() and column.name not in {"record_id", "row"}


def read_part(
    folder: Path,
    keys: Keys,
    manifest: FactsManifest,
    part: Part,
    columns: list[str] | None = None,
) -> pa.Table:
    """Decrypt one part; one that was changed, moved or removed is noticed."""
    opened = pe.create_decryption_properties(
        keys.key(manifest.key_name(part.place)), aad_prefix=part.file.encode()
    )
    try:
        return pq.ParquetFile(folder / part.file, decryption_properties=opened).read(columns)
    except (OSError, pa.ArrowException) as error:
        raise Tampered("CONTENT_CHANGED", "a part of the facts") from error
