"""Does every command help, speak JSON when asked, and end with a code that means something?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from saferoom import __version__, adapters
from saferoom.adapters.content import content_folder
from saferoom.cli import doctor as doctor_command
from saferoom.cli import main
from saferoom.client import verifying
from saferoom.core.receipt import Verified
from saferoom.crypto.signing import KeyId
from saferoom.errors import Isolation, Unavailable
from tests.cli.conftest import Command

COMMANDS = (
    "init",
    "serve",
    "worker",
    "vault",
    "keys",
    "login",
    "policy",
    "order",
    "verify",
    "doctor",
    "demo",
)
FACTS = {
    "bank": "bank-a",
    "group": "group-a",
    "party_kind": "bank",
    "caller_role": "modeller",
    "by_system": False,
    "purpose": "credit_approval",
    "model_format": "lightgbm-text",
    "features": 4,
    "grades": 14,
    "outcomes": 16,
    "charge_mbit": 4000,
    "categories": ",registration,tax,",
    "highest_level": 3,
    "enterprises": 1,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_helps(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert done.code == 0
    assert "Usage: saferoom" in done.out


def test_the_program_tells_its_version(command: Command) -> None:
    assert command("--version").out == f"saferoom {__version__}\n"


def test_an_unknown_command_is_bad_input(command: Command) -> None:
    assert command("fly").code == 2


def test_the_package_runs_as_the_command() -> None:
    program = [sys.executable, "-m", "saferoom", "--version"]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert done.stdout == f"saferoom {__version__}\n"


def test_a_missing_room_package_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cedarpy", None)
    monkeypatch.delitem(sys.modules, "saferoom.adapters.cedar", raising=False)
    monkeypatch.delattr(adapters, "cedar", raising=False)  # where an earlier import left it
    done = command("policy", "check")
    assert (done.code, done.err[:13]) == (4, "NOT_INSTALLED")


def test_a_missing_module_of_ours_is_our_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "saferoom.adapters.cedar", None)
    monkeypatch.delattr(adapters, "cedar", raising=False)
    with pytest.raises(ModuleNotFoundError):
        main.run(["policy", "check"])


# --- policy ---


def test_the_rooms_own_policies_are_valid_and_pass_their_cases(command: Command) -> None:
    checked = command("policy", "check", "--json")
    assert checked.code == 0
    assert json.loads(checked.out)["valid"] is True
    tested = json.loads(command("policy", "test", "--json").out)
    assert tested["passed"] is True
    assert len(tested["cases"]) >= 5
    assert "FAILED" not in command("policy", "test").out


def test_the_rooms_own_mock_declarations_can_be_drawn(command: Command, tmp_path: Path) -> None:
    told = json.loads(command("policy", "mock", "--json").out)
    assert told["valid"] is True
    assert told["features"] >= 9
    assert command("policy", "mock").out.startswith("valid: ")
    (tmp_path / "mock").mkdir()
    (tmp_path / "mock" / "tax.toml").write_text('kind = "saferoom/mock/1"')
    done = command("policy", "mock", "--policies", tmp_path)
    assert (done.code, done.err[:12]) == (2, "MOCK_INVALID")


def test_a_policy_that_cannot_be_read_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text("permit(")
    (tmp_path / "b.cedarschema").write_text("")
    for arguments in (("check", "--policies", tmp_path), ("test", "--policies", tmp_path)):
        done = command("policy", *arguments)
        assert (done.code, done.err[:14]) == (2, "POLICY_INVALID")
    assert command("policy", "check", "--policies", tmp_path / "none").code == 2


def test_a_set_that_drifts_is_named_with_a_case(command: Command, tmp_path: Path) -> None:
    own = content_folder("policies")
    for name in ("saferoom.cedarschema", "scores.cedar"):
        text = (own / name).read_text()
        (tmp_path / name).write_text(text.replace("context.outcomes > 64", "context.outcomes > 65"))
    done = command("policy", "check", "--policies", tmp_path)
    assert (done.code, done.err[:14]) == (2, "POLICY_INVALID")
    assert "no forbid says why" in done.err
    assert "outcomes=65" in done.err


@pytest.mark.parametrize(
    ("change", "decision"), [({}, "allow"), ({"purpose": "marketing"}, "deny")]
)
def test_a_decision_is_explained_by_policy(
    command: Command, tmp_path: Path, change: dict[str, str], decision: str
) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({**FACTS, **change}))
    told = json.loads(command("policy", "explain", facts, "--json").out)
    assert told["decision"] == decision
    assert command("policy", "explain", facts).out.startswith(f"{decision}: ")


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_facts_are_one_object(command: Command, tmp_path: Path, text: str) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(text)
    assert command("policy", "explain", facts).code == 2


# --- verify ---


def test_what_cannot_be_verified_ends_with_one(command: Command, tmp_path: Path) -> None:
    receipt = tmp_path / "r.json"
    receipt.write_text("{}")
    done = command("verify", receipt, "--json")
    assert done.code == 1
    assert json.loads(done.out)["error"]["code"]
    done = command("verify", tmp_path / "none", "--checkpoint", tmp_path / "checkpoint")
    assert done.code == 1


def test_what_is_verified_is_shown_link_by_link(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Verified(
        kind="release",
        hour="2026-11-20T10Z",
        origin="room.example",
        index=7,
        size=9,
        root="ef" * 32,
        entry="ab" * 32,
        record=None,
        keys=(KeyId("cd" * 32),),
        artefacts={},
        opened={"bank": "bank-a"},
        shredded=("enterprise",),
        answer=b"sealed",
        links=("entry 7 is in the log",),
    )
    monkeypatch.setattr(verifying, "verify", lambda *_, **__: shown)
    told = command("verify", "r.json")
    assert told.code == 0
    assert told.out.startswith("verified: release, entry 7\n  ok  entry 7 is in the log\n")
    assert "enterprise: shredded" in told.out
    as_json = json.loads(command("verify", "r.json", "--json").out)
    assert (as_json["verified"], as_json["answer"]) == (True, b"sealed".hex())


# --- programs that take this one's place ---


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (
            ["vault", "--home", "h"],
            [
                "saferoom.vault",
                "--home",
                "h",
                "--cage-engine",
                "auto",
                "--snapshot-times",
                "02:00",
            ],
        ),
        (["demo"], ["saferoom.demo"]),
        (
            ["demo", "--run", "--home", "h", "--enterprises", "50", "--port", "9", "--json"],
            [
                "saferoom.demo",
                "--run",
                "--home",
                "h",
                "--enterprises",
                "50",
                "--port",
                "9",
                "--json",
            ],
        ),
    ],
)
def test_other_programs_are_started_and_not_imported(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], program: list[str]
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, given: started.append(given))
    assert command(*arguments).code == 0
    assert started == [[sys.executable, "-m", *program]]


# --- doctor ---


def test_doctor_looks_at_everything(command: Command, tmp_path: Path) -> None:
    told = json.loads(command("doctor", "--home", tmp_path, "--port", "18321", "--json").out)
    names = [look["name"] for look in told["looks"]]
    assert names == ["platform", "packages", "cage", "home", "database", "nodes", "disk", "port"]
    assert {look["name"] for look in told["looks"] if not look["well"]} <= {"cage", "port"}


def test_doctor_ends_with_the_code_of_what_is_missing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> str:
        raise Isolation("CAGE_BROKEN")

    monkeypatch.setattr(doctor_command, "_cage", broken)
    done = command("doctor", "--home", tmp_path)
    assert done.code == 8
    assert "NOT WELL" in done.out


def test_doctor_finds_a_cage_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 8, b"")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Isolation, match="CAGE_BROKEN"):
        doctor_command._cage()


def test_doctor_finds_a_cage_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired([], 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unavailable, match="CAGE_UNAVAILABLE"):
        doctor_command._cage()


def test_doctor_finds_missing_packages_and_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_command, "_PACKAGES", ("no-such-package-of-ours",))
    with pytest.raises(Unavailable, match="NOT_INSTALLED"):
        doctor_command._packages()
    monkeypatch.setattr(doctor_command, "LEAST_FREE_BYTES", 2**80)
    with pytest.raises(Unavailable, match="disk"):
        doctor_command._disk(tmp_path / "not" / "yet")


def test_another_platform_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Isolation, match="PLATFORM"):
        doctor_command._platform()
