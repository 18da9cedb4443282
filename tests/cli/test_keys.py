"""Can a person make keys, show them, and have two operators vouch for them?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saferoom.client import keyfolder
from saferoom.client.trustfile import trust_of
from saferoom.core.enrolment import Enrolment
from saferoom.crypto.signing import Statement
from tests.cli.conftest import Command
from tests.tlog.small_log import trust


def _new(command: Command, folder: Path, role: str = "modeller", *more: object) -> None:
    options = ("--holder", "li.na", "--party", "bank-a", "--role", role, *more)
    assert command("keys", "new", folder, *options).code == 0


def test_new_keys_come_with_a_signed_request(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a")
    statement = Statement.from_bytes((tmp_path / "a/enrolment.json").read_bytes())
    keys = keyfolder.load(tmp_path / "a")
    statement.check_signed_by(keys.signing.public)
    assert Enrolment.from_body(statement.body).holder == "li.na"


def test_a_banks_people_share_the_delivery_key(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a")
    _new(command, tmp_path / "b", "approver", "--delivery-of", tmp_path / "a")
    first, second = (keyfolder.load(tmp_path / name) for name in "ab")
    assert first.delivery == second.delivery
    assert first.signing != second.signing


def test_an_operator_has_no_delivery_key(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a", "operator")
    assert keyfolder.load(tmp_path / "a").delivery is None
    options = ("--holder", "x", "--party", "b", "--role", "modeller")
    done = command("keys", "new", tmp_path / "b", *options, "--delivery-of", tmp_path / "a")
    assert (done.code, done.err[:10]) == (2, "KEY_FOLDER")


def test_showing_tells_public_keys_only(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a")
    keys = keyfolder.load(tmp_path / "a")
    told = command("keys", "show", tmp_path / "a", "--json").out
    assert json.loads(told)["signing_key"] == keys.signing.public.raw.hex()
    assert keys.signing.seed.hex() not in told
    assert "bank-a" in command("keys", "show", tmp_path / "a").out


def test_operators_add_their_signatures(command: Command, tmp_path: Path) -> None:
    for name in ("new", "one", "two"):
        _new(command, tmp_path / name, "operator")
    file = tmp_path / "new/enrolment.json"
    for name in ("one", "two"):
        done = command("keys", "countersign", file, "--key", tmp_path / name, "--json")
        assert done.code == 0
    assert json.loads(done.out)["signatures"] == 3
    assert len(Statement.from_bytes(file.read_bytes()).signatures) == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_a_folder_that_others_can_read_is_refused(
    command: Command, tmp_path: Path, as_json: bool
) -> None:
    _new(command, tmp_path / "a")
    (tmp_path / "a/key.json").chmod(0o644)
    done = command("keys", "show", tmp_path / "a", *(["--json"] if as_json else []))
    assert done.code == 2
    if as_json:
        error = json.loads(done.out)["error"]
        assert set(error) == {"code", "sentence", "remedy"}
        assert error["code"] == "KEY_FOLDER"
    else:
        assert done.err.startswith("KEY_FOLDER: ")
        assert " → " in done.err


def test_a_statement_that_is_not_there(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a")
    done = command("keys", "countersign", tmp_path / "none", "--key", tmp_path / "a")
    assert (done.code, done.err[:9]) == (5, "NOT_FOUND")


def test_nobody_answers_a_login(command: Command, tmp_path: Path) -> None:
    _new(command, tmp_path / "a", "operator", "--url", "http://127.0.0.1:9")
    for arguments in (
        ("login", "--key", tmp_path / "a"),
        ("keys", "enrol", tmp_path / "a/enrolment.json", "--key", tmp_path / "a"),
    ):
        done = command(*arguments)
        assert (done.code, done.err[:16]) == (4, "ROOM_UNREACHABLE")


def test_new_keys_may_come_with_the_rooms_trust_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "got.json").write_bytes(trust().to_bytes())
    _new(command, tmp_path / "a", "modeller", "--trust", tmp_path / "got.json")
    assert trust_of(keyfolder.load(tmp_path / "a")) == trust()
    shown = json.loads(command("keys", "show", tmp_path / "a", "--json").out)
    assert shown["trust"] == trust().fingerprint


def test_without_the_trust_file_no_keys_are_made(command: Command, tmp_path: Path) -> None:
    options = ("--holder", "x", "--party", "x", "--role", "modeller", "--trust", tmp_path / "no")
    assert command("keys", "new", tmp_path / "a", *options).code == 2
    assert not (tmp_path / "a").exists()
