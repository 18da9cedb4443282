"""Witnesses, a room that they watch, an override, an export and a monitor: all by command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from saferoom.canonical import Json, parse_object
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign
from saferoom.core.enrolment import Role
from saferoom.errors import Refusal
from saferoom.tlog.checkpoint import read_note
from tests.witness.fork import Running, free_port, start

NAMES = ("one", "two", "three")


def saferoom(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "saferoom", *map(str, arguments)]


def told(*arguments: object, code: int = 0) -> dict[str, Json]:
    done = subprocess.run(saferoom(*arguments, "--json"), capture_output=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return parse_object(json.dumps(json.loads(done.stdout), separators=(",", ":"), sort_keys=True,
                                   ensure_ascii=False).encode())  # fmt: skip  # one value


@dataclass
class Watched:
    """A room with two of three witnesses."""

    folder: Path
    url: str
    witnesses: list[Running]
    auditor: KeyFolder

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def founder(self, number: int) -> KeyFolder:
        return keyfolder.load(self.home / "people" / f"operator-{number}")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    witnesses, options = [], []
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            port = free_port()
            made = told(
                "witness", "new", "--home", folder / name, "--name", f"{name}.example",
                "--organisation", name, "--url", f"http://127.0.0.1:{port}",
            )  # fmt: skip  # a command line
            assert str(made["vkey"]).startswith(f"{name}.example+")
            options += ["--witness", folder / name / "witness.json"]
            running = start(folder / name, port)
            stack.callback(running.kill)
            witnesses.append(running)
        _init(folder, options)
        port = free_port()
        command = saferoom("serve", "--home", folder / "home", "--port", port)
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGTERM)
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: httpx2.get(f"{url}/v1/room", trust_env=False).is_success)
        yield Watched(folder, url, witnesses, _auditor(folder, url))


def _init(folder: Path, options: list[object]) -> None:
    command = saferoom("init", "--home", folder / "home", *options, "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        trust = folder / "home" / "trust.json"
        _wait(lambda: trust.exists() and trust.stat().st_size > 0)
        for name in NAMES[:2]:
            watching = told("witness", "watch", "--home", folder / name, "--trust", trust)
            assert watching["origin"] == "saferoom.example/room"
        out, _ = process.communicate()
    assert json.loads(out)["witnessed"] is True


def _auditor(folder: Path, url: str) -> KeyFolder:
    founders = [keyfolder.load(folder / "home/people" / f"operator-{n}") for n in (1, 2)]
    keys = keyfolder.create(
        folder / "auditor", holder="wu", party="audit", role=Role.AUDITOR, url=url,
        random_bytes=os.urandom,
    )  # fmt: skip  # one call
    with RoomClient(url, founders[0]) as client:
        client.enrol([countersign(Author(keys).enrolment(), *founders)])
    return keys


def _wait(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx2.TransportError):
            if holds():
                return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def checkpoint(watched: Watched) -> str:
    return httpx2.get(f"{watched.url}/log/checkpoint", trust_env=False).text


def test_the_served_checkpoint_is_cosigned_and_grows(watched: Watched) -> None:
    names = {line.name for line in read_note(checkpoint(watched)).signatures}
    assert {"one.example", "two.example"} <= names
    with RoomClient(watched.url, watched.auditor) as client:
        before = read_note(checkpoint(watched)).checkpoint.size
        client.login()
    _wait(lambda: read_note(checkpoint(watched)).checkpoint.size > before)
    assert httpx2.get(f"{watched.url}/readyz", trust_env=False).json()["parts"]["witnesses"]


def test_a_monitor_finds_nothing_and_remembers(watched: Watched) -> None:
    options = ("--trust", watched.home / "trust.json", "--memory", watched.folder / "memory")
    for log in (watched.url, watched.home, watched.home / "log"):
        shown = told("audit", "monitor", "--log", log, *options)
        assert (shown["ok"], shown["alarms"]) == (True, [])
    assert (watched.folder / "memory").exists()


def test_an_export_is_an_auditors_and_fits(watched: Watched) -> None:
    out = watched.folder / "openings"
    told("audit", "export", "--key", watched.folder / "auditor", "--out", out, "--url", watched.url)
    assert out.stat().st_mode & 0o077 == 0
    trust = watched.home / "trust.json"
    shown = told("audit", "monitor", "--log", watched.home, "--trust", trust, "--openings", out)
    assert shown["ok"] is True
    assert int(str(shown["opened"])) > 0
    again = told("audit", "export", "--key", watched.folder / "auditor", "--out", out, code=2)
    assert again["error"]
    with RoomClient(watched.url, watched.founder(1)) as client, pytest.raises(Refusal):
        client.export_openings(0, None)


def test_an_alarm_ends_with_exit_code_1(watched: Watched) -> None:
    other = watched.folder / "other.json"
    body = parse_object((watched.home / "trust.json").read_bytes())
    keys = body["log_keys"]
    assert isinstance(keys, list)
    assert isinstance(keys[0], dict)
    keys[0]["compromised"] = True
    other.write_text(json.dumps(body, separators=(",", ":"), sort_keys=True))
    shown = told("audit", "monitor", "--log", watched.home, "--trust", other, code=1)
    alarms = shown["alarms"]
    assert isinstance(alarms, list)
    assert [one["code"] for one in alarms if isinstance(one, dict)] == ["CHECKPOINT_UNSIGNED"]
    words = subprocess.run(
        saferoom("audit", "monitor", "--log", watched.home, "--trust", other),
        capture_output=True, text=True, check=False,
    )  # fmt: skip  # one command
    assert "ALARM CHECKPOINT_UNSIGNED" in words.stdout


def test_two_operators_override_by_command(watched: Watched) -> None:
    file = watched.folder / "override.json"
    people = watched.home / "people"
    missing = watched.folder / "nowhere"
    assert told("witness", "override", missing, "--key", people / "operator-1", code=5)["error"]
    reason = ("--reason", "two witnesses are moving", "--hours", 2)
    made = told("witness", "override", file, "--key", people / "operator-1", *reason)
    same = told("witness", "override", file, "--key", people / "operator-1", code=2)
    assert same["error"]
    second = ("--key", people / "operator-2", "--url", watched.url)
    assert told("witness", "override", file, *second) == {"digest": made["digest"]}


def test_two_operators_change_the_witnesses_of_a_running_room(watched: Watched) -> None:
    """One joins, one ends; nothing is started again, and an older file says what to do."""
    people, trust = watched.home / "people", watched.home / "trust.json"
    port = free_port()
    told(
        "witness", "new", "--home", watched.folder / "four", "--name", "four.example",
        "--organisation", "four", "--url", f"http://127.0.0.1:{port}",
    )  # fmt: skip  # a command line
    told("witness", "watch", "--home", watched.folder / "four", "--trust", trust)
    joining = watched.folder / "four" / "witness.json"
    file, newer = watched.folder / "change.json", watched.folder / "newer.json"
    change = ("witness", "change", file, "--key")
    options = ("--reason", "two leaves, four comes", "--minutes", 0)
    assert told(*change, people / "operator-2", code=5)["error"]
    assert told(*change, people / "operator-1", *options, "--remove", "nobody", code=5)["error"]
    made = told(
        *change, people / "operator-1", *options, "--add", joining, "--remove", "two.example"
    )
    assert told(*change, people / "operator-1", "--out", newer, code=2)["error"]
    done = told(*change, people / "operator-2", "--out", newer)
    assert done["digest"] == made["digest"]
    old = watched.folder / "old.json"
    old.write_bytes(trust.read_bytes())
    running = start(watched.folder / "four", port)
    try:
        taken = told("witness", "take", newer, "--trust", trust, "--address", joining)
        assert (taken["new"], taken["trust"]) == (1, done["trust"])
        _wait(lambda: "four.example" in checkpoint(watched))
        shown = told("audit", "monitor", "--log", watched.home, "--trust", trust)
        assert shown["alarms"] == []
    finally:
        running.kill()
    refused = told("witness", "take", old, "--trust", trust, code=7)["error"]
    assert isinstance(refused, dict)
    assert refused["code"] == "TRUST_UNRELATED"
    assert told("witness", "take", newer, "--trust", old)["new"] == 1


def test_init_says_if_too_few_witnesses_answer(tmp_path: Path) -> None:
    told(
        "witness", "new", "--home", tmp_path / "w", "--name", "w", "--organisation", "w",
        "--url", f"http://127.0.0.1:{free_port()}",
    )  # fmt: skip  # a command line
    options = ("--witness", tmp_path / "w/witness.json", "--witness-seconds", 0)
    shown = told("init", "--home", tmp_path / "home", *options)
    assert shown["witnessed"] is False
    refused = told(
        "init", "--home", tmp_path / "other", *options, "--quorum", 2, code=2
    )  # two of one organisation
    assert refused["error"]
