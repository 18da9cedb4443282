"""Who watches the demo's log? Three witnesses, in processes of their own.

They stand for three other organisations, and end with the room. Two make a quorum: in the
story one dies on the way, and nobody notices; at its end the log's own key, in the wrong
hands, signs another past: they refuse to cosign it. A demo that stays keeps their homes in
its own, for want of other machines: each start finds their memory there, and free ports.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from saferoom.adapters.witness_client import WitnessClient, write_addresses
from saferoom.canonical import canonical_bytes
from saferoom.client.trustfile import read_trust
from saferoom.crypto.signing import SigningKey
from saferoom.demo.server import HOST, address, free_port
from saferoom.demo.steps import Told, check
from saferoom.errors import SaferoomError, Unavailable
from saferoom.tlog.checkpoint import Checkpoint, NoteKey, read_note, sign_checkpoint
from saferoom.witness import home as homes
from saferoom.witness.home import WitnessHome

ORGANISATIONS = ("notary", "university", "regulator")
KEPT = "witnesses"
LONGEST_START_SECONDS = 20.0


@dataclass
class Watchers:
    """Three running witnesses."""

    homes: list[WitnessHome] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def create(self, folder: Path) -> None:
        """Draw keys and answer, before there is a log."""
        for organisation in ORGANISATIONS:
            home = homes.create(
                folder / organisation, f"{organisation}.example/w", organisation,
                secrets.token_bytes(32),
            )  # fmt: skip  # one call
            self._serve(home)
            body = {
                "kind": "saferoom/witness/1",
                "name": home.name,
                "organisation": organisation,
                "key": home.key.public.raw.hex(),
                "url": address(self.ports[-1]),
            }
            file = folder / organisation / "witness.json"
            file.write_bytes(canonical_bytes(body))
            self.files.append(file)

    def resume(self, folder: Path) -> dict[str, str]:
        """Serve the homes of an earlier run; return where each answers now."""
        for organisation in ORGANISATIONS:
            self._serve(homes.load(folder / organisation))
        for port in self.ports:
            _wait(port)
        return {h.name: address(port) for h, port in zip(self.homes, self.ports, strict=True)}

    def _serve(self, home: WitnessHome) -> None:
        port = free_port()
        self.homes.append(home)
        self.ports.append(port)
        self.processes.append(_serve(home.folder, port))

    def watch(self, trust: Path) -> None:
        """Take the trust file from the operators, by another way than the room's address."""
        held = read_trust(trust)
        for home, port in zip(self.homes, self.ports, strict=True):
            home.watch([NoteKey(held.origin, key.verify_key) for key in held.statement_keys])
            _wait(port)

    def lose_one(self) -> Told:
        """Kill one: two of three are a quorum."""
        self.processes[0].kill()
        self.processes[0].wait()
        return Told(f"the {ORGANISATIONS[0]}'s; two of three go on")

    def refuse_fork(self, home: Path) -> Told:
        """Let a thief of the log's key show a witness another past of the same size."""
        seed = bytes.fromhex((home / "keys" / "log.key").read_text(encoding="ascii").strip())
        newest = read_note((home / "log" / "cosigned").read_text(encoding="utf-8")).checkpoint
        forged = Checkpoint(newest.origin, newest.size, bytes(32))
        note = sign_checkpoint(forged, SigningKey(seed))
        for name, port in list(zip(ORGANISATIONS, self.ports, strict=True))[1:]:
            witness = WitnessClient(name, address(port))
            try:
                said = witness.add_checkpoint(note, newest.size, [])
            finally:
                witness.close()
            check(said == newest.size, f"the {name} refuses another past")
        kept = [1 for one in self.homes[1:] for _ in (one.folder / "evidence").iterdir()]
        check(len(kept) == 2, "both keep what the log signed as evidence")
        return Told("two witnesses refuse it and keep it as evidence", refused=2, code="fork")

    def stop(self) -> None:
        """End them."""
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def witnesses() -> Iterator[Watchers]:
    """Run three witnesses for a while."""
    watchers = Watchers()
    with tempfile.TemporaryDirectory(prefix="saferoom-witnesses-") as folder:
        try:
            watchers.create(Path(folder))
            yield watchers
        finally:
            watchers.stop()


@contextmanager
def staying_witnesses(home: Path) -> Iterator[Watchers]:
    """Run three for a while; their homes go into the room's, which is founded meanwhile."""
    with witnesses() as watchers:
        yield watchers
        watchers.stop()
        for one in watchers.homes:
            shutil.move(one.folder, home / KEPT / one.folder.name)


def resume(home: Path) -> None:
    """Let the kept witnesses watch on, tied to this process, and tell the room where."""
    if not (home / KEPT).exists():  # an older demo, founded without
        return
    watchers = Watchers()
    try:
        write_addresses(home, watchers.resume(home / KEPT))
    except SaferoomError:
        watchers.stop()
        raise


def _serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "saferoom.cli.leash", str(os.getpid())]
    command += [sys.executable, "-m", "saferoom.witness"]
    command += ["--home", str(folder), "--host", HOST, "--port", str(port)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2)  # noqa: S603  # ours


def _wait(port: int) -> None:
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Unavailable("WITNESS_UNAVAILABLE", "it did not start in time")
