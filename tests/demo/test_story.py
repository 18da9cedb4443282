"""Does the whole story happen over a really served room, and leave what it promises?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any  # a summary is JSON

import pytest

from saferoom.client.verifying import verify
from saferoom.errors import SaferoomError
from saferoom.tlog.checkpoint import read_note
from tests.proofs.fresh_venv import NETWORK_OFF, make_venv, network_can_be_cut

STEPS = (
    "A steward sees figures of many",
    "A modeller practises on mock data",
    "Self-approval is refused",
    "One enterprise is scored",
    "An expired grant is refused",
    "A full budget is refused",
    "A replay is refused",
    "A revocation is obeyed at once",
    "An enterprise sees who looked",
    "It sees its own record",
    "One score is traced to its batches",
    "Receipts verify",
    "Every kind has its receipt",
    "Evidence is handed over",
    "Tampering is detected",
    "One of three witnesses dies",
    "A forked log is refused",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("story") / "home"


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    done = run("--run", "--home", str(home), "--enterprises", "60", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "saferoom", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_every_step_happened(told: dict[str, Any]) -> None:
    steps = told["steps"]
    assert told["ok"] is True
    assert all(step["ok"] for step in steps)
    assert set(STEPS) <= {step["title"] for step in steps}
    codes = {step["code"] for step in steps}
    assert {"SELF_APPROVE", "AUTH_EXPIRED", "BUDGET_FULL", "REPLAY", "AUTH_REVOKED"} <= codes
    charged = [step["charged_mbit"] for step in steps if step["released"]]
    assert sum(charged) == told["charged_mbit"] > 0


def test_every_receipt_verifies_against_the_one_checkpoint(
    home: Path, told: dict[str, Any]
) -> None:
    receipts = sorted((home / "receipts").glob("*.json"))
    assert len(receipts) == told["released"]
    for receipt in receipts:
        assert read_note(json.loads(receipt.read_bytes())["checkpoint"]) is not None
        links = verify(receipt, home / "checkpoint").links
        assert any("2 of 3 witnesses needed" in link for link in links)


@pytest.mark.skipif(not network_can_be_cut(), reason="needs unshare(1) and the right to use it")
def test_a_receipt_verifies_in_a_fresh_venv_without_network(
    home: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    programs = make_venv(Path(__file__).parents[2], tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("checkpoint", "trust.json"):
        (kept / name).write_bytes((home / name).read_bytes())
    (kept / "receipt.json").write_bytes(min((home / "receipts").glob("*.json")).read_bytes())

    def offline(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*NETWORK_OFF, str(programs / words[0]), *words[1:]]
        bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        return subprocess.run(
            command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
        )

    asked = ("verify", "kept/receipt.json", "--checkpoint", "kept/checkpoint")
    done = offline("saferoom", *asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verified: release")
    assert "grant: the paper itself, signed by the enterprise itself" in done.stdout
    missing = offline("python", "-c", "import sqlalchemy")
    assert "ModuleNotFoundError" in missing.stderr  # only the base dependencies are there
    alone = offline("python", "-c", "import socket; socket.create_connection(('192.0.2.1', 9), 5)")
    assert "unreachable" in alone.stderr
    data = bytearray((kept / "receipt.json").read_bytes())
    data[len(data) // 2] ^= 1
    (kept / "receipt.json").write_bytes(data)
    assert offline("saferoom", *asked).returncode == 1


def test_any_changed_byte_of_a_receipt_is_noticed(home: Path, told: dict[str, Any]) -> None:
    good = min((home / "receipts").glob("*.json")).read_bytes()
    for place in range(0, len(good), 13):
        bad = bytearray(good)
        bad[place] ^= 0x20
        with pytest.raises(SaferoomError):
            verify(bytes(bad), home / "checkpoint")


def test_people_keep_their_keys_to_themselves(home: Path, told: dict[str, Any]) -> None:
    folders = [folder for folder in (home / "people").iterdir() if folder.is_dir()]
    assert {"wang.fang", "li.na", "bank-a.system", "zhou.min"} <= {f.name for f in folders}
    for folder in folders:
        assert (folder / "key.json").stat().st_mode & 0o077 == 0
    assert (home / "people" / "bank-a.system" / "token").exists()


def test_a_story_is_not_told_twice_in_one_home(home: Path, told: dict[str, Any]) -> None:
    again = run("--run", "--home", str(home), "--json")
    assert again.returncode == 7
    assert json.loads(again.stdout)["error"]["code"] == "DUPLICATE"


def test_a_home_that_is_something_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("mine")
    done = run("--home", str(tmp_path), "--port", "18321", "--json")
    assert done.returncode == 7
    assert json.loads(done.stdout)["error"]["code"] == "STATE"
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]
