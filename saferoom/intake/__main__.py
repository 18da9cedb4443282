"""How does a source's data reach the vault?

`python -m saferoom.intake`, started by the vault. Intake holds no keys. Its standard
input is a socket to the vault: one job comes in, sealed batches go out. Files are opened, then
the walls go up, and what they are worth is told before anything is read. Each file is
offered by its digest first; the vault says whether it is new, so a file that was taken
before is not read twice. A file that changes while it is read is refused at its end, and
the vault throws away what it took of it.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable

from saferoom.cage import lockdown
from saferoom.canonical import Json
from saferoom.crypto.sealing import seal
from saferoom.errors import BadInput, SaferoomError
from saferoom.intake import walls
from saferoom.intake.files import Opened, opened_files
from saferoom.intake.job import Job
from saferoom.intake.reading import Reading
from saferoom.intake.rows import RowChecker
from saferoom.wire import ChannelClosed, receive, send

SEAL_AAD = b"saferoom/batch/1"


def main(shut: Callable[[int], dict[str, str]] = walls.shut) -> int:
    """Do one job and go; `shut` is for tests' broken twins."""
    parent = os.getppid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=os.dup(0)) as channel:
        lockdown.keep_only(channel.fileno())
        try:
            _work(channel, Job(receive(channel).header), lambda: shut(parent))
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


def _work(channel: socket.socket, job: Job, shut: Callable[[], dict[str, str]]) -> None:
    with opened_files(job.folder, job.source.tables) as files:
        effects: dict[str, Json] = {**shut()}
        send(channel, {"say": "shut", "effects": effects})
        for file in files:
            _offer(channel, job, file)


def _offer(channel: socket.socket, job: Job, opened: Opened) -> None:
    before, table = opened.digest(), job.tables[opened.source.table]
    send(channel, {"say": "file", "table": table.name, "name": opened.name, "digest": before})
    if receive(channel).header.get("take") is not True:
        return
    reading = Reading()
    checker = RowChecker(table, job.now, reading)
    for piece in opened.pieces(job.source, table):
        if (batch := checker.take(piece)) is not None:
            send(channel, {"say": "batch"}, [seal(batch, [job.key], SEAL_AAD, os.urandom)])
    if opened.digest() != before:
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


if __name__ == "__main__":
    sys.exit(main())
