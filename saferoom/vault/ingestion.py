"""How does the vault take in a source?

It starts intake as its own process with an empty environment, tells it what to read, and
unseals what comes back. Whatever goes wrong, a file counts whole or not at all; and intake
that stands still is ended, for nothing else comes in meanwhile.
"""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from saferoom.cage import self_test
from saferoom.canonical import Digest, Json, digest
from saferoom.core.facts import Table
from saferoom.core.moment import write_instant
from saferoom.core.orders import OrderedFile
from saferoom.core.record import check_field
from saferoom.core.service import Connection
from saferoom.core.source import Reached, SourceManifest
from saferoom.core.store import Store
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import BadInput, Isolation, Unavailable
from saferoom.vault.batches import decode
from saferoom.vault.connections import Place
from saferoom.vault.facts import FactStore, Intake
from saferoom.vault.intake_process import PROGRAM, calling, end, start
from saferoom.vault.parts import Batch
from saferoom.wire import Frame, TimedSocket, receive, send

SEAL_AAD = b"saferoom/batch/1"
START_SECONDS = 60.0  # of intake: loading, opening files, putting its walls up
QUIET_SECONDS = 300.0  # between two messages: the longest silence is a large file's digest
RUN_SECONDS = 3_000.0  # less than the room waits for a steward's verb
LARGEST_HEADER = 2**20
MOST_FINDINGS = 1_000
# All that intake may say of a row that stays outside (a test compares them with its own).
WHY_OUTSIDE = frozenset(
    {
        *("choice", "day", "duplicate", "empty", "encoding", "flag", "future", "instant", "month"),
        *("number", "period", "ragged", "range", "text", "uscc", "year"),
    }
)
# All that it may say of a file or a relation: words of ours, and one number.
_DETAIL = re.compile(
    r"quoting or a long cell, after row [0-9]{1,9}|(?:headings of [a-z_]{1,64}: [0-9]{1,4} differ)"
    r"|type of [a-z_]{1,64}\.[a-z_]{1,64}|the relation of [a-z_]{1,64}|more than [0-9]{1,9} rows in"
    r" one file|more than [0-9]{1,9} files in the folder|a row of more than [0-9]{1,9} bytes"
    r"|unpacks to over [0-9]{1,9} times its size|a file (?:changed while it was read|cannot be read"
    r"|is a link, or cannot be read|is none)|the source's folder is none, or a link|cannot be read"
    r" as (?:Parquet|JSON|Excel)|a workbook of several sheets|a long cell of a workbook|more than"
    r" [0-9]{1,9} texts in a workbook|the type of a watermark|a row without a watermark"
    r"|a redirect|a packed reply|a reply of over [0-9]{1,9} bytes"
    r"|the (?:type|rows|cursor) of a reply"
    r"|a link that leads elsewhere|a page that repeats|more than [0-9]{1,9} pages"
    r"|its name is not known|it answers [0-9]{3}|it took too long|TLS|the connection broke|no token"
    r"|a reply (?:of no stated length|shorter than it says)|its caller ended"
    r"|a (?:host|network|protocol) that connector\.toml does not name|its folder"
    r"|a file of over [0-9]{1,10} bytes|a file changed while it was fetched"
)
LARGEST_BATCH = 64 * 2**20  # of 8 MiB of text; intake is fed by strangers
_END = {"say", "rows", "quarantined", "reasons", "findings"}


@dataclass
class Counts:
    """What one run took, for the caller: numbers, rows' numbers and reasons, never values."""

    rows: int = 0
    quarantined: int = 0
    tables: dict[str, dict[str, Json]] = field(default_factory=dict)
    taken: list[Json] = field(default_factory=list)  # what opens the lines of its batches

    def to_body(self) -> dict[str, Json]:
        """State them all."""
        return {
            "rows": self.rows,
            "quarantined": self.quarantined,
            "tables": {**self.tables},
            "taken": [*self.taken],
        }

    def name(self, batch: Batch) -> None:
        """Tell the source under which number a batch stands, and how to show that it is its own."""
        self.taken.append(
            {
                "number": batch.number,
                "table": batch.table,
                "nonce": batch.nonce,
                "digest": batch.digest,
                "rows": batch.rows,
                "quarantined": batch.quarantined,
            }
        )

    def add(self, table: str, header: Mapping[str, Json]) -> None:
        """Count one file."""
        rows, outside = int(str(header["rows"])), int(str(header["quarantined"]))
        self.rows, self.quarantined = self.rows + rows, self.quarantined + outside
        before = self.tables.get(table, {"rows": 0, "quarantined": 0, "reasons": {}})
        reasons, new = before["reasons"], header["reasons"]
        assert isinstance(reasons, dict)
        assert isinstance(new, dict)
        counted = Counter({k: int(str(v)) for k, v in reasons.items()})
        counted.update({k: int(str(v)) for k, v in new.items()})
        self.tables[table] = {
            "rows": int(str(before["rows"])) + rows,
            "quarantined": int(str(before["quarantined"])) + outside,
            "reasons": dict(counted),
            "findings": header["findings"],
        }


class Ingestion:
    """One source on its way in."""

    def __init__(
        self,
        store: FactStore,
        tables: Mapping[str, Table],
        key: SealingKey,
        now: datetime,
        order: Digest | None = None,
    ) -> None:
        self._store, self._tables, self._key, self._now = store, tables, key, now
        self._order = order
        self._ends = time.monotonic() + RUN_SECONDS
        self._awaited: dict[str, Digest] | None = None

    def run(
        self,
        source: SourceManifest,
        folder: Path,
        files: Sequence[OrderedFile] | None = None,
        place: Place = None,
        *,
        told: bytes | None = None,
    ) -> Counts:
        """Take what is new in the folder (of these files, if some are named) or at the place.

        `told` is the one file of an enterprise's own report, and then there is no folder.
        """
        counts = Counts()
        self._awaited = None if files is None else {one.name: one.sha256 for one in files}
        files_come = source.reached in {Reached.FILES, Reached.STORE}
        take = self._file if files_come else self._table
        with ExitStack() as stack:
            link = None
            if isinstance(place, Connection | Store):
                link = stack.enter_context(calling(source, place))
            channel = stack.enter_context(_intake_process(link))
            try:
                address = place if isinstance(place, str) else None
                own = () if told is None else (told,)
                send(channel, self._job(source, folder, address), own)
                if source.reached is not Reached.DATABASE:
                    _check_shut(self._hear(channel, START_SECONDS).header)
                while (frame := self._hear(channel)).header.get("say") != "done":
                    take(channel, source, frame.header, counts)
            except TimeoutError as error:
                raise BadInput("SOURCE_MALFORMED", "intake stood still") from error
            except ConnectionError as error:
                raise BadInput("SOURCE_MALFORMED", "intake ended before the file did") from error
        if self._awaited:
            raise BadInput("SOURCE_MALFORMED", "a file of the order is missing")
        return counts

    def _hear(self, channel: TimedSocket, seconds: float | None = None) -> Frame:
        channel.arm(min(seconds or QUIET_SECONDS, self._ends - time.monotonic()))
        return receive(channel, LARGEST_HEADER, LARGEST_BATCH)

    def _job(self, source: SourceManifest, folder: Path, address: str | None) -> dict[str, Json]:
        tables: list[Json] = [self._tables[one.table].to_body() for one in source.tables]
        return {
            "source": source.to_body(),
            "tables": tables,
            "folder": str(folder),
            "address": address,
            "sealing_key": self._key.public.raw.hex(),
            "now": write_instant(self._now),
        }

    def _file(
        self,
        channel: TimedSocket,
        source: SourceManifest,
        header: Mapping[str, Json],
        counts: Counts,
    ) -> None:
        _check_not_refused(header)
        check_field(header.get("say") == "file", "say")
        table = self._declared(source, header)
        found = Digest(hex_bytes(header["digest"], 32).hex())
        if self._awaited is not None and self._awaited.pop(str(header["name"]), None) != found:
            raise BadInput("SOURCE_MALFORMED", "a file that the order does not name so")
        take = not self._store.has(source.name, table.name, found)
        send(channel, {"take": take})
        if not take:
            return
        with self._taking(source, table) as intake:
            end = self._batches(channel, table, intake, _END)
            counts.name(intake.commit(end, found, write_instant(self._now)))
        counts.add(table.name, end)

    def _table(
        self,
        channel: TimedSocket,
        source: SourceManifest,
        header: Mapping[str, Json],
        counts: Counts,
    ) -> None:
        """Take what a database's table has beyond the mark; rows and new mark count together."""
        _check_not_refused(header)
        check_field(header.get("say") == "table", "say")
        table = self._declared(source, header)
        after = self._store.mark(source.name, table.name)
        send(channel, {"after": after})
        with self._taking(source, table) as intake:
            end = self._batches(channel, table, intake, _END | {"mark"})
            mark = end["mark"]
            check_field(mark is None or isinstance(mark, str), "mark")
            if mark == after:
                intake.abort()
            else:
                at = write_instant(self._now)
                counts.name(intake.commit(end, digest(mark), at, str(mark)))
        counts.add(table.name, end)

    def _declared(self, source: SourceManifest, header: Mapping[str, Json]) -> Table:
        """Find a table that this very source brings, whatever intake says."""
        name = str(header.get("table"))
        check_field(name in {one.table for one in source.tables}, "table")
        return self._tables[name]

    @contextmanager
    def _taking(self, source: SourceManifest, table: Table) -> Iterator[Intake]:
        intake = self._store.begin(source.name, table, self._order)
        try:
            yield intake
        except BaseException as error:  # also a shutdown: nothing half-taken stays
            intake.abort()
            if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
                raise Unavailable("VAULT_STORAGE") from error
            raise

    def _batches(
        self, channel: TimedSocket, table: Table, intake: Intake, names: set[str]
    ) -> dict[str, Json]:
        while (frame := self._hear(channel)).header.get("say") == "batch":
            intake.add(self._open(frame, table))
        _check_not_refused(frame.header)
        check_field(set(frame.header) == names, "end")
        _check_end(frame.header, table)
        return frame.header

    def _open(self, frame: Frame, table: Table) -> object:
        check_field(len(frame.attachments) == 1, "batch")
        return decode(unseal(frame.attachments[0], self._key, SEAL_AAD), table)


def _check_end(header: Mapping[str, Json], table: Table) -> None:
    """Let nothing but counts, row numbers, declared columns and listed reasons through the wall."""
    columns = {column.name for column in table.all_columns} | {""}
    reasons, findings = header["reasons"], header["findings"]
    counts = [header["rows"], header["quarantined"]]
    counts += [*reasons.values()] if isinstance(reasons, dict) else [None]
    check_field(all(type(one) is int and one >= 0 for one in counts), "counts")
    check_field(isinstance(reasons, dict) and set(reasons) <= WHY_OUTSIDE, "reasons")
    check_field(isinstance(findings, list) and len(findings) <= MOST_FINDINGS, "findings")
    for one in findings if isinstance(findings, list) else []:
        match one:
            case [int(), str(column), str(why)]:
                check_field(column in columns and why in WHY_OUTSIDE, "findings")
            case _:
                raise BadInput("FIELD_INVALID", "findings")


def _check_shut(header: Mapping[str, Json]) -> None:
    """Let nothing be read by an intake that could still reach anything else."""
    _check_not_refused(header)
    effects = header.get("effects")
    held = isinstance(effects, dict) and self_test.findings(
        {str(name): str(how) for name, how in effects.items()}
    )
    if header.get("say") != "shut" or held != []:
        raise Isolation("CAGE_BROKEN", "intake")


def _check_not_refused(header: Mapping[str, Json]) -> None:
    if header.get("say") != "refused":
        return
    detail = header.get("detail")
    if header.get("code") in {"CAGE_BROKEN", "PLATFORM"}:
        raise Isolation("CAGE_BROKEN", "intake")
    known = isinstance(detail, str) and _DETAIL.fullmatch(detail) is not None
    told = str(detail) if known else None
    match header.get("code"):
        case "SOURCE_UNAVAILABLE":
            raise Unavailable("SOURCE_UNAVAILABLE", told)
        case "SOURCE_ADDRESS":
            raise BadInput("SOURCE_ADDRESS", told)
    raise BadInput("SOURCE_MALFORMED", told)


@contextmanager
def _intake_process(link: socket.socket | None) -> Iterator[TimedSocket]:
    """Start intake, with nothing of ours but one end of a socket, and a link to its caller."""
    near, theirs = socket.socketpair()
    with TimedSocket(fileno=near.detach()) as ours:
        with theirs:
            process = start(PROGRAM, theirs, link)
            if link is not None:
                link.close()  # it is intake's now
        try:
            yield ours
        finally:
            ours.close()
            end(process)
