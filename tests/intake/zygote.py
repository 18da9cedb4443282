"""How do tests run intake ten thousand times without loading it ten thousand times?

A process that loaded it once forks a child for each socket that it is handed; the child is
intake, walls and all, or a service's caller. `lent` and `calling` take the places of the vault's
own ways to start them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from saferoom.core.service import Connection
from saferoom.core.source import SourceManifest
from saferoom.vault.intake_process import call_job
from saferoom.wire import TimedSocket, send


def main() -> None:
    """Fork for each socket until there is no more."""
    from saferoom.intake import caller, https  # noqa: PLC0415  # loaded here, once
    from saferoom.intake.__main__ import main as intake  # noqa: PLC0415  # as above
    from saferoom.intake.calling import main as calling  # noqa: PLC0415  # as above

    caller.FIRST_WAIT_SECONDS = 0.01
    https.CALL_SECONDS = 2.0
    programs: dict[bytes, Callable[[], int]] = {b"i": intake, b"c": calling}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            kind, handed, _, _ = socket.recv_fds(orders, 1, 2)
            if not handed:
                return
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for place, descriptor in enumerate(handed):
                    os.dup2(descriptor, place)
                os._exit(programs[kind]())
            for descriptor in handed:
                os.close(descriptor)


class Zygote:
    """The process, seen from the test."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        command = [sys.executable, "-c", "from tests.intake.zygote import main; main()"]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
            )

    @contextmanager
    def lent(self, link: socket.socket | None = None) -> Iterator[TimedSocket]:
        """Lend a socket to a new intake."""
        near, theirs = socket.socketpair()
        with TimedSocket(fileno=near.detach()) as ours:
            with theirs:
                handed = [theirs.fileno(), *([] if link is None else [link.fileno()])]
                socket.send_fds(self._orders, [b"i"], handed)
            yield ours

    @contextmanager
    def calling(self, source: SourceManifest, connection: Connection) -> Iterator[socket.socket]:
        """Lend the other end of a link to a new caller."""
        link, theirs = socket.socketpair()
        with link:
            with theirs:
                socket.send_fds(self._orders, [b"c"], [theirs.fileno()])
            send(link, call_job(source, connection))
            yield link

    def close(self) -> None:
        self._orders.close()
        self._process.wait(60)
