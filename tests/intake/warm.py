"""How do tests run intake ten thousand times behind walls that went up once?

`Warm` is a process that shuts itself in and shows what its walls are worth, as intake does, and
then does job after job: each comes with its own socket to the vault, and with the files, already
open, or the link of its service. What it may do, reads and says is what intake does. A second
one does without walls what is done without: it calls services, and reads databases.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO

from saferoom.core.service import Connection
from saferoom.core.source import SourceManifest, SourceTable
from saferoom.vault.intake_process import call_job
from saferoom.wire import TimedSocket, send


def main() -> None:
    """Do jobs until there is no more."""
    from saferoom.intake import __main__ as intake  # noqa: PLC0415  # loaded here, once
    from saferoom.intake import caller, calling, files, https, walls  # noqa: PLC0415  # as above

    caller.TRIES, https.CALL_SECONDS = 1, 5.0
    orders = _unix(os.dup(0))
    effects = walls.shut(os.getppid()) if sys.argv[1] == "walled" else {}

    @contextmanager
    def handed(
        held: dict[str, BinaryIO], _folder: Path, tables: tuple[SourceTable, ...]
    ) -> Iterator[list[files.Opened]]:
        yield [
            files.Opened(table, name, file)
            for table in tables
            for name, file in held.items()
            if fnmatchcase(name, str(table.path))
        ]

    while True:
        names, descriptors, _, _ = socket.recv_fds(orders, 4_096, 8)
        if not descriptors:
            return
        with _unix(descriptors[0]) as channel:
            if names == b"/call":
                calling.serve(channel, caller.Pace)
                continue
            rest = descriptors[1:]
            if names == b"/link":
                intake.serve(channel, lambda: effects, partial(_unix, rest[0]))
                continue
            opened: list[BinaryIO] = [os.fdopen(one, "rb") for one in rest]
            held = dict(zip(names.decode().split("/")[: len(rest)], opened, strict=True))
            setattr(intake, "opened_files", partial(handed, held))  # noqa: B010  # not exported
            intake.serve(channel, lambda: effects, partial(_unix, -1))
            for file in held.values():
                file.close()


def _unix(descriptor: int) -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=descriptor)


class Warm:
    """The two processes, seen from the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._walled = _Process("walled")
        self._open = _Process("open")

    @contextmanager
    def lent(self, link: socket.socket | None = None) -> Iterator[TimedSocket]:
        """Lend a socket to intake, with the folder's files or with a link."""
        near, theirs = socket.socketpair()
        with TimedSocket(fileno=near.detach()) as ours:
            with theirs:
                if link is not None:
                    self._walled.hand(b"/link", [theirs.fileno(), link.fileno()])
                    link.close()
                else:
                    self._hand_files(theirs)
            yield ours

    @contextmanager
    def database(self, _link: socket.socket | None = None) -> Iterator[TimedSocket]:
        """Lend a socket to an intake that reads databases."""
        near, theirs = socket.socketpair()
        with TimedSocket(fileno=near.detach()) as ours:
            with theirs:
                self._open.hand(b"none", [theirs.fileno()])
            yield ours

    @contextmanager
    def calling(self, source: SourceManifest, connection: Connection) -> Iterator[socket.socket]:
        """Lend the other end of a link to the caller."""
        link, theirs = socket.socketpair()
        with link:
            with theirs:
                self._open.hand(b"/call", [theirs.fileno()])
            send(link, call_job(source, connection))
            yield link

    def close(self) -> None:
        self._walled.close()
        self._open.close()

    def _hand_files(self, theirs: socket.socket) -> None:
        paths = sorted(self._folder.iterdir())
        opened = [os.open(path, os.O_RDONLY) for path in paths]
        names = "/".join(path.name for path in paths).encode()
        self._walled.hand(names or b"none", [theirs.fileno(), *opened])
        for one in opened:
            os.close(one)


class _Process:
    def __init__(self, kind: str) -> None:
        self._orders, theirs = socket.socketpair()
        command = [sys.executable, "-c", "from tests.intake.warm import main; main()", kind]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
            )

    def hand(self, what: bytes, descriptors: list[int]) -> None:
        socket.send_fds(self._orders, [what], descriptors)

    def close(self) -> None:
        self._orders.close()
        self._process.wait(60)
