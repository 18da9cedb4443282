"""Can an enterprise read, sign, watch and take back at a terminal, and a bank stop a version?

Commands and SDK over HTTP against a served room; only the vault is a twin.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn

from saferoom.adapters.database import tables as t
from saferoom.api import app as api
from saferoom.app import subjects
from saferoom.app.grants import list_grants
from saferoom.cli import main
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.core.enrolment import Role
from saferoom.core.grant import Grant
from saferoom.demo.server import free_port
from saferoom.errors import BadInput, Tampered
from saferoom.sdk.room import connect
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, code, ready_world

NAMES = ("--name", "First Firm", "--signatory", "Wang Wei")


@dataclass
class Desk:
    """A served world, and key folders for its people."""

    world: World
    url: str
    folder: Path

    def keys(self, name: str, party: str, role: Role) -> Path:
        """Make the folder of somebody whom the world enrolled."""
        seeds = iter([hashlib.sha256(b"test signing " + name.encode()).digest(), b"\1" * 32])
        path = self.folder / name
        if not path.exists():
            keyfolder.create(
                path,
                holder=name,
                party=party,
                role=role,
                url=self.url,
                random_bytes=lambda _: next(seeds),
            )
        return path

    def firm(self, number: int = 1) -> Path:
        return self.keys(code(number), code(number), Role.ENTERPRISE)


@pytest.fixture
def desk(database: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    world = ready_world(database, tmp_path)
    world.now = f.NOW.now(f.NOW.tzinfo).replace(microsecond=0)  # commands have the wall clock
    world.enrol_enterprises([code(2)])
    port = free_port()
    app = api.create(world.room, tmp_path / "log")
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield Desk(world, f"http://127.0.0.1:{port}", tmp_path / "people")
    server.should_exit = True
    thread.join()


def _run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    with pytest.raises(SystemExit) as ended:
        main.run([*map(str, words), "--json"])
    return ended.value.code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_enterprise_reads_then_ticks_then_signs(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("grant", "sign", desk.world.version.digest, "--key", desk.firm(2), *NAMES)
    status, shown = _run(capsys, *words, "--english")
    assert (status, shown["grant"]) == (0, None)
    assert desk.world.version.digest in shown["text"]
    assert shown["text"].startswith("title: ")
    assert desk.world.count(t.permission, enterprise=code(2)) == 0
    status, failed = _run(capsys, *words, "--tick-representative")
    assert (status, failed["error"]["code"]) == (2, "FIELD_INVALID")
    status, signed = _run(capsys, *words, "--tick-risk", "--budget-bits", 8)
    assert status == 0
    (grant,) = [g for g in list_grants(desk.world.room, AUDITOR) if g["digest"] == signed["grant"]]
    body = Grant.from_body(grant["grant"])
    assert (body.budget_mbit, body.signatory, body.enterprise) == (8000, "Wang Wei", code(2))
    status, told = _run(capsys, "notices", "--key", desk.firm(2))
    assert {one["kind"] for one in told["notices"]} == {
        "key_enrolled",
        "budget_signed",
        "grant_signed",
    }
    assert _run(capsys, "grant", "revoke", signed["grant"], "--key", desk.firm(2))[0] == 0
    assert desk.world.score(desk.world.request(code(2))).results[0].code == "AUTH_REVOKED"
    status, _ = _run(capsys, "grant", "revoke", "00" * 32, "--key", desk.firm(2))
    assert status == 2


def test_the_same_in_words_for_people(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*words: object) -> str:
        with pytest.raises(SystemExit):
            main.run([*map(str, words)])
        return capsys.readouterr().out

    version = desk.world.version.digest
    shown = say("grant", "sign", version, "--key", desk.firm(2), *NAMES)
    assert "Nothing is signed" in shown
    assert "--tick-risk" in shown
    assert "told at boss@firm.test" in say("contact", "boss@firm.test", "--key", desk.firm(2))
    assert "Notices" in say("notices", "--key", desk.firm(2))
    zhao = desk.keys("zhao", "room", Role.OPERATOR)
    assert version in say("version", "list", "--key", zhao)
    assert "none" in say("version", "list", "--key", desk.firm(2))
    stopped = say("version", "suspend", version, "--reason", "it drifted", "--key", zhao)
    assert "is suspended" in stopped


def test_a_representative_s_consent_is_a_tick_of_its_own(desk: Desk) -> None:
    world = desk.world
    personal = f.template(version=2, personal=("registration",))
    _approve_template(world, personal)
    with connect(desk.url, desk.firm(2)) as room:
        draft = room.offer(world.version.digest, enterprise_name="Firm", signatory="Wang Wei")
        assert draft.needs_representative
        assert "representative：" in draft.text()
        with pytest.raises(BadInput, match="representative"):
            draft.sign(risk=True)
        digest = draft.sign(risk=True, representative=True)
        assert digest == draft.grant.digest
        assert list(room.notices()["kind"])[-1] == "grant_signed"
        again = room.offer(world.version.digest, enterprise_name="Firm", signatory="Wang Wei")
        assert (again.grant.renews, again.first_budget) == (digest, None)


def test_terms_of_another_version_are_not_believed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = desk.world.manifest()
    desk.world.approve_version(other)
    with RoomClient(desk.url, keyfolder.load(desk.firm())) as client:
        real = client._get(f"/v1/versions/{other.digest}/terms")
        monkeypatch.setattr(RoomClient, "_get", lambda *_: real)
        with pytest.raises(Tampered, match="CONTENT_CHANGED"):
            client.terms(desk.world.version.digest)
        monkeypatch.setattr(RoomClient, "_get", lambda *_: {"manifest": real["manifest"]})
        with pytest.raises(BadInput, match="terms"):
            client.terms(other.digest)


def _approve_template(world: World, template: Any) -> None:
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(template, "zhao")))
