"""What does an enterprise get of its own rows, and how often?

All versions of all its records in every table, with where each came from. Cells are written as
text, whole numbers and flags, so that every machine reads the same. Each order is answered once
and each enterprise has so many a day; both are journalled by its keyed mark before anything is
decrypted, so a restart forgets neither.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.facts import CellType, Table
from saferoom.core.moment import FRESH, local_day, read_instant, write_instant
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.vault.durable import AppendLog
from saferoom.vault.facts import FactStore
from saferoom.vault.lineage import lines_of

MOST_A_DAY = 10
MOST_ROWS = 50_000  # of one enterprise, in one answer


@dataclass(frozen=True)
class _Asked:
    mark: bytes
    at: datetime


class OwnRecords:
    """The journal of what was asked lately."""

    def __init__(self, journal: Path, now: datetime) -> None:
        """Read it; one in which nothing counts any more starts anew."""
        self._lock = threading.Lock()
        self._log = AppendLog(journal)
        self._asked = dict(_read(record) for record in self._log.records())
        if self._asked and not self._kept(now):
            self._log.close()
            journal.unlink()
            self._log, self._asked = AppendLog(journal), {}

    def take_turn(self, order: Digest, mark: bytes, now: datetime) -> None:
        """Count one; refuse an order that was answered, and one too many."""
        with self._lock:
            if order in self._asked:
                raise Refusal("REPLAY", "an own record is given once; sign another order")
            kept = self._kept(now)
            today = [a for a in kept.values() if a.mark == mark and _same_day(a.at, now)]
            if len(today) >= MOST_A_DAY:
                raise Refusal("OWN_RECORD_CAP")
            body = {"order": order, "mark": mark.hex(), "at": write_instant(now)}
            self._log.append([canonical_bytes(body)])
            self._asked = {**kept, order: _Asked(mark, now)}

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _kept(self, now: datetime) -> dict[Digest, _Asked]:
        """Keep what still counts: of today, and all that could still be fresh."""
        return {
            order: one
            for order, one in self._asked.items()
            if _same_day(one.at, now) or abs(now - one.at) <= 2 * FRESH
        }


def own_tables(
    facts: FactStore, tables: Iterable[Table], enterprise: str
) -> dict[str, list[dict[str, Json]]]:
    """Read all that is held of one enterprise, a table that holds nothing of it left out."""
    found: dict[str, list[dict[str, Json]]] = {}
    count = 0
    for table in tables:
        rows = facts.read_own(table, enterprise)
        count += rows.num_rows
        if count > MOST_ROWS:
            raise BadInput("TOO_LARGE", "an enterprise's own record")
        if rows.num_rows:
            found[table.name] = _written(table, rows)
    return found


def own_body(
    order: Statement,
    enterprise: str,
    found: Mapping[str, list[dict[str, Json]]],
    facts: FactStore,
    now: datetime,
) -> dict[str, Json]:
    """Say it, with the lines of the batches that it came in by."""
    numbers = {row["batch"] for rows in found.values() for row in rows}
    lines: list[Json] = [
        line.to_body() for line in lines_of(facts.manifest) if line.number in numbers
    ]
    tables: dict[str, Json] = {name: [*rows] for name, rows in found.items()}
    return {
        "kind": "saferoom/own-record/1",
        "enterprise": enterprise,
        "order": order.digest,
        "made_at": write_instant(now),
        "tables": tables,
        "batches": lines,
    }


def _written(table: Table, rows: pa.Table) -> list[dict[str, Json]]:
    """Write rows as people read them, the latest version of each record last."""
    writers = {column.name: _WRITERS[column.type] for column in table.all_columns}
    listed = sorted(rows.to_pylist(), key=lambda row: (row["known_at"], row["batch"], row["row"]))
    return [
        {
            name: None if value is None else writers.get(name, _as_it_is)(value)
            for name, value in row.items()
        }
        for row in listed
    ]


def _as_it_is(value: Json) -> Json:
    return value


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _month(value: object) -> str:
    year, month = divmod(int(str(value)), 12)
    return f"{year:04d}-{month + 1:02d}"


def _instant(value: object) -> str:
    return write_instant(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(str(value))))


_WRITERS: Mapping[CellType, Callable[[Json], Json]] = {
    CellType.TEXT: _as_it_is,
    CellType.DAY: _day,
    CellType.MONTH: _month,
    CellType.YEAR: _as_it_is,
    CellType.WHOLE: _as_it_is,
    CellType.INSTANT: _instant,
    CellType.FLAG: bool,
    CellType.NUMBER: repr,  # the shortest text that reads back the same
}


def _same_day(one: datetime, other: datetime) -> bool:
    return local_day(one) == local_day(other)


def _read(record: bytes) -> tuple[Digest, _Asked]:
    match parse_object(record):
        case {"order": str(order), "mark": mark, "at": at}:
            return Digest(order), _Asked(hex_bytes(mark, 32), read_instant(at))
        case _:
            raise Tampered("CONTENT_CHANGED", "the vault's journal of own records")
