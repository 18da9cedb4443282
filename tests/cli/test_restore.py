"""A copy of a home does not start until `saferoom restore` brought back what it lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from saferoom import wiring
from saferoom.adapters.database.engine import writing
from saferoom.app import log, tailing
from saferoom.app.entries import Draft, write_entry
from saferoom.settings import Settings, read_settings
from tests import factories as f
from tests.cli.conftest import Command


def write(settings: Settings, times: int) -> int:
    """Write so many entries as a running room would; return the log's size."""
    with wiring.open_room(settings, "serve") as room:
        for number in range(times):
            with writing(room.database) as connection:
                draft = Draft("token_issued", "li.na", {"holder": f"li.na {number}"})
                write_entry(connection, room, draft)
        log.deliver(room)
        log.sequence(room)
        tailing.keep_places(room)
        return room.log.size


@pytest.fixture(params=["file", "folder"])
def settings(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("SAFEROOM_SINKS", f"{request.param}://{tmp_path}/disk")
    made = read_settings(home=tmp_path / "home", origin="room.test/log")
    wiring.found(made, f.genesis(), f.vault_keys())
    return made


def test_a_copy_of_a_home_starts_after_the_replay(settings: Settings, command: Command) -> None:
    home = settings.home
    write(settings, 2)
    shutil.copytree(home, home.with_name("copy"))
    size = write(settings, 5)
    shutil.rmtree(home)
    home.with_name("copy").rename(home)
    for program in ("serve", "worker"):
        done = command(program, "--home", home)
        assert (done.code, done.err[:10]) == (8, "LOG_BEHIND")
    done = command("restore", "--home", home, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["entries"], told["unreadable"], told["size"]) == (5, 0, size)
    assert told["kinds"] == {"token_issued": 5}
    assert write(settings, 0) == size + 1  # with the entry that says so
    assert "0 entries came back" in command("restore", "--home", home).out


def test_another_sink_is_asked_when_it_is_named(
    settings: Settings, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = settings.home
    shutil.copytree(home, home.with_name("copy"))
    size = write(settings, 3)
    shutil.rmtree(home)
    home.with_name("copy").rename(home)
    named = settings.sinks
    monkeypatch.setenv("SAFEROOM_SINKS", "file")
    assert json.loads(command("restore", "--home", home, "--json").out)["entries"] == 0
    told = json.loads(command("restore", "--home", home, "--sink", named, "--json").out)
    assert (told["entries"], told["size"]) == (3, size)  # those of the copy get their places


def test_what_cannot_be_read_is_refused(settings: Settings, command: Command) -> None:
    for sink, code in (("syslog://127.0.0.1", "FIELD_INVALID"), ("nothing", "SETTING_INVALID")):
        done = command("restore", "--home", settings.home, "--sink", sink)
        assert (done.code, done.err.split(":")[0]) == (2, code)
    assert command("restore", "--home", settings.home.with_name("none")).code == 5
