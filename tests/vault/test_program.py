"""Does the program start only where it should, and survive being killed?"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saferoom.adapters.vault_client import VaultClient
from saferoom.canonical import Json, parse_object
from saferoom.core.grant import Grant
from saferoom.core.moment import write_instant
from saferoom.core.trust import VaultKeys
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError, Unavailable
from saferoom.ports import Evaluation
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS
from saferoom.wire import receive, send
from tests import factories as make
from tests.vault.process import SOCKET, end, kill, running, start
from tests.vault.room import (
    AS_OF,
    CODES,
    FEATURES,
    SmallRoom,
    counted_random,
    founders,
    make_home,
    ready_room,
    tax_month,
    write_csv,
)

ONE, TWO = CODES[:2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty vault's home."""
    path = tmp_path / "home"
    path.mkdir()
    make_home(path, counted_random("home"))
    return path


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[SmallRoom]:
    """A furnished home whose in-process service is closed, with the real time."""
    room = ready_room(tmp_path)
    room.now = datetime.now(UTC)
    yield room
    room.service.close()


def exit_of(home: Path) -> tuple[int, str]:
    return end(start(home))


def test_it_serves_and_stops_cleanly(home: Path) -> None:
    process = start(home)
    client = VaultClient(home / SOCKET)
    described = client.describe()
    assert described["cage"] == "ready"
    assert described["snapshot"] is None
    assert described["version"] == "1"
    assert (home / SOCKET).stat().st_mode & 0o777 == 0o600
    client.close()
    assert end(process) == (0, "")
    assert not (home / SOCKET).exists()
    with pytest.raises(Unavailable, match="VAULT_UNAVAILABLE"):
        client.describe()


def test_initialise_prints_what_the_trust_file_says_and_happens_once(tmp_path: Path) -> None:
    (tmp_path / "genesis.json").write_bytes(founders())
    command = [sys.executable, "-m", "saferoom.vault", "--home", str(tmp_path / "h")]
    command += ["--initialise", str(tmp_path / "genesis.json")]
    (tmp_path / "h").mkdir()
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    keys = VaultKeys.from_body(parse_object(first.stdout.strip().encode()))
    assert not (tmp_path / "h" / "version").exists()  # what makes the rest writes it last
    (tmp_path / "h" / "version").write_text("1\n")
    with running(tmp_path / "h") as client:
        described = client.describe()
        assert described["sealing_key"] == keys.sealing_key
        assert described["answer_key"] == keys.answer_key
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, "DUPLICATE" in again.stderr) == (7, True)


def test_a_home_that_is_none_newer_or_busy_is_refused(home: Path, tmp_path: Path) -> None:
    code, words = exit_of(tmp_path / "nowhere")
    assert (code, "HOME_MISSING" in words) == (5, True)
    process = start(home)
    code, words = exit_of(home)
    assert (code, "HOME_BUSY" in words) == (7, True)
    end(process)
    (home / "version").write_text("2\n", encoding="ascii")
    code, words = exit_of(home)
    assert (code, "HOME_NEWER" in words) == (7, True)


def test_it_serves_under_a_path_longer_than_a_socket_may_have(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    make_home(deep, counted_random("deep"))
    with running(deep) as client:
        assert client.describe()["cage"] == "ready"


@pytest.mark.parametrize(
    "header",
    [
        {"verb": "rows"},
        {"verb": 5},
        {},
        {"verb": "describe", "extra": 1},
        {"verb": "learn"},
        {"verb": "learn", "statements": "x"},
        {"verb": "learn", "statements": [{}]},
        {"verb": "score", "request": {}, "grants": []},
        {"verb": "ingest", "connector": "tax", "folder": "/"},
        {"verb": "ingest", "order": {}},
        {"verb": "materialise", "order": "2026-11-19"},
        {"verb": "check_model", "manifest": {}},
    ],
)
def test_a_frame_that_is_no_call_is_refused_and_the_next_is_heard(
    served: Path, header: dict[str, Json]
) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(served / SOCKET))
        send(channel, header)
        error = receive(channel).header["error"]
        assert isinstance(error, dict)
        assert error["code"] == "FIELD_INVALID"
        send(channel, {"verb": "describe"})
        assert receive(channel).header["ok"] is True


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\4{ }x"])
def test_broken_bytes_end_one_connection_only(served: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(served / SOCKET))
        channel.sendall(data)
        channel.shutdown(socket.SHUT_WR)
        while channel.recv(4096):
            pass
    client = VaultClient(served / SOCKET)
    assert client.describe()["cage"] == "ready"
    client.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("s")
    make_home(path, counted_random("served"))
    with running(path):
        yield path


def ask(room: SmallRoom, client: VaultClient, request: Statement, *codes: str) -> Evaluation:
    version = room.manifest(room.sealed())
    return client.score(request, [room.grant(version, code) for code in codes])


def test_the_whole_way_through_the_socket(closed: SmallRoom) -> None:
    version = closed.file_version()
    closed.service.close()
    request = closed.request(version, (ONE, TWO, CODES[3]))
    with running(closed.home) as client:
        grants = [closed.grant(version, ONE), closed.grant(version, TWO)]
        scored = client.score(request, grants)
        assert [answer.enterprise for answer in scored.answers] == [ONE, TWO]
        assert [closed.outcome(answer.sealed) for answer in scored.answers] == ["A", "B"]
        assert scored.refusals == {CODES[3]: "AUTH_MISSING"}
        snapshot = client.materialise(closed.snapshot_order())
        assert (snapshot.as_of, snapshot.enterprises) == (AS_OF, 6)
        with pytest.raises(SaferoomError, match="ROLE"):
            client.learn([make.sign(make.manifest(), "zhao")])
    closed.start()


def rows_taken(room: SmallRoom) -> list[str]:
    store = FactStore(room.home / "vault/facts", room.service._keys)
    table = room.declared.tables["tax_month"]
    found = [store.read(table, bucket)["record_id"].to_pylist() for bucket in range(BUCKETS)]
    return sorted(one for some in found for one in some)


def killed_during(
    room: SmallRoom, work: Callable[[VaultClient], object], chance: random.Random, most: float
) -> None:
    """Start the program, let it work, and kill it at a random moment."""
    process = start(room.home)
    client = VaultClient(room.home / SOCKET)

    def call() -> None:
        with suppress(SaferoomError):
            work(client)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(chance.uniform(0.0, most))
    kill(process)
    thread.join()
    client.close()


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.long])])
def test_killed_while_it_takes_files_it_loses_and_doubles_nothing(
    closed: SmallRoom, kills: int
) -> None:
    before = len(rows_taken(closed))
    closed.service.close()
    chance = random.Random(2026)
    folder = closed.sources / "tax"
    for number in range(kills):  # each time there is something new, and perhaps something left
        rows = [tax_month(code, m, "5") for code in CODES for m in range(25, 60)]
        rows = [row | {"record_id": f"{row['record_id']}-{number}"} for row in rows]
        write_csv(folder / f"tax_month_{number}.csv", rows)
        closed.now = datetime.now(UTC)
        killed_during(closed, lambda client: client.ingest(closed.ingest_order("tax")), chance, 2.5)
    closed.now = datetime.now(UTC)
    with running(closed.home) as client:
        client.ingest(closed.ingest_order("tax"))
        assert client.ingest(closed.ingest_order("tax"))["rows"] == 0
    closed.start()
    taken = rows_taken(closed)
    assert len(taken) == before + kills * 8 * 35
    assert len(set(taken)) == len(taken)


KILLS = [1, pytest.param(50, marks=pytest.mark.long)]  # of each verb


def two_operators(room: SmallRoom) -> Statement:
    room.orders += 1
    order = make.rotate_order(
        asked_at=write_instant(room.now), nonce=make.nonce(("rotate", room.orders))
    )
    return make.sign(order, "zhao", "qian")


def in_parts(home: Path) -> set[str]:
    return {path.name for path in (home / "vault/facts").glob("*/*.parquet")}


def check_whole(room: SmallRoom, before: list[str], enterprises: int) -> None:
    """Open the home, and find each row once, each enterprise, and no file that is not named."""
    room.now = datetime.now(UTC)
    room.start()
    try:
        assert rows_taken(room) == before
        current = room.service._snapshots.current
        assert current is not None
        assert sum(file.rows for file in current.files.files) == enterprises
        assert current.rows(CODES[1:], FEATURES).present.tolist() == [True] * 5 + [False] * 2
        named = {Path(part.file).name for part in room.service._facts.manifest.parts}
        assert in_parts(room.home) == named
        found = room.service.check()
        assert (found["well"], found["damaged"]) == (True, [])
    finally:
        room.service.close()


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_it_materialises_the_old_or_the_new_snapshot_stands(
    closed: SmallRoom, kills: int
) -> None:
    before = rows_taken(closed)
    closed.service.close()
    chance = random.Random(11)
    for _ in range(kills):
        killed_during(
            closed, lambda client: client.materialise(closed.snapshot_order()), chance, 0.6
        )
        check_whole(closed, before, 6)
    folders = [path for path in (closed.home / "vault/segments").iterdir() if path.is_dir()]
    assert len(folders) <= 2
    closed.start()


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_it_changes_keys_either_key_opens_everything(
    closed: SmallRoom, kills: int
) -> None:
    before = rows_taken(closed)
    closed.service.close()
    chance = random.Random(13)
    for _ in range(kills):
        killed_during(closed, lambda client: client.rotate(two_operators(closed)), chance, 0.5)
        check_whole(closed, before, 6)
    with running(closed.home) as client:
        client.rotate(two_operators(closed))
    check_whole(closed, before, 6)
    closed.start()


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_it_erases_one_is_gone_and_the_others_are_whole(
    closed: SmallRoom, kills: int, tmp_path: Path
) -> None:
    before, kept = rows_taken(closed), []
    table = closed.declared.tables["tax_month"]
    for bucket in range(BUCKETS):
        rows = closed.service._facts.read(table, bucket)
        for code, record in zip(
            rows["uscc"].to_pylist(), rows["record_id"].to_pylist(), strict=True
        ):
            kept += [record] if code != ONE else []
    closed.service.close()
    chance = random.Random(17)
    whole = shutil.copytree(closed.home, tmp_path / "whole")
    order = make.sign(make.erase_order(ONE, asked_at=write_instant(closed.now)), ONE)
    done = 0
    for _ in range(kills):
        shutil.rmtree(closed.home)
        shutil.copytree(whole, closed.home)
        killed_during(closed, lambda client: client.erase(order), chance, 0.12)
        begun = (closed.home / "vault/journal/erasures.log").stat().st_size > 0
        done += begun
        check_whole(closed, sorted(kept) if begun else before, 5 if begun else 6)
    with running(closed.home) as client:
        certificate = client.erase(order)
        assert client.erase(order) == certificate
    check_whole(closed, sorted(kept), 5)
    assert kills == 1 or 0 < done < kills, done  # some came before it began, some after
    closed.start()


def test_killed_while_it_scores_and_learns_the_answers_stay_the_same(closed: SmallRoom) -> None:
    version = closed.file_version()
    closed.service.close()
    request = closed.request(version, (ONE, TWO))
    grants = [closed.grant(version, ONE), closed.grant(version, TWO)]
    answered: list[Evaluation] = []
    chance = random.Random(7)
    for _ in range(5):
        killed_during(
            closed, lambda client: answered.append(client.score(request, grants)), chance, 0.4
        )
    granted = Grant.from_body(grants[1].body)
    with running(closed.home) as client:
        answered.append(client.score(request, grants))
        client.learn([make.sign(make.revocation(granted), TWO)])
        kept = client.score(request, grants)
    assert all(one == answered[0] for one in answered)
    assert kept.refusals == {TWO: "AUTH_REVOKED"}
    assert kept.answers == answered[0].answers[:1]
    assert datetime.now(UTC) - closed.now < timedelta(seconds=290)
    closed.start()
