"""How does a record come to count as disputed, with nothing of it lost?

A version is added that says so: the latest one once more, known now, with another status, as a
batch of its own by the enterprise's statement. The as-of rule does the rest, also backwards: a
snapshot of a day before is what it was. The source's stewards are told which record it is, sealed
to their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.dispute import NOTE_AAD, Dispute
from saferoom.core.facts import Status, Table
from saferoom.core.lineage import GONE
from saferoom.core.moment import write_instant
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, NotFound
from saferoom.vault.facts import FactStore
from saferoom.vault.parts import Batch


def find_table(facts: FactStore, tables: dict[str, Table], dispute: Dispute) -> tuple[Batch, Table]:
    """Find where the row is said to be."""
    batch = next((b for b in facts.manifest.batches if b.number == dispute.batch), None)
    if batch is None or batch.table not in tables:
        raise _nothing()
    return batch, tables[batch.table]


def add_dispute(  # noqa: PLR0917  # which record, and by which paper
    facts: FactStore, batch: Batch, table: Table, dispute: Dispute, order: Statement, now: datetime
) -> str:
    """Add the disputed version; return the record's name at its source."""
    rows = facts.read_own(table, dispute.enterprise)
    named = rows.filter((pc.field("batch") == dispute.batch) & (pc.field("row") == dispute.row))
    if named.num_rows != 1:
        raise _nothing()
    record = str(named["record_id"][0])
    several = rows.filter((pc.field("record_id") == record) & (pc.field("source") == batch.source))
    latest = max(several.to_pylist(), key=lambda row: (row["known_at"], row["batch"], row["row"]))
    if GONE & set(several["status"].to_pylist()):
        raise Conflict("STATE", "the record was taken back, and counts no more")
    if latest["status"] == Status.DISPUTED:
        raise Conflict("STATE", "the record is disputed already")
    known = max(int(now.timestamp()), latest["known_at"])
    schema = rows.select([column.name for column in table.all_columns]).schema
    added = {**latest, "status": str(Status.DISPUTED), "known_at": known}
    intake = facts.begin(batch.source, table, order.digest)
    try:
        intake.add(pa.Table.from_pylist([{n: added[n] for n in schema.names}], schema))
        counts: dict[str, Json] = {"rows": 1, "quarantined": 0}
        mark = facts.mark(batch.source, table.name)  # how far the source was read stays as it is
        intake.commit(counts, order.digest, write_instant(now), mark)
    except BaseException:
        intake.abort()
        raise
    return record


def note_for(
    stewards: Sequence[SealingPublicKey],
    dispute: Dispute,
    table: Table,
    record: str,
    random_bytes: Callable[[int], bytes],
) -> bytes | None:
    """Seal to the source's stewards which record it is; None where it has none."""
    if not stewards:
        return None
    said = {
        "enterprise": dispute.enterprise,
        "record_id": record,
        "table": table.name,
        "why": str(dispute.why),
    }
    return seal(canonical_bytes(said).ljust(512), stewards, NOTE_AAD, random_bytes)


def _nothing() -> NotFound:
    return NotFound("NOT_FOUND", "a row of yours at this place")
