"""Does a frame arrive as it was sent, and is too much refused before it is read?"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from saferoom import wire
from saferoom.canonical import Json, canonical_bytes
from saferoom.errors import BadInput

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(20)
        theirs.settimeout(20)
        yield ours, theirs


def head(header: dict[str, Json]) -> bytes:
    data = canonical_bytes(header)
    return struct.pack(">I", len(data)) + data


@pytest.mark.parametrize(
    "attachments",
    [[], [b""], [b"x", b"", b"yz"], [bytes(wire.TOGETHER)], [b"x" * 3_000_000, b"y"]],
)
def test_a_frame_arrives_as_it_was_sent(ends: Ends, attachments: list[bytes]) -> None:
    ours, theirs = ends
    header: dict[str, Json] = {"verb": "sing", "key": ["C", 7]}
    sender = threading.Thread(target=wire.send, args=(ours, header, attachments))
    sender.start()
    assert wire.receive(theirs) == wire.Frame(header, tuple(attachments))
    sender.join()


def test_frames_do_not_run_together(ends: Ends) -> None:
    ours, theirs = ends
    wire.send(ours, {"n": 1}, [b"one"])
    wire.send(ours, {"n": 2})
    assert wire.receive(theirs) == wire.Frame({"n": 1}, (b"one",))
    assert wire.receive(theirs) == wire.Frame({"n": 2})


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (struct.pack(">I", wire.LARGEST_HEADER + 1), "TOO_LARGE"),
        (head({"attachments": [wire.LARGEST_ATTACHMENTS, 1]}), "TOO_LARGE"),
        (head({"attachments": [0] * 4097}), "TOO_LARGE"),
        (head({"attachments": [-1]}), "FIELD_INVALID"),
        (head({"attachments": [True]}), "FIELD_INVALID"),
        (head({"attachments": "3"}), "FIELD_INVALID"),
        (head({}), "FIELD_INVALID"),
        (struct.pack(">I", 3) + b"{ }", "NOT_CANONICAL"),
        (struct.pack(">I", 2) + b"[]", "NOT_CANONICAL"),
    ],
)
def test_what_is_too_large_or_no_frame_is_refused(ends: Ends, sent: bytes, code: str) -> None:
    ours, theirs = ends
    ours.sendall(sent)
    with pytest.raises(BadInput) as caught:
        wire.receive(theirs)
    assert caught.value.code == code


@pytest.mark.parametrize("sent", [b"", b"\0\0", head({"attachments": [5]}) + b"four"])
def test_an_end_in_the_middle_is_a_closed_channel(ends: Ends, sent: bytes) -> None:
    ours, theirs = ends
    ours.sendall(sent)
    ours.close()
    with pytest.raises(wire.ChannelClosed):
        wire.receive(theirs)
