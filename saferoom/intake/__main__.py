"""How does a source's data reach the vault?

`python -m saferoom.intake`, started by the vault. Intake holds no keys. Its standard
input is a socket to the vault: one job comes in, sealed batches go out. Files are opened, then
the walls go up, and what they are worth is told before anything is read. A service is called by
another process (`calling.py`), and its replies are read behind the same walls. Each file is
offered by its digest first; the vault says whether it is new, so a file that was taken
before is not read twice. A file that changes while it is read is refused at its end, and
the vault throws away what it took of it.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Protocol

from saferoom.cage import lockdown
from saferoom.canonical import Json
from saferoom.core.facts import Table
from saferoom.core.record import check_field
from saferoom.core.source import Reached, SourceTable
from saferoom.crypto.sealing import seal
from saferoom.errors import BadInput, SaferoomError
from saferoom.intake import walls
from saferoom.intake.files import Opened, opened_files
from saferoom.intake.job import Job
from saferoom.intake.reading import Reading
from saferoom.intake.rows import Piece, RowChecker
from saferoom.intake.services import ServiceTables
from saferoom.intake.stored_files import stored_files
from saferoom.wire import ChannelClosed, receive, send

SEAL_AAD = b"saferoom/batch/1"


class Growing(Protocol):
    """Rows beyond a mark; after the last one `mark` says how far they reach."""

    mark: str | None

    def __iter__(self) -> Iterator[Piece]:
        """Yield them."""


Shut = Callable[[int], Mapping[str, str]]
Read = Callable[[SourceTable, Table, str | None], Growing]


def main(shut: Shut = walls.shut) -> int:
    """Do one job and go; `shut` is for tests' broken twins."""
    parent = os.getppid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=os.dup(0)) as channel:
        lockdown.keep_only(channel.fileno())
        return serve(channel, lambda: shut(parent), lambda: socket.socket(fileno=os.dup(1)))


def serve(
    channel: socket.socket,
    shut: Callable[[], Mapping[str, str]],
    open_link: Callable[[], socket.socket],
) -> int:
    """Do the job that the vault names; a link to a service's caller is our standard output."""
    try:
        job = Job(receive(channel))
        match job.source.reached:
            case Reached.FILES:
                _read_files(channel, job, shut)
            case Reached.STORE:
                with open_link() as link:
                    _tell_shut(channel, shut())
                    for file in stored_files(link, job.source.tables):
                        _offer(channel, job, file)
            case Reached.DATABASE:
                _read_database(channel, job)
            case Reached.SERVICE:
                with open_link() as link:
                    _tell_shut(channel, shut())
                    _read_tables(channel, job, ServiceTables(link, job.source.encoding).read)
    except SaferoomError as error:
        send(channel, {"say": "refused", "code": error.code, "detail": error.detail})
        return error.exit_code
    except (ChannelClosed, BrokenPipeError):
        return 4  # the vault is gone; it keeps nothing of an unfinished file
    except MemoryError:
        detail = "more memory than intake may have"
        send(channel, {"say": "refused", "code": "SOURCE_MALFORMED", "detail": detail})
        return 2
    send(channel, {"say": "done"})
    return 0


def _read_files(channel: socket.socket, job: Job, shut: Callable[[], Mapping[str, str]]) -> None:
    own = job.report()
    with nullcontext(own) if own else opened_files(job.folder, job.source.tables) as files:
        _tell_shut(channel, shut())
        for file in files:
            _offer(channel, job, file)


def _offer(channel: socket.socket, job: Job, opened: Opened) -> None:
    before, table = opened.digest(), job.tables[opened.source.table]
    send(channel, {"say": "file", "table": table.name, "name": opened.name, "digest": before})
    if receive(channel).header.get("take") is not True:
        return
    reading = _send(channel, job, table, opened.pieces(job.source, table))
    if opened.digest() != before:
        raise BadInput("SOURCE_MALFORMED", "a file changed while it was read")
    send(channel, _summary(reading))


def _read_database(channel: socket.socket, job: Job) -> None:
    """Read a source's own database; its driver needs the network, so there are fewer walls."""
    from saferoom.intake.databases import connected  # noqa: PLC0415  # SQLAlchemy is not for files

    walls.start_nothing()
    with connected(job.address) as database:
        _read_tables(channel, job, database.read)


def _tell_shut(channel: socket.socket, how: Mapping[str, str]) -> None:
    effects: dict[str, Json] = {**how}
    send(channel, {"say": "shut", "effects": effects})


def _read_tables(channel: socket.socket, job: Job, read: Read) -> None:
    """Read on each table from its mark."""
    for source in job.source.tables:
        table = job.tables[source.table]
        send(channel, {"say": "table", "table": table.name})
        after = receive(channel).header.get("after")
        check_field(after is None or isinstance(after, str), "after")
        rows = read(source, table, None if after is None else str(after))
        reading = _send(channel, job, table, rows)
        send(channel, _summary(reading) | {"mark": rows.mark})


def _send(channel: socket.socket, job: Job, table: Table, pieces: Iterable[Piece]) -> Reading:
    reading = Reading()
    checker = RowChecker(table, job.now, reading)
    for piece in pieces:
        if (batch := checker.take(piece)) is not None:
            send(channel, {"say": "batch"}, [seal(batch, [job.key], SEAL_AAD, os.urandom)])
    return reading


def _summary(reading: Reading) -> dict[str, Json]:
    findings: list[Json] = [[one.row, one.column, one.reason] for one in reading.findings]
    reasons: dict[str, Json] = dict(reading.reasons)
    return {
        "say": "end",
        "rows": reading.rows,
        "quarantined": reading.quarantined,
        "reasons": reasons,
        "findings": findings,
    }


if __name__ == "__main__":
    sys.exit(main())
