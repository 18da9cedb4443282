"""Does a room that was made and served by commands do what the contract says?

The real thing: `init`, `serve` in a process of its own with its vault, people with key
folders, and the client over HTTP. Nothing is a twin here.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest

import saferoom
from saferoom.canonical import Digest
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign
from saferoom.client.trustfile import keep_trust, read_trust
from saferoom.core.admission import PartyKind
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Purpose
from saferoom.crypto.sealing import SealingKey
from saferoom.demo import content
from saferoom.errors import Conflict, NotFound, Refusal, Unavailable

FROM, UNTIL = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


@dataclass(frozen=True)
class Served:
    """A running room and its two founders."""

    url: str
    home: Path
    process: subprocess.Popen[str]

    def founder(self, number: int) -> KeyFolder:
        return keyfolder.load(self.home / "people" / f"founder-{number}")

    def client(self, keys: KeyFolder) -> RoomClient:
        return RoomClient(self.url, keys)


def _saferoom(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "saferoom", *map(str, arguments)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, *, until: bool = True) -> None:
    for _ in range(300):
        try:
            if httpx2.get(f"{url}/readyz", trust_env=False).is_success is until:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the room's readiness did not change")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home, port = tmp_path_factory.mktemp("served") / "home", _free_port()
    founders = ("--operator", "founder-1", "--operator", "founder-2")
    subprocess.run(_saferoom("init", "--home", home, *founders, "--json"), check=True)
    with (home / "run" / "log").open("w") as log:
        process = subprocess.Popen(
            _saferoom("serve", "--home", home, "--port", port, "--json"),
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url)
        yield Served(url, home, process)
    finally:
        process.terminate()
        process.wait(20)


def _enrol(served: Served, folder: Path, holder: str, party: str, role: Role) -> KeyFolder:
    founders = [served.founder(1), served.founder(2)]
    return _enrol_by(founders, served, folder, holder=holder, party=party, role=role)


def _enrol_by(
    founders: list[KeyFolder], served: Served, folder: Path, *, holder: str, party: str, role: Role
) -> KeyFolder:
    keys = keyfolder.create(
        folder / holder,
        holder=holder,
        party=party,
        role=role,
        url=served.url,
        random_bytes=secrets.token_bytes,
        delivery=SealingKey(secrets.token_bytes(32)),
    )
    with served.client(founders[0]) as client:
        client.enrol([countersign(Author(keys).enrolment(), *founders)])
    return keys


def _admit(served: Served, operators: list[KeyFolder], party: str) -> str:
    statement = Author(operators[0]).admission(
        party,
        PartyKind.BANK,
        "Bank",
        contact="desk",
        purposes=["credit_approval"],
        categories=["registration"],
        valid_from=FROM,
        valid_until=UNTIL,
    )
    with served.client(operators[0]) as client:
        digest = client.admit(statement)
        with pytest.raises(Refusal, match="SELF_APPROVE"):
            client.vote(Author(operators[0]).vote(digest, "review"))
    state = ""
    for operator in operators[1:]:
        with served.client(operator) as client:
            state = str(client.vote(Author(operator).vote(digest, "review"))["state"])
    return state


def test_init_makes_no_room_twice(served: Served) -> None:
    done = subprocess.run(
        _saferoom("init", "--home", served.home, "--json"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert json.loads(done.stdout)["error"]["code"] == "DUPLICATE"


@pytest.mark.parametrize("names", [["one"], ["one", "one"], ["one", "two", "three"]])
def test_two_people_found_a_room(tmp_path: Path, names: list[str]) -> None:
    founders = [part for name in names for part in ("--operator", name)]
    done = subprocess.run(
        _saferoom("init", "--home", tmp_path / "h", *founders), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert not (tmp_path / "h").exists()


def test_the_same_home_and_port_are_not_served_twice(served: Served, tmp_path: Path) -> None:
    port = served.url.rsplit(":", 1)[1]
    busy = subprocess.run(
        _saferoom("serve", "--home", served.home, "--port", _free_port()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (busy.returncode, busy.stderr[:9]) == (7, "HOME_BUSY")
    subprocess.run(_saferoom("init", "--home", tmp_path / "h"), check=True, capture_output=True)
    taken = subprocess.run(
        _saferoom("serve", "--home", tmp_path / "h", "--port", port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (taken.returncode, taken.stderr[:9]) == (4, "PORT_BUSY")


def test_a_person_logs_in_and_is_known(served: Served) -> None:
    folder = served.home / "people" / "founder-1"
    done = subprocess.run(
        _saferoom("login", "--key", folder, "--url", served.url, "--json"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["holder"] == "founder-1"
    with RoomClient(served.url, (folder / "token").read_text()) as client:
        assert client.me() == {"holder": "founder-1", "party": "operator", "role": "operator"}


def test_a_key_that_nobody_enrolled_gets_no_token(served: Served, tmp_path: Path) -> None:
    keys = keyfolder.create(
        tmp_path / "x",
        holder="founder-1",
        party="operator",
        role=Role.OPERATOR,
        url=served.url,
        random_bytes=secrets.token_bytes,
    )
    with served.client(keys) as client, pytest.raises(Refusal, match="KEY_UNKNOWN") as caught:
        client.me()
    assert caught.value.trace_id


def test_a_newcomer_is_enrolled_by_commands_alone(served: Served, tmp_path: Path) -> None:
    folder, founders = tmp_path / "new", [served.home / "people" / f"founder-{n}" for n in (1, 2)]
    who = ("--holder", "zhou.min", "--party", "auditor", "--role", "auditor")
    file = folder / "enrolment.json"
    steps = [
        _saferoom("keys", "new", folder, *who, "--url", served.url),
        *(_saferoom("keys", "countersign", file, "--key", founder) for founder in founders),
        _saferoom("keys", "enrol", file, "--key", founders[0], "--url", served.url),
        _saferoom("login", "--key", folder),
    ]
    for step in steps:
        subprocess.run(step, check=True, capture_output=True)
    with served.client(keyfolder.load(folder)) as client:
        assert client.me()["role"] == "auditor"


def test_a_bank_is_admitted_by_two_who_did_not_propose_it(served: Served, tmp_path: Path) -> None:
    third = _enrol(served, tmp_path, "third", "operator", Role.OPERATOR)
    operators = [third, served.founder(1), served.founder(2)]
    assert _admit(served, operators, "bank-a") == "approved"
    with served.client(third) as client:
        (bank,) = [one for one in client.parties() if one["party"] == "bank-a"]
    assert bank["state"] == "admitted"
    modeller = _enrol(served, tmp_path, "li.na", "bank-a", Role.MODELLER)
    with saferoom.connect(served.url, key=modeller) as room:
        with pytest.raises(Unavailable, match="NOT_READY"):
            room.catalogue()
        assert room.receipts() == []
        with pytest.raises(NotFound, match="NOT_FOUND"):
            room.receipt("00" * 16)
        request = room.client.author.score_request(
            Digest("00" * 32), Purpose.CREDIT_APPROVAL, ["91990101MA00000X0K"], "LOAN-1"
        )
        with pytest.raises((Refusal, NotFound, Unavailable)):
            room.client.score(request)


def test_a_write_tried_again_is_answered_as_before(served: Served, tmp_path: Path) -> None:
    keys = keyfolder.create(
        tmp_path / "a",
        holder="auditor",
        party="auditor",
        role=Role.AUDITOR,
        url=served.url,
        random_bytes=secrets.token_bytes,
    )
    statement = countersign(Author(keys).enrolment(), served.founder(1), served.founder(2))
    with served.client(served.founder(1)) as client:
        client.me()
        assert isinstance(client.key, KeyFolder)
        headers = {"Authorization": f"Bearer {client.key.token}", "Idempotency-Key": "k" * 16}
        body = {"statements": [statement.to_json()]}
        answers = [
            httpx2.post(f"{served.url}/v1/enrolments", json=body, headers=headers, trust_env=False)
            for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json() == {"digests": [statement.digest]}
        other = httpx2.post(
            f"{served.url}/v1/enrolments",
            json={"statements": [statement.to_json()] * 2},
            headers=headers,
            trust_env=False,
        )
        assert other.json()["error"]["code"] == "IDEMPOTENCY_CONFLICT"
        assert other.status_code == Conflict.status


def test_the_log_grows_and_can_be_fetched(served: Served) -> None:
    note = httpx2.get(f"{served.url}/log/checkpoint", trust_env=False)
    size = int(note.text.splitlines()[1])
    assert size >= 3
    tile = httpx2.get(f"{served.url}/log/tile/0/000.p/{size}", trust_env=False)
    assert len(tile.content) == 32 * size
    assert (served.home / "log" / "checkpoint").is_file()


def test_a_killed_vault_comes_back(served: Served) -> None:
    (vault,) = (
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_vault_of(entry, served.process.pid)
    )
    os.kill(vault, signal.SIGKILL)
    _wait(served.url, until=False)
    _wait(served.url)


def _is_vault_of(entry: Path, parent: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[1]) == parent and b"saferoom.vault" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def test_nothing_personal_is_in_the_servers_own_log(served: Served) -> None:
    text = (served.home / "run" / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert requests
    assert {"route", "status", "trace_id", "milliseconds"} <= set(requests[0])
    for secret in ("founder-1", "li.na", "91990101MA00000X0K", "Bearer"):
        assert secret not in text


def test_the_room_ends_when_it_is_told_to(tmp_path: Path) -> None:
    home, port = tmp_path / "home", _free_port()
    subprocess.run(_saferoom("init", "--home", home), check=True, capture_output=True)
    process = subprocess.Popen(
        _saferoom("serve", "--home", home, "--port", port), stderr=subprocess.PIPE, text=True
    )
    _wait(f"http://127.0.0.1:{port}")
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in told
    time.sleep(0.2)
    assert not (home / "run" / "vault.sock").exists()


def test_vault_and_worker_run_as_programs_of_their_own(tmp_path: Path) -> None:
    home, port = tmp_path / "home", _free_port()
    subprocess.run(_saferoom("init", "--home", home), check=True, capture_output=True)
    apart = {**os.environ, "SAFEROOM_WORKER_IN_PROCESS": "false"}
    commands = [
        _saferoom("vault", "--home", home),
        _saferoom("worker", "--home", home),
        _saferoom("serve", "--home", home, "--port", port, "--no-vault"),
    ]
    started = [
        subprocess.Popen(one, env=apart, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for one in commands
    ]
    try:
        _wait(f"http://127.0.0.1:{port}")
        _until_logged(f"http://127.0.0.1:{port}")
    finally:
        for process in started:
            process.terminate()
        codes = [process.wait(20) for process in started]
    assert codes == [0, 0, 0]


def test_mock_data_needs_no_vault(tmp_path: Path) -> None:
    """Here none is ever started; nor is there a row anywhere."""
    home, port = tmp_path / "home", _free_port()
    subprocess.run(_saferoom("init", "--home", home), check=True, capture_output=True)
    process = subprocess.Popen(
        _saferoom("serve", "--home", home, "--port", port, "--no-vault"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    served = Served(f"http://127.0.0.1:{port}", home, process)
    try:
        _wait_for_life(served.url)
        folders = sorted(folder for folder in (home / "people").iterdir() if folder.is_dir())
        founders = [keyfolder.load(folder) for folder in folders]
        enrol = partial(_enrol_by, founders, served, tmp_path)
        people = (
            enrol(holder="third", party="operator", role=Role.OPERATOR),
            enrol(holder="li.na", party="bank-a", role=Role.MODELLER),
        )
        kept = read_trust(home / "trust.json")
        third, modeller = (keep_trust(keys, kept) for keys in people)
        for body in (content.views().to_body(), content.mock().to_body()):
            with served.client(third) as client:
                digest = client.propose(Author(third).sign(body))
            for founder in founders:
                with served.client(founder) as client:
                    client.vote(Author(founder).vote(digest, "review"))
        first, second = tmp_path / "first.csv", tmp_path / "second.csv"
        for out in (first, second):
            wanted = ("--view", "sales_12", "--view", "tax_grade", "--rows", 300, "--seed", 5)
            command = _saferoom("mock", out, "--key", modeller.folder, "--url", served.url, *wanted)
            subprocess.run(command, check=True, capture_output=True)
    finally:
        process.terminate()
        process.wait(20)
    lines = first.read_text().splitlines()
    assert (lines[0], len(lines)) == ("sales_12,tax_grade", 301)
    assert first.read_bytes() == second.read_bytes()


def _wait_for_life(url: str) -> None:
    for _ in range(300):
        try:
            if httpx2.get(f"{url}/healthz", trust_env=False).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the program does not answer")


def _until_logged(url: str) -> None:
    for _ in range(100):
        if httpx2.get(f"{url}/log/checkpoint", trust_env=False).is_success:
            return
        time.sleep(0.1)
    raise AssertionError("the worker published no checkpoint")
