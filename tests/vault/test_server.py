"""What can a stranger on the socket make the vault hold, and for how long?"""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from saferoom import wire
from saferoom.canonical import Json, canonical_bytes
from saferoom.crypto.signing import Statement
from saferoom.vault import server as door
from saferoom.vault.server import LARGEST_ARTEFACT, LARGEST_HEADER, Server
from saferoom.wire import receive, send
from tests import factories as make
from tests.vault.process import SOCKET, end, start
from tests.vault.room import SmallRoom, counted_random, make_home


@pytest.fixture
def served(bare: SmallRoom) -> Iterator[SmallRoom]:
    """An in-process vault behind its socket, with a bank."""
    bare.furnish()
    server = Server(bare.service, bare.home / "run")
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield bare
    server.stop()
    thread.join()


def call(home: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(str(home / SOCKET))
    channel.settimeout(30)
    return channel


def ask(channel: socket.socket, header: dict[str, Json], *attachments: bytes) -> dict[str, Json]:
    send(channel, header, attachments)
    return receive(channel).header


def code(answer: dict[str, Json]) -> object:
    error = answer["error"]
    assert isinstance(error, dict)
    return error["code"]


def submission(room: SmallRoom, by: str, sealed: bytes, **changes: object) -> dict[str, Json]:
    statement = make.sign(room.manifest(sealed, **changes), by)
    return {"verb": "check_model", "manifest": statement.to_json()}


@pytest.mark.parametrize(
    ("by", "changes", "expected"),
    [
        ("stranger", {}, "KEY_UNKNOWN"),
        ("sun", {}, "ROLE"),
        ("bank-a.modeller", {"artefact_bytes": 2**20 + 1}, "FIELD_INVALID"),
        ("bank-a.modeller", {"views": make.some_digest()}, "VIEW_UNAPPROVED"),
    ],
)
def test_an_artefact_is_read_for_a_signed_manifest_alone(
    served: SmallRoom,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    changes: dict[str, object],
    expected: str,
) -> None:
    held: list[int] = []
    real = wire.read_exactly

    def watch(channel: socket.socket, length: int) -> bytes:
        held.append(length)
        return real(channel, length)

    monkeypatch.setattr(door, "read_exactly", watch)
    data = bytes(2**20)
    with call(served.home) as channel:
        assert code(ask(channel, submission(served, by, data, **changes), data)) == expected
        assert held == []
        assert ask(channel, {"verb": "describe"})["ok"] is True  # the connection goes on
        good = served.sealed()
        told = ask(channel, submission(served, "bank-a.modeller", good), good)
        assert told["scorer"] == "scorecard"
        assert held == [len(good)]


@pytest.mark.parametrize("verb", ["describe", "learn", "score", "poem"])
def test_other_verbs_bring_nothing(served: SmallRoom, verb: str) -> None:
    with call(served.home) as channel:
        assert code(ask(channel, {"verb": verb}, b"x" * 100_000)) == "FIELD_INVALID"
        assert ask(channel, {"verb": "describe"})["ok"] is True


def test_a_manifest_that_is_none_is_refused_and_what_follows_thrown_away(
    served: SmallRoom,
) -> None:
    header: dict[str, Json] = {"verb": "check_model", "manifest": "x"}
    with call(served.home) as channel:
        assert code(ask(channel, header, b"x" * 100_000)) == "FIELD_INVALID"
        assert ask(channel, {"verb": "describe"})["ok"] is True


def test_too_many_artefacts_at_once_are_told_to_come_back(
    served: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.service, "check_model", lambda *_: pytest.fail("not reached"))
    sealed = served.sealed()
    header = submission(served, "bank-a.modeller", sealed)
    waiting = canonical_bytes({**header, "attachments": [len(sealed)]})
    begun = threading.Semaphore(0)
    real = wire.read_exactly

    def tell(channel: socket.socket, length: int) -> bytes:
        begun.release()
        return real(channel, length)

    monkeypatch.setattr(door, "read_exactly", tell)
    with call(served.home) as one, call(served.home) as two, call(served.home) as three:
        for channel in (one, two):  # their artefacts never come
            channel.sendall(struct.pack(">I", len(waiting)) + waiting)
            assert begun.acquire(timeout=30)
        assert code(ask(three, header, b"")) == "VAULT_BUSY"
        assert ask(three, {"verb": "describe"})["ok"] is True


@pytest.mark.parametrize(
    "start_of_frame",
    [
        struct.pack(">I", LARGEST_HEADER + 1),
        struct.pack(">I", 40)
        + canonical_bytes({"attachments": [LARGEST_ARTEFACT + 1], "verb": 0}).ljust(40),
    ],
)
def test_what_is_too_large_is_not_begun(served: SmallRoom, start_of_frame: bytes) -> None:
    with call(served.home) as channel:
        channel.sendall(start_of_frame)
        assert "error" in receive(channel).header
        assert channel.recv(1) == b""


@pytest.mark.parametrize("begun", [b"", b"\0", b"\0\0\1\0{"])
def test_who_falls_silent_gives_the_place_up(
    served: SmallRoom, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(door, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(door, "FRAME_SECONDS", 0.2)
    with call(served.home) as channel:
        channel.sendall(begun)
        assert channel.recv(1) == b""


def test_a_stranger_s_artefact_takes_no_memory(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    make_home(home, counted_random("memory"))
    process = start(home)
    before = peak(process)
    statement: Statement = make.sign(make.manifest(), "stranger")
    header: dict[str, Json] = {"verb": "check_model", "manifest": statement.to_json()}
    with call(home) as channel:
        for _ in range(3):
            assert code(ask(channel, header, bytes(LARGEST_ARTEFACT))) == "KEY_UNKNOWN"
    assert peak(process) - before < LARGEST_ARTEFACT // 4
    assert end(process)[0] == 0


def peak(process: subprocess.Popen[str]) -> int:
    """Read the most memory that a process ever held, in bytes (proc_pid_status(5))."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
