"""How does a source's data reach the vault?

`python -m saferoom.intake`, started by the vault. Intake holds no keys. Its standard
input is a socket to the vault: one job comes in, sealed batches go out. Each file is
offered by its digest first; the vault says whether it is new, so a file that was taken
before is not read twice. A file that changes while it is read is refused at its end, and
the vault throws away what it took of it.
"""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from saferoom.canonical import Json
from saferoom.core.facts import Table
from saferoom.core.moment import read_instant
from saferoom.core.record import check_field
from saferoom.core.source import SourceManifest, SourceTable, check_source
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.errors import BadInput, SaferoomError
from saferoom.intake.csv_files import read_csv
from saferoom.intake.reading import Reading
from saferoom.intake.rows import RowChecker
from saferoom.wire import ChannelClosed, receive, send

SEAL_AAD = b"saferoom/batch/1"
LARGEST_MEMORY = 2 * 2**30


class Job:
    """What the vault asks for."""

    def __init__(self, header: Mapping[str, Json]) -> None:
        check_field(set(header) == {"source", "tables", "folder", "sealing_key", "now"}, "job")
        self.source = SourceManifest.from_body(header["source"])
        tables, folder = header["tables"], header["folder"]
        check_field(isinstance(tables, list) and isinstance(folder, str), "job")
        assert isinstance(tables, list)
        read = [Table.from_body(table) for table in tables]
        self.tables = {table.name: table for table in read}
        self.folder = Path(str(folder))
        self.key = SealingPublicKey.from_hex(header["sealing_key"])
        self.now: datetime = read_instant(header["now"])
        check_source(self.source, self.tables)


def main() -> int:
    """Do one job and go."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
    with socket.socket(fileno=os.dup(0)) as channel:
        try:
            _work(channel, Job(receive(channel).header))
        except SaferoomError as error:
            send(channel, {"say": "refused", "code": error.code, "detail": error.detail})
            return error.exit_code
        except (ChannelClosed, BrokenPipeError):
            return 4  # the vault is gone; it keeps nothing of an unfinished file
        send(channel, {"say": "done"})
    return 0


def _work(channel: socket.socket, job: Job) -> None:
    with opened(job.folder) as folder:
        for source in job.source.tables:
            for name in find_files(folder, source.path):
                with opened_file(folder, name) as path:
                    _offer(channel, job, source, name, path)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Hold the folder itself, whatever becomes of its name meanwhile; a link is none."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput("SOURCE_MALFORMED", "the source's folder is none, or a link") from error
    try:
        yield held
    finally:
        os.close(held)


def find_files(folder: int, pattern: str) -> list[str]:
    """List the files of a table by name."""
    return sorted(name for name in os.listdir(folder) if fnmatchcase(name, pattern))


@contextmanager
def opened_file(folder: int, name: str) -> Iterator[Path]:
    """Lend a path to one open file: a link, which may lead out of the folder, is refused."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        held = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise BadInput("SOURCE_MALFORMED", "a file is a link, or cannot be read") from error
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise BadInput("SOURCE_MALFORMED", "a file is none")
        yield Path(f"/proc/self/fd/{held}")
    finally:
        os.close(held)


def _offer(channel: socket.socket, job: Job, source: SourceTable, name: str, path: Path) -> None:
    before = file_digest(path)
    send(channel, {"say": "file", "table": source.table, "name": name, "digest": before})
    if receive(channel).header.get("take") is not True:
        return
    reading, table = Reading(), job.tables[source.table]
    checker = RowChecker(table, job.now, reading)
    with path.open("rb") as file:
        for piece in read_csv(file, source=source, table=table, encoding=job.source.encoding):
            if (batch := checker.take(piece)) is not None:
                send(channel, {"say": "batch"}, [seal(batch, [job.key], SEAL_AAD, os.urandom)])
    if file_digest(path) != before:
        raise BadInput("SOURCE_MALFORMED", "a file changed while it was read")
    send(channel, _summary(reading))


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


def file_digest(path: Path) -> str:
    """Name a file by its bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput("SOURCE_MALFORMED", "a file cannot be read") from error


if __name__ == "__main__":
    sys.exit(main())
