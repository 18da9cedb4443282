"""Can an enterprise see who looked, what is held of it and who used it, at a terminal?

Commands over HTTP against a served room; only the vault is a twin.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from saferoom.app import receipts, subjects
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.cli import main
from saferoom.client import keyfolder
from saferoom.client.trustfile import TRUST_FILE
from saferoom.core.dispute import NOTE_AAD
from saferoom.core.enrolment import Role
from saferoom.crypto.sealing import seal
from saferoom.sdk.room import connect
from tests import factories as f
from tests.app.test_lineage import STEWARD, believed, bring
from tests.app.world import OPERATOR, World, bank, code
from tests.cli.test_enterprise import Desk, desk

__all__ = ["desk"]  # a fixture


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    with pytest.raises(SystemExit) as ended:
        main.run([*map(str, words), "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out.splitlines()[-1])


def say(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main.run([*map(str, words)])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def fed(desk: Desk) -> Desk:
    """A desk whose source brought a batch, from which one enterprise was scored."""
    world = desk.world
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    world.admit("tax", party_kind="source")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.source(), "zhao")))
    bring(world)
    world.publish()
    world.score()
    world.settle()
    for name in (code(1), code(2)):
        trusted(desk, name)
    return desk


def trusted(desk: Desk, name: str) -> Path:
    """Hand an enterprise the trust file, by another way than the room's address."""
    folder = desk.keys(name, name, Role.ENTERPRISE)
    (folder / TRUST_FILE).write_bytes(believed(desk.world).to_bytes())
    (folder / TRUST_FILE).chmod(0o600)
    return folder


def receipt(world: World) -> str:
    return receipts.list_receipts(world.room, bank())[-1]


def test_who_looked_is_listed_kept_and_checked_offline(
    fed: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, table = tmp_path / "looks.json", tmp_path / "looks.csv"
    status, told = run(capsys, "looks", "list", "--key", fed.firm(), "--out", kept)
    assert status == 0
    assert "release" in {one["kind"] for one in told["looks"]}
    trust = fed.firm() / TRUST_FILE
    assert run(capsys, "looks", "check", kept, "--trust", trust) == (0, told)
    run(capsys, "looks", "list", "--key", fed.firm(), "--out", table, "--form", "csv")
    assert len(table.read_text().splitlines()) == len(told["looks"]) + 1
    assert "Who looked" in say(capsys, "looks", "list", "--key", fed.firm())
    body = parse_object(kept.read_bytes())
    changed: Any = copy.deepcopy(body)
    changed["pages"][0]["looks"].pop()
    kept.write_bytes(canonical_bytes(changed))
    status, failed = run(capsys, "looks", "check", kept, "--trust", trust)
    assert (status, failed["error"]["code"]) == (1, "LOOKS_INVALID")
    assert run(capsys, "looks", "check", tmp_path / "none", "--trust", trust)[0] == 5


def test_one_s_own_record_is_shown_with_where_it_came_from(
    fed: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = run(capsys, "record", "show", "--key", fed.firm())
    assert status == 0
    (filing,) = told["tables"]["tax_month"]
    assert (filing["sales"], filing["source"], filing["batch"]) == ("481920374652871.0", "tax", 1)
    assert [line["number"] for line in told["batches"]] == [1]
    text = say(capsys, "record", "show", "--key", fed.firm())
    assert "tax_month" in text
    assert "2026-03" in text


def test_who_used_my_march_tax_record(fed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("record", "used", "--key", fed.firm(), "--table", "tax_month")
    status, told = run(capsys, *words, "--day", "2026-03")
    assert status == 0
    (use,) = told["uses"]
    assert (use["bank"], use["purpose"]) == (f.BANK, "credit_approval")
    assert (use["receipt"], use["reproducible"]) == (receipt(fed.world), True)
    assert use["features"] == [name for name in fed.world.version.features if "tax" in name]
    assert run(capsys, *words, "--day", "2026-04") == (0, {"uses": []})
    assert run(capsys, "record", "used", "--key", fed.firm(2)) == (0, {"uses": []})
    assert f.BANK in say(capsys, *words)


def test_a_row_is_disputed_and_its_source_reads_which(
    fed: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = fed.keys(STEWARD.holder, "tax", Role.STEWARD)
    said = {"enterprise": code(1), "record_id": "T-2026-03", "table": "tax_month", "why": "x"}
    note = seal(
        canonical_bytes(said).ljust(512),
        [keyfolder.load(steward).sealing.public],
        NOTE_AAD,
        lambda n: b"\6" * n,
    )
    monkeypatch.setattr("tests.app.world.NOTE", note)
    words = ("record", "dispute", "--batch", 1, "--row", 0, "--why", "wrong_value")
    status, told = run(capsys, *words, "--key", fed.firm())
    assert status == 0
    status, listed = run(capsys, "record", "disputes", "--key", fed.firm())
    assert [one["digest"] for one in listed["disputes"]] == [told["dispute"]]
    assert listed["disputes"][0]["record"] is None
    status, read = run(capsys, "record", "disputes", "--key", steward)
    assert read["disputes"][0]["record"] == said
    assert "T-2026-03" in say(capsys, "record", "disputes", "--key", steward)


def test_a_score_is_followed_kept_and_checked_offline(
    fed: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "lineage.json"
    words = ("lineage", "score", receipt(fed.world), "--key", fed.firm())
    status, told = run(capsys, *words, "--out", kept)
    assert status == 0
    assert told["version"] == fed.world.version.digest
    assert [(one["number"], one["connector"]) for one in told["batches"]] == [(1, "tax")]
    assert told["reproducible"] is True
    trust = fed.firm() / TRUST_FILE
    assert run(capsys, "lineage", "check", kept, "--trust", trust) == (0, told)
    assert "batch 1: tax.tax_month" in say(capsys, *words)
    kept.write_bytes(kept.read_bytes().replace(b"tax_month", b"tax_years"))
    status, failed = run(capsys, "lineage", "check", kept, "--trust", trust)
    assert status == 1, failed
    assert run(capsys, "lineage", "check", tmp_path / "none", "--trust", trust)[0] == 5
    status, failed = run(capsys, "lineage", "score", receipt(fed.world), "--key", fed.firm(2))
    assert (status, failed["error"]["code"]) == (5, "NOT_FOUND")


def test_a_score_is_drawn_from_the_room_or_from_kept_proofs_alike(
    fed: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, picture, again = (tmp_path / name for name in ("kept.json", "one.svg", "two.svg"))
    words = ("lineage", "draw", receipt(fed.world))
    status, told = run(capsys, *words, "--key", fed.firm(), "--out", picture)
    assert (status, told) == (0, {"picture": str(picture), "reproducible": True})
    assert "tax_month" in picture.read_text("utf-8")
    run(capsys, "lineage", "score", receipt(fed.world), "--key", fed.firm(), "--out", kept)
    offline = ("lineage", "draw", kept, "--trust", fed.firm() / TRUST_FILE, "--out", again)
    assert "drawn from proofs that hold" in say(capsys, *offline)
    assert again.read_bytes() == picture.read_bytes()
    status, failed = run(capsys, *offline)
    assert failed["error"]["code"] == "DUPLICATE"
    status, failed = run(capsys, *words, "--out", tmp_path / "none.svg")
    assert failed["error"]["code"] == "FIELD_INVALID"
    kept.write_bytes(kept.read_bytes().replace(b"tax_month", b"tax_years"))
    again.unlink()
    assert run(capsys, *offline)[0] == 1
    assert not again.exists()


def test_a_source_sees_where_its_batch_went(fed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    steward = fed.keys(STEWARD.holder, "tax", Role.STEWARD)
    status, told = run(capsys, "lineage", "batch", 1, "--key", steward)
    assert (status, told["line"]["connector"]) == (0, "tax")
    assert "snapshots" in say(capsys, "lineage", "batch", 1, "--key", steward)
    assert run(capsys, "lineage", "batch", 1, "--key", fed.firm())[0] == 5
    assert run(capsys, "lineage", "erasure", "00" * 32, "--key", fed.firm())[0] == 5


def test_the_same_in_a_notebook(fed: Desk) -> None:
    with connect(fed.url, fed.firm()) as room:
        record = room.my_record()["tax_month"]
        assert record["sales"].tolist() == ["481920374652871.0"]
        assert room.who_used("tax_month", "2026-03")["bank"].tolist() == [f.BANK]
        assert "release" in set(room.who_looked()["kind"])
        assert room.lineage(receipt(fed.world)).version.digest == fed.world.version.digest
        room.dispute(1, 0, "not_ours")
        assert "record_disputed" in set(room.notices()["kind"])
