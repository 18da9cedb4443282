"""Who used my March tax record?

Found out on one's own machine: one's own rows, opened here, held against the lineage of each
release about oneself. The room is asked for neither a record nor a day, so it learns of neither.
A record was used where a feature of the version reads its table and the as-of rule counted it on
the snapshot's day; whether it lay in that feature's window of months is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saferoom.client.http import RoomClient
from saferoom.client.lineage import Lineage, check_lineage
from saferoom.client.own_record import OwnRecord, fetch_own_record, version_of
from saferoom.core.lineage import used
from saferoom.core.moment import read_day
from saferoom.core.trust import Trust


@dataclass(frozen=True)
class Use:
    """One of one's own records, in one release."""

    table: str
    record_id: str
    event_date: str
    known_at: str
    status: str
    source: str
    batch: int
    row: int
    receipt: str
    hour: str
    bank: str
    purpose: str
    version: str
    features: tuple[str, ...]  # that read its table
    as_of: str
    reproducible: bool


def find_uses(
    client: RoomClient, trust: Trust, *, table: str | None = None, day: str = ""
) -> list[Use]:
    """Find the uses of one's records of a table, whose events fall on a day, month or year."""
    own = fetch_own_record(client, trust)
    found = ((one, check_lineage(client.lineage(one), trust)) for one in client.receipts())
    return [
        use
        for receipt, lineage in found
        for use in _uses(own, receipt, lineage)
        if (table is None or use.table == table) and use.event_date.startswith(day)
    ]


def _uses(own: OwnRecord, receipt: str, lineage: Lineage) -> Iterator[Use]:
    as_of, opened = read_day(lineage.snapshot.as_of), lineage.release.opened
    for table, rows in own.tables.items():
        features = tuple(name for name, read in lineage.features.items() if table in read)
        if not features:
            continue
        counted = used(map(version_of, rows), as_of, lineage.snapshot.batches)
        for row in rows:
            if (row["batch"], row["row"]) in counted:
                yield Use(
                    table=table,
                    record_id=str(row["record_id"]),
                    event_date=str(row["event_date"]),
                    known_at=str(row["known_at"]),
                    status=str(row["status"]),
                    source=str(row["source"]),
                    batch=int(str(row["batch"])),
                    row=int(str(row["row"])),
                    receipt=receipt,
                    hour=lineage.release.hour,
                    bank=str(opened.get("bank")),
                    purpose=str(opened.get("purpose")),
                    version=lineage.version.digest,
                    features=features,
                    as_of=lineage.snapshot.as_of,
                    reproducible=not lineage.erased,
                )
