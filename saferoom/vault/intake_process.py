"""How does the vault start intake, and who calls a service or fetches files for it?

Both are exec'd clean, with an empty environment and no descriptor of ours but one end of a socket
each. Who calls or fetches gets the credentials over its link; then the link's other end is
intake's, and we keep neither. They end with the run.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from saferoom.canonical import Json
from saferoom.core.service import Connection
from saferoom.core.source import SourceManifest
from saferoom.core.store import Store
from saferoom.wire import send

PROGRAM = (sys.executable, "-I", "-m", "saferoom.intake")
CALLER = (sys.executable, "-I", "-m", "saferoom.intake.calling")
FETCHER = (sys.executable, "-I", "-m", "saferoom.intake.fetching")
GRACE_SECONDS = 5.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
PASSED_ON = ("PATH", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@contextmanager
def calling(source: SourceManifest, place: Connection | Store) -> Iterator[socket.socket]:
    """Start who calls or fetches; what it hears next it hears from whoever has the link."""
    link, theirs = socket.socketpair()
    with link:
        with theirs:
            process = start(CALLER if isinstance(place, Connection) else FETCHER, theirs)
        try:
            send(link, call_job(source, place))
            yield link
        finally:
            link.close()
            end(process)


def start(
    program: Sequence[str], channel: socket.socket, link: socket.socket | None = None
) -> subprocess.Popen[bytes]:
    """Start one, with its channel as standard input, and a link, if any, as standard output."""
    return subprocess.Popen(  # noqa: S603  # our own program, no input in the command
        program,
        stdin=channel.fileno(),
        stdout=subprocess.DEVNULL if link is None else link.fileno(),
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | ONE_THREAD,
        cwd="/",
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait a moment for it to go."""
    try:
        process.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def call_job(source: SourceManifest, place: Connection | Store) -> dict[str, Json]:
    """Say whom to call, as whom, and for what."""
    if isinstance(place, Store):
        patterns: list[Json] = [one.path for one in source.tables]
        return {"protocol": source.store, "store": place.to_body(), "patterns": patterns}
    assert source.service is not None  # a service's source has one
    resources = {one.table: one.resource for one in source.tables}
    return {
        "service": source.service.to_body(),
        "connection": place.to_body(),
        "resources": {name: one.to_body() for name, one in resources.items() if one is not None},
    }
