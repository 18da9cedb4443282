"""How do tests run intake ten thousand times without loading it ten thousand times?

A process that loaded it once forks a child for each socket that it is handed; the child is
intake, walls and all. `lent` takes the place of the vault's own way to start it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from saferoom.wire import TimedSocket


def main() -> None:
    """Fork for each socket until there is no more."""
    from saferoom.intake.__main__ import main as intake  # noqa: PLC0415  # loaded here, once

    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            _, handed, _, _ = socket.recv_fds(orders, 1, 1)
            if not handed:
                return
            if (child := os.fork()) == 0:
                os.dup2(handed[0], 0)
                os._exit(intake())
            os.close(handed[0])
            os.waitpid(child, 0)


class Zygote:
    """The process, seen from the test."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        command = [sys.executable, "-c", "from tests.intake.zygote import main; main()"]
        with theirs:
            self._process = subprocess.Popen(command, stdin=theirs.fileno())

    @contextmanager
    def lent(self) -> Iterator[TimedSocket]:
        """Lend a socket to a new intake."""
        near, theirs = socket.socketpair()
        with TimedSocket(fileno=near.detach()) as ours:
            with theirs:
                socket.send_fds(self._orders, [b"x"], [theirs.fileno()])
            yield ours

    def close(self) -> None:
        self._orders.close()
        self._process.wait(60)
