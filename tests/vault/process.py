"""How do tests start, kill and start again the vault's own program?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saferoom.adapters.vault_client import VaultClient

SOCKET = "run/vault.sock"


def start(home: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the program and wait until it is ready or gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "saferoom.vault", "--home", str(home), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Ask it to stop; return its exit code and its last words."""
    if process.poll() is None:
        process.terminate()
    _, words = process.communicate(timeout=20)
    return process.returncode, words


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=20)


@contextmanager
def running(home: Path, **environment: str) -> Iterator[VaultClient]:
    """Run the vault's program and speak to it."""
    process = start(home, **environment)
    client = VaultClient(home / SOCKET)
    try:
        yield client
    finally:
        client.close()
        end(process)
