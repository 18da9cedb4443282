"""Which processes serve the room that is killed, and how is each killed?

A real home, made by `saferoom init` and the demo's first chapters, and a real `saferoom
serve` that starts its vault, which starts its cages: one process group.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
import sqlalchemy as sa

from saferoom.adapters.database.engine import open_database, reading, sqlite_url, writing
from saferoom.adapters.database.migrating import migrate
from saferoom.adapters.database.tables import metadata
from saferoom.core.manifest import Manifest
from saferoom.demo import granting, story
from saferoom.demo.opening import Stage
from saferoom.demo.server import free_port, serve_command
from saferoom.demo.setup import prepare
from saferoom.demo.steps import Play
from saferoom.demo.submitting import CARD, TREES, Versions

START_SECONDS = 45.0
TARGETS = ("server", "vault", "group")


@dataclass
class KilledRoom:
    """One home and whatever of its processes is alive."""

    home: Path
    port: int
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """Return the end of what the processes wrote, without the requests that went well."""
        with (self.home / "run" / "serve.log").open(errors="replace") as lines:
            return "".join([line for line in lines if '"event": "request"' not in line][-40:])

    def start(self) -> None:
        with (self.home / "run" / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                serve_command(self.home, self.port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def wait_until_alive(self) -> None:
        """Wait until the vault answers too."""
        deadline = time.monotonic() + START_SECONDS
        with httpx2.Client(base_url=self.url, timeout=5.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                assert self.process is not None
                assert self.process.poll() is None, self.said
                try:
                    if client.get("/v1/room").is_success:
                        return
                except httpx2.HTTPError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"the room did not come back: {self.said}")

    def kill(self, target: str) -> str:
        """Kill -9 and, where the server died, start it again; say what was killed."""
        assert self.process is not None
        vault = self._vault() if target == "vault" else None
        if vault is not None:
            os.kill(vault, signal.SIGKILL)
            return "vault"
        if target == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            target = "server"  # also where no vault lives yet
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.start()
        return target

    def stop(self) -> None:
        """End it kindly, if it lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            finally:
                if self.process.poll() is None:
                    os.killpg(self.process.pid, signal.SIGKILL)
                    self.process.wait()

    def _vault(self) -> int | None:
        """Find the server's child that is a vault by now."""
        assert self.process is not None
        threads = Path(f"/proc/{self.process.pid}/task")
        try:
            listed = [(thread / "children").read_text() for thread in threads.iterdir()]
            for child in " ".join(listed).split():
                if b"saferoom.vault" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        except OSError:  # it died meanwhile
            return None
        return None


@dataclass(frozen=True)
class Opened:
    """A room with people, data and approved versions, before any enterprise signs."""

    room: KilledRoom
    stage: Stage
    manifests: tuple[Manifest, ...]


def open_room(home: Path, environment: Mapping[str, str], enterprises: int) -> Opened:
    """Found and open a room; `environment` must be set for this process too."""
    port = free_port()
    ready = prepare(home, port, enterprises)
    room, play, versions = KilledRoom(home, port, environment), Play(quiet=True), Versions()
    room.start()
    try:
        room.wait_until_alive()
        story.open_room(play, ready)
        story.bring_models(play, ready, versions)
        granting.enrol_enterprises(ready.stage)
        manifests = tuple(versions.manifest(ready.stage, name) for name in (TREES, CARD))
    except BaseException:
        room.stop()
        raise
    return Opened(room, ready.stage, manifests)


def copy_room(opened: Opened, home: Path, url: str | None) -> Opened:
    """Copy a room that is stopped; with a URL its rows move to that PostgreSQL database."""
    shutil.copytree(opened.room.home, home, ignore=shutil.ignore_patterns("*.sock"))
    environment = {} if url is None else {"SAFEROOM_DATABASE_URL": url}
    if url is not None:
        _move_rows(home / "room.db", url)
    room = KilledRoom(home, opened.room.port, environment)
    return replace(opened, room=room, stage=replace(opened.stage, home=home, clients={}))


def _move_rows(file: Path, url: str) -> None:
    source, target = open_database(sqlite_url(file)), open_database(url)
    migrate(target)
    with reading(source) as old, writing(target) as new:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in old.execute(sa.select(table)).mappings()]
            if rows:
                new.execute(sa.insert(table), rows)
            if table.primary_key.columns.keys() == ["number"]:
                sequence = f"pg_get_serial_sequence('{table.name}', 'number')"
                new.exec_driver_sql(f"SELECT setval({sequence}, max(number)) FROM {table.name}")
    source.dispose()
    target.dispose()
    file.unlink()
