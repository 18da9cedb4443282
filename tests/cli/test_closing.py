"""A log whose end is lost is closed on the command line, by two operators, over a real witness."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from saferoom import wiring
from saferoom.adapters.witness_client import write_addresses
from saferoom.app import witnessing
from saferoom.cli.witness import read_witnesses
from saferoom.client import keyfolder
from saferoom.client.trustfile import read_trust, trusted_origin
from saferoom.core.enrolment import Role
from saferoom.core.trust import Trust
from saferoom.errors import BadInput
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.places import open_log
from saferoom.monitor.trusted import read_trusted
from saferoom.settings import Settings, read_settings
from saferoom.witness import home as homes
from tests import factories as f
from tests.cli.conftest import Command
from tests.cli.test_restore import write
from tests.core.test_closing import CLOSING, signed
from tests.core.test_closing import trust as trust_naming
from tests.witness.fork import free_port, start

OLD, NEW = "room.test/log", "room.test/log-2"


def key(folder: Path, name: str) -> Path:
    seed = f.signing_key(name).seed
    keyfolder.create(
        folder / name, holder=name, party="operator", role=Role.OPERATOR, url="http://unused",
        random_bytes=lambda _: seed,
    )  # fmt: skip  # one call
    return folder / name


@dataclass
class Lost:
    """A home that is older than what its witness saw, and no sink with the rest."""

    settings: Settings
    watcher: Path
    seen: int
    zhao: Path
    qian: Path

    @property
    def home(self) -> Path:
        return self.settings.home


@pytest.fixture
def lost(tmp_path: Path, command: Command) -> Iterator[Lost]:
    port = free_port()
    named = ("--name", "w.example", "--organisation", "w", "--url", f"http://127.0.0.1:{port}")
    assert command("witness", "new", "--home", tmp_path / "w", *named).code == 0
    witnesses, addresses = read_witnesses([tmp_path / "w/witness.json"], 1)
    running = start(tmp_path / "w", port)
    try:
        settings = read_settings(home=tmp_path / "home", origin=OLD)
        wiring.found(settings, f.genesis(), f.vault_keys(), witnesses=witnesses)
        write_addresses(settings.home, addresses)
        trust = settings.home / "trust.json"
        assert command("witness", "watch", "--home", tmp_path / "w", "--trust", trust).code == 0
        write(settings, 2)
        shutil.copytree(settings.home, tmp_path / "copy")
        seen = write(settings, 4)
        assert wiring.witness_genesis(settings, 20)
        shutil.rmtree(settings.home)
        (tmp_path / "copy").rename(settings.home)
        yield Lost(settings, tmp_path / "w", seen, key(tmp_path, "zhao"), key(tmp_path, "qian"))
    finally:
        running.kill()


def test_two_operators_close_it_and_the_room_goes_on(lost: Lost, command: Command) -> None:
    home, file = lost.home, lost.home.with_name("closing.json")
    assert command("restore", "--home", home).code == 8
    close = ("restore", "--home", home, "--close", file)
    asked = command(*close, "--key", lost.zhao, "--origin", NEW, "--reason", "the disk burnt")
    assert asked.code == 0, asked.err
    assert "4 lost" in asked.out
    alone = command(*close, "--key", lost.zhao)
    assert (alone.code, alone.err.split(":")[0]) == (3, "APPROVAL_MISSING")
    assert command("serve", "--home", home).code == 8
    done = command(*close, "--key", lost.qian, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["origin"] == NEW
    again = command(*close, "--key", lost.qian, "--json")  # as after a crash
    assert json.loads(again.out) == json.loads(done.out)
    trust = read_trust(home / "trust.json")
    assert [one.origin for one in trust.closings] == [OLD]
    watch = ("witness", "watch", "--home", lost.watcher, "--trust", home / "trust.json")
    assert command(*watch).code == 0
    assert write(lost.settings, 1) == trust.closings[0].size + 2
    assert wiring.witness_genesis(lost.settings, 20)
    with wiring.open_room(lost.settings, "serve") as room:
        assert (room.origin, [one.lost for one in room.closings]) == (NEW, [4])
        assert witnessing.newest_quorum(room) is not None
        trusted = read_trusted(trust.to_bytes())
        visit = Visit(Asked(fetch=open_log(str(home / "log")), trusted=trusted, now=room.clock()))
        assert visit.run() == []
    old = Visit(
        Asked(
            fetch=open_log(str(home / "closed/0001/log")),
            trusted=read_trusted((home / "closed/0001/trust.json").read_bytes()),
            now=wiring.utc_now(),
        )
    )
    assert {one.code for one in old.run()} <= {"CHECKPOINT_UNWITNESSED"}


def test_an_interrupted_closing_stays_stopped_and_is_gone_on_with(
    lost: Lost, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, file = lost.home, lost.home.with_name("closing.json")
    close = ("restore", "--home", home, "--close", file)
    command(*close, "--key", lost.zhao, "--origin", NEW, "--reason", "the disk burnt")

    def fail(*_: object) -> None:
        raise BadInput("FIELD_INVALID", "the machine stopped here")

    with monkeypatch.context() as patched:
        patched.setattr(wiring, "_replace_synced", fail)
        assert command(*close, "--key", lost.qian).code == 2
    assert command("serve", "--home", home).code == 8
    assert command("restore", "--home", home).code == 8
    assert command(*close, "--key", lost.qian).code == 0
    assert read_trust(home / "trust.json").origin == NEW
    write(lost.settings, 0)


def test_what_the_command_needs_is_said(lost: Lost, command: Command) -> None:
    file = lost.home.with_name("closing.json")
    close = ("restore", "--home", lost.home, "--close", file)
    for more in ((), ("--key", lost.zhao), ("--key", lost.zhao, "--origin", NEW)):
        done = command(*close, *more)
        assert (done.code, done.err.split(":")[0]) == (2, "FIELD_INVALID")
    assert not file.exists()


def test_a_witness_that_saw_more_than_the_closing_says_refuses(
    lost: Lost, command: Command
) -> None:
    trust = Trust.from_bytes((lost.home / "trust.json").read_bytes())
    closing = f.closing(placed=1, size=1, seen_size=lost.seen - 1)
    fields = {
        "origin": NEW,
        "log_keys": trust.log_keys,
        "operators": trust.operators,
        "closed": (f.sign(closing, *f.GENESIS),),
    }
    denied = Trust(**fields)  # type: ignore[arg-type]  # a test's own names
    file = lost.home.with_name("denied.json")
    file.write_bytes(denied.to_bytes())
    done = command("witness", "watch", "--home", lost.watcher, "--trust", file)
    assert done.err.startswith("CHECKPOINT_UNTRUSTED")
    assert NEW not in homes.load(lost.watcher).logs()


def test_keys_follow_their_room_to_its_new_log(tmp_path: Path) -> None:
    trust = tmp_path / "zhao" / "trust.json"
    keys = keyfolder.keep_origin(keyfolder.load(key(tmp_path, "zhao")), OLD)
    made = trust_naming(signed(CLOSING))
    trust.write_bytes(made.to_bytes())
    assert trusted_origin(keys) == NEW
    trust.write_bytes(Trust(origin="room.test/x", log_keys=made.log_keys).to_bytes())
    with pytest.raises(BadInput):
        trusted_origin(keys)
