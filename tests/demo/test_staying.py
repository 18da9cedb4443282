"""Does the room that `make demo` serves have its three witnesses, and do they end with it?"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from saferoom.adapters.witness_client import read_addresses
from saferoom.demo import watching
from saferoom.demo.server import address, free_port
from saferoom.errors import SaferoomError
from saferoom.tlog.checkpoint import read_note

PATIENCE_SECONDS = 120.0


@contextmanager
def demo(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start what `make demo` starts, smaller; wait until all of it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "saferoom", "demo", "--home", str(home)]
    command += ["--enterprises", "60", "--port", str(port)]
    with (home.parent / "told").open("ab") as told:
        room = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        _wait(room, home, address(port))
        yield room, address(port)
    finally:
        room.kill()
        room.wait()


def _wait(room: subprocess.Popen[bytes], home: Path, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and room.poll() is None:
        try:
            if (
                httpx2.get(f"{url}/readyz", timeout=5.0).is_success
                and (home / "demo.json").exists()
            ):
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail((home.parent / "told").read_text())


def answering(urls: dict[str, str]) -> list[str]:
    """Name the witnesses that still listen."""
    found = []
    for name, url in urls.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0:
                found.append(name)
    return found


def gone(urls: dict[str, str]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and answering(urls):
        time.sleep(0.05)
    return not answering(urls)


def cosigners(url: str) -> set[str]:
    note = read_note(httpx2.get(f"{url}/log/checkpoint").text)
    return {line.name for line in note.signatures if line.name.endswith(".example/w")}


def test_three_witnesses_watch_the_served_room_and_end_with_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with demo(home) as (room, url):
        assert httpx2.get(f"{url}/readyz").json()["parts"]["witnesses"] == "ready"
        assert len(cosigners(url)) >= 2
        first = read_addresses(home)
        assert len(answering(first)) == 3
        room.send_signal(signal.SIGINT)
        room.wait(30)
        assert gone(first)
    with demo(home) as (room, url):  # the same witnesses, with their memory
        again = read_addresses(home)
        assert again.keys() == first.keys()
        assert len(cosigners(url)) >= 2
        assert httpx2.get(f"{url}/readyz").json()["parts"]["witnesses"] == "ready"
        room.kill()  # and not by its own doing
        room.wait()
        assert gone(again)


def test_a_demo_without_kept_witnesses_starts_as_it_was_founded(tmp_path: Path) -> None:
    watching.resume(tmp_path)
    assert read_addresses(tmp_path) == {}


def test_a_witness_that_lost_its_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / watching.KEPT).mkdir()
    with pytest.raises(SaferoomError):
        watching.resume(tmp_path)
    assert read_addresses(tmp_path) == {}
