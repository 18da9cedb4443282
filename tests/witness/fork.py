"""A log that can fork, and a client that asks a witness as a log would."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from saferoom.crypto.signing import SigningKey
from saferoom.tlog.checkpoint import Checkpoint, NoteKey, sign_checkpoint
from saferoom.tlog.merkle import MemoryReader, consistency_proof, root
from saferoom.witness import home as homes
from saferoom.witness.home import WitnessHome

ORIGIN = "room.example/log"
LOG_KEY = SigningKey(bytes([7]) * 32)
NAME = "witness.example/w1"


def make_home(folder: Path) -> WitnessHome:
    made = homes.create(folder, NAME, "another organisation", bytes([9]) * 32)
    made.watch([NoteKey(ORIGIN, LOG_KEY.public)])
    return made


def leaves(count: int, branch: str = "") -> list[bytes]:
    """A log whose last leaf says which branch it is of."""
    return [*(b"leaf %d" % n for n in range(count - 1)), b"leaf %d" % (count - 1) + branch.encode()]


def note(entries: Sequence[bytes], key: SigningKey = LOG_KEY, origin: str = ORIGIN) -> str:
    return sign_checkpoint(Checkpoint(origin, len(entries), root(entries)), key)


def request(
    entries: Sequence[bytes], old: int, key: SigningKey = LOG_KEY, origin: str = ORIGIN
) -> bytes:
    proof = consistency_proof(MemoryReader(entries), old, len(entries)) if entries else []
    return body(note(entries, key, origin), old, proof)


def body(note: str, old: int, proof: Sequence[bytes] = ()) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in proof)]
    return ("".join(f"{line}\n" for line in lines) + "\n" + note).encode()


@dataclass
class Running:
    """A witness in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def post(self, data: bytes) -> tuple[int, str, str]:
        """Ask once; status 0 where nothing came back."""
        try:
            url = f"http://127.0.0.1:{self.port}/add-checkpoint"
            answer = httpx2.post(url, content=data, timeout=20, trust_env=False)
        except httpx2.HTTPError:
            return 0, "", ""
        return answer.status_code, answer.text, answer.headers.get("Content-Type", "")

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, port: int, program: Sequence[str] = ("-m", "saferoom.witness")) -> Running:
    command = [sys.executable, *program, "--home", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return Running(process, port)
        except OSError:
            assert process.poll() is None, "the witness did not start"
            time.sleep(0.02)
    raise AssertionError("the witness did not start")
