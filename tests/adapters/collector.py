"""A syslog collector that reads octet-counted messages, and may die at any of them."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Collector:
    """Listens on a port of its own; what it stored outlives it."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    dies_after: int | None = None  # messages, of all connections
    stored: list[bytes] = field(default_factory=list)
    refused: int = 0
    _connections: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def die(self) -> None:
        """End at once: nobody is told what was stored."""
        for one in (self._socket, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def ids(self) -> list[str]:
        """Return the ids in the order that they were stored in."""
        return [one.split(b'"id":"')[1].split(b'"')[0].decode() for one in self.stored]

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args)  # type: ignore[arg-type]  # a method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self._connections.append(connection)
            self._read(connection)
        except (OSError, ValueError):
            self.refused += 1

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while part := connection.recv(65_536):
            data += part
            while b" " in data:
                length, _, rest = data.partition(b" ")
                if len(rest) < int(length):
                    break
                if self.dies_after is not None and len(self.stored) >= self.dies_after:
                    self.die()  # it received more, and stored nothing of it
                    return
                self.stored.append(rest[: int(length)])
                data = rest[int(length) :]
