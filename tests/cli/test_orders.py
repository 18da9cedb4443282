"""Do people get orders written, countersigned and obeyed by the command line alone?"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from saferoom.canonical import digest_bytes
from saferoom.client.http import RoomClient
from saferoom.core.orders import EraseOrder, KeyBackupOrder, RotateOrder
from saferoom.crypto.signing import Statement
from tests import factories as make
from tests.cli.conftest import Command
from tests.vault.process import running
from tests.vault.room import CODES, SmallRoom, ready_room


@pytest.fixture
def folders(command: Command, tmp_path: Path) -> Path:
    """Make key folders of two operators, an enterprise and a custodian."""
    for name, party, role in (
        ("one", "room", "operator"),
        ("two", "room", "operator"),
        ("firm", CODES[0], "enterprise"),
        ("custodian", "custodian", "auditor"),
    ):
        holder = CODES[0] if name == "firm" else name
        words = ["--holder", holder, "--party", party, "--role", role]
        assert command("keys", "new", tmp_path / name, *words).code == 0
    return tmp_path


def read(path: Path) -> Statement:
    return Statement.from_bytes(path.read_bytes())


def test_an_enterprise_orders_its_own_erasure(command: Command, folders: Path) -> None:
    out = folders / "erase.json"
    assert command("order", "erase", "--key", folders / "firm", "--out", out).code == 0
    order = EraseOrder.from_body(read(out).body)
    assert (order.enterprise, order.evidence) == (CODES[0], None)


def test_operators_name_the_paper_and_both_sign(command: Command, folders: Path) -> None:
    out, paper = folders / "erase.json", folders / "letter.pdf"
    paper.write_bytes(b"please")
    words = ["--enterprise", CODES[0], "--evidence", paper, "--key", folders / "one"]
    assert command("order", "erase", *words, "--out", out).code == 0
    assert command("keys", "countersign", out, "--key", folders / "two").code == 0
    assert EraseOrder.from_body(read(out).body).evidence == digest_bytes(b"please")
    assert len(read(out).signatures) == 2


def test_orders_about_keys(command: Command, folders: Path) -> None:
    one = folders / "one"
    assert command("order", "rotate", "--key", one, "--out", folders / "r.json").code == 0
    assert read(folders / "r.json").kind == RotateOrder.KIND
    words = ["--custodian", make.sealing_key("custodian"), "--days", "3", "--key", one]
    assert command("order", "copy-keys", *words, "--out", folders / "c.json").code == 0
    assert KeyBackupOrder.from_body(read(folders / "c.json").body).kept_days == 3


@pytest.mark.parametrize("kind", ["erase", "rotate"])
def test_an_order_is_handed_in(
    command: Command, folders: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out, sent = folders / "order.json", []
    key = folders / ("firm" if kind == "erase" else "one")
    command("order", kind, "--key", key, "--out", out)

    def take(_: RoomClient, order: Statement) -> dict[str, str]:
        sent.append(order)
        return {"taken": kind}

    monkeypatch.setattr(RoomClient, kind, take)
    done = command("order", "send", out, "--key", key, "--json")
    assert json.loads(done.out) == {"taken": kind}
    assert sent == [read(out)]


def test_what_came_of_orders_is_listed_and_shown(
    command: Command, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"order": "ab" * 32, "enterprise": CODES[0], "ordered_at": "then", "state": "REPLAY"}
    monkeypatch.setattr(RoomClient, "erasures", lambda _: [told])
    monkeypatch.setattr(RoomClient, "erasure", lambda _, order: {"order": order})
    key = folders / "firm"
    done = command("order", "list", "--key", key)
    assert done.out.split() == ["then", CODES[0], "REPLAY", "ab" * 32]
    assert json.loads(command("order", "list", "--key", key, "--json").out)["erasures"] == [told]
    shown = command("order", "show", "cd" * 32, "--key", key, "--json")
    assert json.loads(shown.out) == {"order": "cd" * 32}
    monkeypatch.setattr(RoomClient, "erasures", lambda _: [])
    assert "none" in command("order", "list", "--key", key).out


def test_what_the_room_does_not_take_is_not_sent(command: Command, folders: Path) -> None:
    out = folders / "c.json"
    words = ["--custodian", make.sealing_key("custodian"), "--key", folders / "one"]
    command("order", "copy-keys", *words, "--out", out)
    done = command("order", "send", out, "--key", folders / "one")
    assert (done.code, "FIELD_INVALID" in done.err) == (2, True)
    done = command("order", "send", folders / "nothing", "--key", folders / "one")
    assert (done.code, "NOT_FOUND" in done.err) == (5, True)


@pytest.fixture
def furnished(tmp_path: Path) -> SmallRoom:
    """A home whose vault does not run."""
    room = ready_room(tmp_path)
    room.service.close()
    return room


def test_a_vault_is_checked_whether_it_runs_or_not(command: Command, furnished: SmallRoom) -> None:
    home = furnished.home
    assert json.loads(command("vault", "check", "--home", home, "--json").out)["well"]
    segment = next((home / "vault/segments").glob("*/*.segment"))
    segment.write_bytes(segment.read_bytes()[:-1])
    done = command("vault", "check", "--home", home)
    assert (done.code, segment.name in done.out) == (1, True)
    done = command("vault", "check", "--home", home.parent / "nowhere")
    assert (done.code, "HOME_MISSING" in done.err) == (5, True)


def test_keys_are_copied_and_put_back_by_commands(
    command: Command, folders: Path, furnished: SmallRoom
) -> None:
    home, out = furnished.home, folders / "keys.backup"
    shown = json.loads(command("keys", "show", folders / "custodian", "--json").out)
    order = make.key_backup_order(
        custodian=shown["sealing_key"],
        asked_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    (folders / "copy.json").write_bytes(make.sign(order, "zhao", "qian").to_bytes())
    with running(home):
        assert json.loads(command("vault", "check", "--home", home, "--json").out)["well"]
        words = [folders / "copy.json", "--out", out, "--home", home]
        assert command("vault", "copy-keys", *words).code == 0
    shutil.rmtree(home / "vault/keys")
    restore = ["vault", "restore-keys", out, "--home", home]
    done = command(*restore, "--key", folders / "one")
    assert (done.code, "SEAL_INVALID" in done.err) == (1, True)
    assert command(*restore, "--key", folders / "custodian").code == 0
    assert json.loads(command("vault", "check", "--home", home, "--json").out)["well"]
    done = command(*restore, "--key", folders / "custodian")
    assert (done.code, "DUPLICATE" in done.err) == (7, True)
