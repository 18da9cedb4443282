"""How are facts kept in few files, re-encrypted, and rid of an enterprise?

All three are one act: read some parts, write their rows again, exchange them in the manifest.
Rows keep their order within each enterprise, so no question as of any day is answered otherwise.
A crash before the exchange leaves the old parts and keys, one after it the new ones; the next
start removes the others.

*Settling* takes what came in into a bucket's cells: many small parts into one for each table and
cell. *Renewing* writes a place's parts again under a new key, and the old key is destroyed. An
*erasure* settles the enterprise's bucket and renews bucket and cell without its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.vault.facts import FactStore
from saferoom.vault.keys import cell_of
from saferoom.vault.parts import FactsManifest, Part, name_of, place_of

MOST_PARTS = 8  # of one table in one place, until they are made one
MOST_UNSETTLED = 200_000  # rows of a bucket
CELL_ROWS = 100_000  # of all tables: what an erasure writes again
MOST_CELLS = 4096
Spare = Callable[[pa.Table], pa.Table]  # what is left of some rows


def untidy(manifest: FactsManifest) -> list[int]:
    """Name the buckets whose rows lie in too many parts, or unsettled; the worst first."""
    parts = Counter((part.bucket, part.table, part.cell) for part in manifest.parts)
    unsettled: Counter[int] = Counter()
    for part in manifest.parts:
        if part.cell is None:
            unsettled[part.bucket] += part.rows
    worst = [(n / MOST_PARTS, bucket) for (bucket, *_), n in parts.items()]
    worst += [(n / MOST_UNSETTLED, bucket) for bucket, n in unsettled.items()]
    return list(dict.fromkeys(bucket for much, bucket in sorted(worst, reverse=True) if much > 1))


def settle(store: FactStore, bucket: int) -> None:
    """Take what came into a bucket into its cells, and make many small parts one."""
    cells = _wanted_cells(store.manifest, bucket)
    crowded = _crowded(store.manifest, bucket)
    again = [
        part
        for part in _settled(store.manifest, bucket)
        if part.cells != cells or (part.table, part.cell) in crowded
    ]
    _rewrite(store, bucket, cells, again, ())


def renew(store: FactStore, bucket: int) -> None:
    """Write a whole bucket again under new keys, cell by cell."""
    cells = _wanted_cells(store.manifest, bucket)
    again = [part for part in _settled(store.manifest, bucket) if part.cells != cells]
    _rewrite(store, bucket, cells, again, [place_of(bucket)])
    for cell in sorted({part.cell or 0 for part in _settled(store.manifest, bucket)}):
        own = [part for part in _settled(store.manifest, bucket) if part.cell == cell]
        _rewrite(store, bucket, cells, own, [place_of(bucket, cell, cells)])


def erase(store: FactStore, mark: bytes, bucket: int) -> None:
    """Write an enterprise's cell again without it; nothing else of its bucket is its own."""
    settled = _settled(store.manifest, bucket)
    cells = next((p.cells for p in settled if p.cells), _wanted_cells(store.manifest, bucket))
    cell = cell_of(mark, cells)

    def spare(rows: pa.Table) -> pa.Table:
        codes = rows["uscc"].combine_chunks().dictionary_encode()
        theirs = [store.keys.mark_of(code) == mark for code in codes.dictionary.to_pylist()]
        if not any(theirs):
            return rows
        return rows.filter(pa.array(~np.array(theirs)[codes.indices.to_numpy()]))

    places = [place_of(bucket), place_of(bucket, cell, cells)]
    own = [part for part in settled if part.cell == cell]
    _rewrite(store, bucket, cells, own, places, spare)


def _wanted_cells(manifest: FactsManifest, bucket: int) -> int:
    """Say how many cells keep each small; never fewer than there are."""
    rows = sum(part.rows for part in manifest.parts if part.bucket == bucket)
    cells = max([1, *(part.cells or 1 for part in _settled(manifest, bucket))])
    while rows > cells * CELL_ROWS and cells < MOST_CELLS:
        cells *= 2
    return cells


def _settled(manifest: FactsManifest, bucket: int) -> list[Part]:
    return [p for p in manifest.parts if p.bucket == bucket and p.cell is not None]


def _rewrite(  # noqa: PLR0917  # one exchange, from what to what
    store: FactStore,
    bucket: int,
    cells: int,
    again: Sequence[Part],
    renew: Sequence[str],
    spare: Spare | None = None,
) -> None:
    """Settle a bucket with these settled parts, under the keys that they are to have."""
    unsettled = [p for p in store.manifest.parts if p.bucket == bucket and p.cell is None]
    old = [*again, *unsettled]
    if not old and not renew:
        return
    renewals = store.manifest.renewals
    for place in renew:
        renewals = FactsManifest(renewals=renewals).renewed(place)
    after = FactsManifest(renewals=renewals)
    written: list[Part] = []
    try:
        for table, parts in _by_table(old):
            rows = pa.concat_tables([store.read_part(part) for part in parts])
            written += _write(store, after, (table, bucket, cells), spare(rows) if spare else rows)
        store.keys.add(after.key_name(place) for place in renew)
        store.sync(written)
    except BaseException:  # also a shutdown: nothing half-written stays
        store.discard(part.file for part in written)
        raise
    # From here on a fault may come after the manifest names them: the next start decides.
    store.exchange(old, tuple(written), renewals)


def _crowded(manifest: FactsManifest, bucket: int) -> set[tuple[str, int | None]]:
    counts = Counter((p.table, p.cell) for p in manifest.parts if p.bucket == bucket)
    return {place for place, count in counts.items() if count > MOST_PARTS}


def _by_table(parts: Sequence[Part]) -> Iterator[tuple[str, list[Part]]]:
    ordered = sorted(parts, key=lambda part: part.table)  # stable: rows keep their order
    for table, some in groupby(ordered, key=lambda part: part.table):
        yield table, list(some)


def _write(
    store: FactStore, after: FactsManifest, where: tuple[str, int, int], rows: pa.Table
) -> list[Part]:
    """Write a table's rows of one bucket, a part for each of its cells."""
    table, bucket, cells = where
    divided = list(_by_cell(store, cells, rows))
    parts = [
        Part(
            table=table,
            bucket=bucket,
            cell=cell,
            cells=cells,
            file=name_of(table, place_of(bucket, cell, cells), store.keys.new_key()),
            rows=some.num_rows,
        )
        for cell, some in divided
    ]
    store.keys.add(after.key_name(part.place) for part in parts)
    for part, (_, some) in zip(parts, divided, strict=True):
        store.write_under(after.key_name(part.place), part, some)
    return parts


def _by_cell(store: FactStore, cells: int, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    codes = rows["uscc"].combine_chunks().dictionary_encode()
    of_code = [cell_of(store.keys.mark_of(code), cells) for code in codes.dictionary.to_pylist()]
    if not of_code:
        return
    of_row = np.array(of_code)[codes.indices.to_numpy()]
    for cell in np.unique(of_row):
        mask = of_row == cell
        yield int(cell), rows if mask.all() else rows.filter(pa.array(mask))
