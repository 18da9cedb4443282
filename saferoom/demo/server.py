"""How does the demo get a room that is really served?

By the same command as everybody: `saferoom serve` in a process of its own, which starts
the vault in another. The demo waits until /readyz says that each part is there.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from saferoom.errors import Unavailable

HOST = "127.0.0.1"
LONGEST_START_SECONDS = 45.0
LONGEST_STOP_SECONDS = 15.0


def free_port() -> int:
    """Ask the kernel for a port that nobody holds."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def address(port: int) -> str:
    """Write the room's address."""
    return f"http://{HOST}:{port}"


def serve_command(home: Path, port: int) -> list[str]:
    """Write the command that anyone would type."""
    return [
        sys.executable, "-m", "saferoom", "serve",
        "--home", str(home), "--host", HOST, "--port", str(port),
    ]  # fmt: skip  # a command line reads as one


@contextmanager
def served(home: Path, port: int) -> Iterator[str]:
    """Serve a home for a while; yield its address once it answers."""
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    with (home / "run" / "serve.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            _leashed(serve_command(home, port)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_until_alive(process, address(port))
        yield address(port)
    finally:
        stop(process)


def _leashed(command: list[str]) -> list[str]:
    """Let the room end with the demo, also when the demo is killed."""
    return [sys.executable, "-m", "saferoom.cli.leash", str(os.getpid()), *command]


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the room kindly, and then not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LONGEST_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def become_server(home: Path, port: int) -> None:
    """Replace this process by the room."""
    command = serve_command(home, port)
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter


def wait_until_alive(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait for the vault too; a room without snapshot and policy is alive and not yet ready."""
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable("ROOM_UNREACHABLE", f"serve ended with {process.returncode}")
        try:
            if httpx2.get(f"{url}/v1/room", timeout=2.0).is_success:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise Unavailable("ROOM_UNREACHABLE", "the room did not start in time")
