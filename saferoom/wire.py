"""How do our own programs talk over a local socket?

A frame is a 4-byte big-endian length and a canonical JSON header; the header's
`attachments` lists the byte lengths of raw attachments that follow. Both sides
bound what they read before they read it. No descriptor travels here but the cage's
one memfd, by SCM_RIGHTS, on its own call.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import BadInput

LARGEST_HEADER = 16 * 2**20
LARGEST_ATTACHMENTS = 512 * 2**20
TOGETHER = 2**16  # a smaller frame goes in one piece: its reader wakes once


@dataclass(frozen=True)
class Frame:
    """One message: a header and raw attachments."""

    header: dict[str, Json]
    attachments: tuple[bytes, ...] = ()


class ChannelClosed(ConnectionError):
    """The other side is gone, or stopped in the middle of a frame."""


class TimedSocket(socket.socket):
    """A socket whose whole call has one deadline, however slowly bytes drip in."""

    _deadline = float("inf")

    def arm(self, seconds: float) -> None:
        """Start the clock of one call."""
        self._deadline = time.monotonic() + seconds
        self.settimeout(max(seconds, 0.001))

    def recv_into(  # type: ignore[override]  # the stub's positional-only names differ
        self, buffer: memoryview, nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive within what is left of the call's time."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if left < float("inf"):
            self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


def send(
    channel: socket.socket, header: dict[str, Json], attachments: Sequence[bytes] = ()
) -> None:
    """Write one frame."""
    sizes: list[Json] = [len(part) for part in attachments]
    head = canonical_bytes({**header, "attachments": sizes})
    parts = [struct.pack(">I", len(head)) + head, *attachments]
    if sum(map(len, parts)) <= TOGETHER:
        parts = [b"".join(parts)]
    for part in parts:
        channel.sendall(part)


def receive(
    channel: socket.socket,
    largest_header: int = LARGEST_HEADER,
    largest_attachments: int = LARGEST_ATTACHMENTS,
) -> Frame:
    """Read one frame, refusing what is too large before reading it."""
    header, lengths = receive_header(channel, largest_header, largest_attachments)
    return Frame(header, tuple(read_exactly(channel, size) for size in lengths))


def receive_header(
    channel: socket.socket,
    largest_header: int = LARGEST_HEADER,
    largest_attachments: int = LARGEST_ATTACHMENTS,
) -> tuple[dict[str, Json], list[int]]:
    """Read a frame's header; the lengths of what follows are returned and not yet read."""
    (length,) = struct.unpack(">I", read_exactly(channel, 4))
    if length > largest_header:
        raise BadInput("TOO_LARGE")
    header = parse_object(read_exactly(channel, length))
    sizes = header.pop("attachments", None)
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise BadInput("FIELD_INVALID", "attachments")
    lengths = [size for size in sizes if isinstance(size, int)]
    if len(lengths) > 4096 or sum(lengths) > largest_attachments:
        raise BadInput("TOO_LARGE")
    return header, lengths


def discard(channel: socket.socket, lengths: Sequence[int]) -> None:
    """Read attachments that nobody wants, and keep nothing of them."""
    left = sum(lengths)
    while left:
        left -= len(read_exactly(channel, min(left, TOGETHER)))


def read_exactly(channel: socket.socket, length: int) -> bytes:
    """Read so many bytes or raise ChannelClosed."""
    data = bytearray(length)
    view = memoryview(data)
    done = 0
    while done < length:
        got = channel.recv_into(view[done:])
        if got == 0:
            raise ChannelClosed
        done += got
    return bytes(data)
