"""Which files does another process get for us from somewhere else?

We are behind walls when the first comes; each is a sealed descriptor of memory, open already.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress

from saferoom.core.record import check_field
from saferoom.core.source import SourceTable
from saferoom.errors import CODES, Unavailable
from saferoom.intake.files import Opened
from saferoom.wire import receive, send


def stored_files(link: socket.socket, tables: Sequence[SourceTable]) -> Iterator[Opened]:
    """Ask for file after file, until there is none."""
    while True:
        with suppress(ConnectionError):  # it may have refused before it was asked
            send(link, {"say": "next"})
        try:
            header = receive(link).header
            if header.get("say") == "done":
                return
            if header.get("say") == "refused":
                code, detail = str(header.get("code")), header.get("detail")
                raise CODES[code].family(code, None if detail is None else str(detail))
            _, descriptors, _, _ = socket.recv_fds(link, 1, 1)
        except ConnectionError as error:
            raise Unavailable("SOURCE_UNAVAILABLE", "its caller ended") from error
        place = header.get("table")
        check_field(type(place) is int and len(descriptors) == 1, "file")
        with os.fdopen(descriptors[0], "rb") as file:
            yield Opened(tables[int(str(place))], str(header.get("name")), file)
