"""What does the room hold of me, and who sent it?

A key is drawn for one order and forgotten when the answer is open, so the bytes that passed
through the room open for nobody afterwards. The trust file says which vault is asked and
believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from saferoom.canonical import Json, parse_object
from saferoom.client.http import RoomClient
from saferoom.core.dispute import NOTE_AAD
from saferoom.core.lineage import BatchLine, Version
from saferoom.core.moment import read_day, read_instant
from saferoom.core.own_record import aad_of, check_own_record
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.errors import BadInput, Tampered

Row = Mapping[str, Json]


@dataclass(frozen=True)
class OwnRecord:
    """All versions of one's own records by table, and the batches that they came in by."""

    enterprise: str
    made_at: str
    tables: Mapping[str, tuple[Row, ...]]
    batches: Mapping[int, BatchLine]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Go through everything: the table and the row."""
        return ((name, row) for name, rows in self.tables.items() for row in rows)


def fetch_own_record(client: RoomClient, trust: Trust) -> OwnRecord:
    """Ask the vault for one's own rows and open them, here."""
    author = client.author
    now = author.clock()
    vaults = trust.vaults_at(now)
    if not vaults:
        raise BadInput("TRUST_MISSING", "the one there is names no vault that is in force")
    newest = max(vaults, key=lambda vault: vault.valid_from)
    key = SealingKey(author.random_bytes(32))
    order = author.own_record_order(key.public, newest.answer_key)
    plain = unseal(client.own_record(order), key, aad_of(order))
    return _read(check_own_record(plain, trust, order, now))


def version_of(row: Row) -> Version:
    """Read of a row what the as-of rule asks for."""
    return Version(
        source=str(row["source"]),
        record_id=str(row["record_id"]),
        event_date=_day(row["event_date"]),
        known_at=read_instant(row["known_at"]),
        status=str(row["status"]),
        batch=int(str(row["batch"])),
        row=int(str(row["row"])),
    )


def open_note(note: str, key: SealingKey) -> dict[str, Json]:
    """Open, as a source's steward, what the vault says of a disputed record."""
    try:
        return parse_object(unseal(bytes.fromhex(note), key, NOTE_AAD).rstrip(b" "))
    except ValueError as error:
        raise BadInput("FIELD_INVALID", "a note") from error


def _day(value: Json) -> date:
    return read_day(value)


def _read(body: Mapping[str, Json]) -> OwnRecord:
    match body:
        case {"tables": dict(tables), "batches": list(batches), "made_at": str(made_at)}:
            lines = [BatchLine.from_body(line) for line in batches]
            return OwnRecord(
                enterprise=str(body["enterprise"]),
                made_at=made_at,
                tables={name: tuple(_rows(rows)) for name, rows in tables.items()},
                batches={line.number: line for line in lines},
            )
        case _:
            raise Tampered("ANSWER_INVALID", "its form")


def _rows(rows: Json) -> Iterator[Row]:
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            yield row
