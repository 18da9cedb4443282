"""Does a modeller's notebook work, and is nothing shown that was not meant for it?"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

import saferoom
from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.transport import Transport
from saferoom.client.trustfile import TRUST_FILE, keep_trust
from saferoom.core.answer import AAD, pad
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Manifest
from saferoom.core.request import ScoreRequest
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import SealingKey, SealingPublicKey, seal, unseal
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.errors import BadInput, Refusal, SaferoomError, Tampered
from saferoom.scoring.artefact import read_artefact
from saferoom.sdk.room import Room, Version
from tests import factories as make
from tests.tlog.small_log import trust

VIEWS, SNAPSHOT = "ab" * 32, "cd" * 32
VAULT, EVIL = (SealingKey(make.sealing_seed(name)) for name in ("vault", "evil"))
TRUST = replace(trust(), vaults=(make.vault_keys(valid_from="2020-01-01T00:00:00Z"),))
CARD = {
    "base": 600,
    "characteristics": [{"feature": "reg_age_m", "edges": [12], "points": [0, 9], "missing": 1}],
}
ADMISSION: dict[str, Json] = {
    "kind": "saferoom/admission/1",
    "party": "bank-a",
    "party_kind": "bank",
    "name": "Bank A",
    "contact": "desk",
    "group": "group-a",
    "purposes": ["credit_approval"],
    "categories": ["registration"],
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_until": "2027-01-01T00:00:00Z",
    "nonce": "00" * 16,
}
VIEW: dict[str, Json] = {
    "name": "reg_age_m",
    "category": "registration",
    "level": "L1",
    "feature_type": "count",
    "table": "registry",
    "also": [],
    "formula": "age",
    "title_zh": "成立月数",
    "title_en": "Months since registration",
}
Answer = dict[str, Json]
PAGES: dict[str, Json] = {
    "/v1/me": {"holder": "li.na"},
    # What an API in other hands would say: its own key to seal models to.
    "/v1/room": {"sealing_key": EVIL.public.raw.hex(), "views": VIEWS, "snapshot": SNAPSHOT},
    "/v1/catalogue": {"kind": "saferoom/views/1", "views": [VIEW]},
    "/v1/parties": {"parties": [{"party": "bank-a", "admission": ADMISSION}]},
}


class TwinRoom:
    """Keeps what was submitted, and answers each enterprise as `outcomes` says."""

    def __init__(self) -> None:
        self.manifest: dict[str, Json] = {}
        self.artefact = b""
        self.requests: list[ScoreRequest] = []
        self.swap: Callable[[dict[str, Json]], dict[str, Json]] = lambda answer: answer
        self.signer = "vault"
        self.lines: Callable[[list[Answer]], list[Answer]] = lambda lines: lines
        self.snapshots = [SNAPSHOT]
        self.said_digest: str | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content or b"{}")
        match request.method, request.url.path:
            case "POST", "/v1/versions":
                return self._submit(body)
            case "POST", "/v1/scores":
                return self._score(ScoreRequest.from_body(body["statement"]["body"]))
            case "GET", "/v1/receipts":
                return _told({"receipts": [request.url.params.get("version", "all")]})
            case "GET", "/v1/room" if len(self.snapshots) > 1 and self.requests:
                return _told({"snapshot": self.snapshots[-1]})
            case "GET", path if path in PAGES:
                return _told(PAGES[path])
        digest = Manifest.from_body(self.manifest).digest
        return _told({"digest": digest, "state": "approved", "manifest": self.manifest})

    def _submit(self, body: dict[str, dict[str, Json]]) -> httpx2.Response:
        statement = Statement.from_json(body["statement"])
        self.manifest, self.artefact = statement.body, bytes.fromhex(str(body["artefact"]))
        digest = self.said_digest or statement.digest
        return _told({"digest": digest, "findings": {"parts": 1}})

    def _score(self, request: ScoreRequest) -> httpx2.Response:
        self.requests.append(request)
        lines = [self._line(request, code) for code in request.enterprises]
        results: list[Json] = [*self.lines(lines)]
        return _told({"results": results})

    def _line(self, request: ScoreRequest, code: str) -> dict[str, Json]:
        line: dict[str, Json] = dict.fromkeys(("code", "sentence", "remedy", "answer", "receipt"))
        line |= {"enterprise": code, "status": "refused", "charge_mbit": 0, "stored": False}
        if code.startswith("9"):
            return {**line, "code": "AUTH_MISSING", "sentence": "Not granted."}
        answer: dict[str, Json] = {
            "kind": "saferoom/answer/1",
            "enterprise": code,
            "outcome": "A",
            "request": request.digest,
            "snapshot": SNAPSHOT,
            "version": request.version,
        }
        bank = SealingPublicKey.from_hex(self.manifest["delivery_key"])
        signed = sign_statement(self.swap(answer), [make.signing_key(self.signer)])
        sealed = seal(pad(signed), [bank], AAD, secrets.token_bytes)
        released: dict[str, Json] = {"status": "released", "charge_mbit": 4000, "receipt": "r1"}
        return {**line, **released, "answer": sealed.hex()}


def _told(value: Json) -> httpx2.Response:
    return httpx2.Response(200, json=value)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    made = keyfolder.create(
        tmp_path / "li.na",
        holder="li.na",
        party="bank-a",
        role=Role.MODELLER,
        url="https://room.example",
        random_bytes=secrets.token_bytes,
        delivery=SealingKey(b"d" * 32),
    )
    return keyfolder.keep_token(keep_trust(made, TRUST), "token")


@pytest.fixture
def twin() -> TwinRoom:
    return TwinRoom()


@pytest.fixture
def room(twin: TwinRoom, keys: KeyFolder) -> Room:
    return _connected(twin, keys)


def _connected(twin: TwinRoom, keys: KeyFolder, held: Trust | None = None) -> Room:
    transport = Transport("https://room.example", transport=httpx2.MockTransport(twin))
    return Room(RoomClient("https://room.example", keys, transport=transport), held)


def _codes(count: int) -> list[str]:
    return [f"8{number:017d}" for number in range(count)]


def _submit(room: Room) -> Version:
    return room.submit(CARD, name="sme", grades={"A": 605, "B": None}, direction="quality")


def test_the_catalogue_is_a_table(room: Room) -> None:
    table = room.catalogue()
    assert table["name"].tolist() == ["reg_age_m"]
    assert "title_zh" in table.columns


def test_a_model_leaves_sealed_to_the_trusted_vault_alone(room: Room, twin: TwinRoom) -> None:
    """Whatever key the room itself names."""
    version = _submit(room)
    assert version.findings == {"parts": 1}
    assert version.state == "approved"
    assert b"reg_age_m" not in twin.artefact
    aad = Manifest.from_body(twin.manifest).artefact_aad
    artefact = read_artefact(unseal(twin.artefact, VAULT, aad))
    with pytest.raises(Tampered, match="SEAL_INVALID"):
        unseal(twin.artefact, EVIL, aad)
    assert artefact.thresholds == (605.0,)
    assert artefact.direction == "quality"
    manifest = Manifest.from_body(twin.manifest)
    assert (manifest.group, manifest.grades) == ("group-a", ("A", "B"))
    assert manifest.artefact == digest_bytes(twin.artefact)
    assert room.version(version.digest).name == "sme"


@pytest.mark.parametrize(
    ("purpose", "direction"), [("marketing", "risk"), ("credit_approval", "up")]
)
def test_other_words_are_refused_with_the_known_ones(
    room: Room, purpose: str, direction: str
) -> None:
    with pytest.raises(BadInput, match="one of"):
        room.submit(CARD, name="x", grades=[1], purpose=purpose, direction=direction)


def test_scores_are_opened_here_and_refusals_say_why(room: Room) -> None:
    version = _submit(room)
    table = room.score(version, ["8" * 18, "9" * 18], loan_reference="LOAN-1")
    assert table["grade"].tolist()[0] == "A"
    assert table["snapshot"].tolist()[0] == SNAPSHOT
    assert table["charge_bits"].tolist() == [4.0, 0.0]
    assert table["code"].tolist()[1] == "AUTH_MISSING"
    assert table["why"].tolist()[1] == "Not granted."
    assert table["receipt"].tolist()[0] == "r1"


def test_a_portfolio_goes_in_signed_parts_of_a_thousand(room: Room, twin: TwinRoom) -> None:
    version = _submit(room)
    table = room.score(version.digest, [*_codes(1001), *_codes(2)])
    assert len(table) == 1001
    assert [len(request.enterprises) for request in twin.requests] == [1000, 1]
    assert twin.requests[0].loan_reference.startswith("portfolio-20")


def test_no_ids_give_an_empty_table(room: Room) -> None:
    assert room.score(_submit(room), []).empty


@pytest.mark.parametrize(
    "change",
    [
        {"enterprise": "7" * 18},
        {"version": "00" * 32},
        {"request": "00" * 32},
        {"snapshot": "00" * 32},
        {"outcome": "C"},
        {"outcome": 1},
        {"kind": "x"},
    ],
)
def test_an_answer_for_something_else_is_not_shown(
    room: Room, twin: TwinRoom, change: dict[str, Json]
) -> None:
    version = _submit(room)
    twin.swap = lambda answer: {**answer, **change}
    with pytest.raises(Tampered, match="ANSWER_INVALID"):
        room.score(version, ["8" * 18])


def test_a_grade_that_the_vault_did_not_sign_is_not_shown(room: Room, twin: TwinRoom) -> None:
    """The API knows the bank's public delivery key and can seal whatever it likes to it."""
    version = _submit(room)
    twin.signer = "the API"
    with pytest.raises(Tampered, match="ANSWER_INVALID"):
        room.score(version, ["8" * 18])


def test_a_stored_answer_keeps_the_request_that_it_answered_first(
    room: Room, twin: TwinRoom
) -> None:
    version = _submit(room)
    twin.swap = lambda answer: {**answer, "request": "00" * 32}
    twin.lines = lambda lines: [{**line, "stored": True} for line in lines]
    assert room.score(version, ["8" * 18])["grade"].tolist() == ["A"]


def test_the_snapshot_may_move_while_the_room_answers(room: Room, twin: TwinRoom) -> None:
    version = _submit(room)
    twin.swap = lambda answer: {**answer, "snapshot": "ef" * 32}
    twin.snapshots = [SNAPSHOT, "ef" * 32]
    assert room.score(version, ["8" * 18])["snapshot"].tolist() == ["ef" * 32]


LINES: dict[str, Callable[[list[Answer]], list[Answer]]] = {
    "one left out": lambda lines: lines[1:],
    "one twice": lambda lines: [*lines, lines[0]],
    "one for another": lambda lines: [lines[0], {**lines[1], "enterprise": "7" * 18}],
    "swapped answers": lambda lines: [
        {**lines[0], "answer": lines[1]["answer"]},
        {**lines[1], "answer": lines[0]["answer"]},
    ],
    "a release without an answer": lambda lines: [{**lines[0], "answer": None}, lines[1]],
    "a refusal with one": lambda lines: [{**lines[0], "status": "refused"}, lines[1]],
    "no hexadecimal": lambda lines: [{**lines[0], "answer": "zz"}, lines[1]],
}


@pytest.mark.parametrize("change", LINES.values(), ids=LINES)
def test_lines_are_those_that_were_asked_for(
    room: Room, twin: TwinRoom, change: Callable[[list[Answer]], list[Answer]]
) -> None:
    version = _submit(room)
    twin.lines = change
    with pytest.raises(Tampered, match="ANSWER_INVALID"):
        room.score(version, _codes(2))


def test_another_versions_manifest_is_not_taken(room: Room, twin: TwinRoom) -> None:
    """Its outcomes and purpose count: what people agreed to, not what the room says."""
    version = _submit(room)
    twin.manifest = {**twin.manifest, "grades": ["A", "B", "C"]}
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        room.score(version, ["8" * 18])


def test_a_version_is_named_by_what_was_signed(room: Room, twin: TwinRoom) -> None:
    twin.said_digest = "00" * 32
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        _submit(room)


NOT_YET = replace(trust(), vaults=(make.vault_keys(valid_from="2099-01-01T00:00:00Z"),))
GONE = replace(
    trust(),
    vaults=(
        make.vault_keys(valid_from="2020-01-01T00:00:00Z", valid_until="2021-01-01T00:00:00Z"),
    ),
)


@pytest.mark.parametrize("held", [None, trust(), NOT_YET, GONE])
def test_without_a_vault_to_trust_nothing_is_sealed(
    twin: TwinRoom, keys: KeyFolder, held: Trust | None
) -> None:
    assert keys.folder is not None
    (keys.folder / TRUST_FILE).unlink()
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        _submit(_connected(twin, keys, held))
    assert twin.artefact == b""


def test_without_a_trust_file_nothing_is_asked(twin: TwinRoom, keys: KeyFolder) -> None:
    version = _submit(_connected(twin, keys))
    assert keys.folder is not None
    (keys.folder / TRUST_FILE).unlink()
    for held in (keys, replace(keys, folder=None)):
        with pytest.raises(BadInput, match="TRUST_MISSING") as refused:
            _connected(twin, held).score(version, ["8" * 18])
    assert "by another way" in refused.value.remedy
    assert twin.requests == []


def test_a_trust_file_may_stand_elsewhere(
    keys: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RoomClient, "me", lambda _: {})
    assert keys.folder is not None
    elsewhere = (keys.folder / TRUST_FILE).rename(tmp_path / "got-by-hand.json")
    with saferoom.connect("https://room.example", key=keys, trust=elsewhere) as room:
        assert room.trust == TRUST
    with saferoom.connect("https://room.example", key=keys, trust=TRUST) as room:
        assert room.trust == TRUST
    with pytest.raises(SaferoomError, match="TRUST_MISSING"):
        saferoom.connect("https://room.example", key=keys, trust=tmp_path / "none.json")


def test_receipts_are_listed_by_version(room: Room) -> None:
    version = _submit(room)
    assert room.receipts(version=version) == [version.digest]
    assert room.receipts() == ["all"]


def test_an_unadmitted_bank_submits_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.client, "parties", list)
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        _submit(room)


def test_a_token_alone_cannot_submit_or_score(twin: TwinRoom) -> None:
    transport = Transport("https://room.example", transport=httpx2.MockTransport(twin))
    room = Room(RoomClient("https://room.example", "token", transport=transport))
    with pytest.raises(BadInput, match="UNSIGNED"):
        room.score(Digest("00" * 32), ["8" * 18])
    assert len(room.catalogue()) == 1


def test_connecting_reads_a_folder(keys: KeyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RoomClient, "me", lambda _: {})
    with saferoom.connect("https://room.example", key=str(keys.folder)) as room:
        assert room.client.key == keys
    assert saferoom.connect("https://room.example", key=keys).client.key == keys
    assert saferoom.connect("https://room.example", key="token").client.key == "token"
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        saferoom.connect("https://room.example", key="no/such/folder")


@pytest.mark.parametrize(
    ("program", "forbidden"),
    [
        ("import saferoom.errors", {"saferoom.canonical", "saferoom.sdk", "httpx2", "pandas"}),
        ("import saferoom", {"saferoom.sdk", "httpx2", "pandas"}),
        (
            # pandas takes pyarrow where it is; we must do without it
            "sys.modules['pyarrow'] = None; import saferoom; saferoom.connect, saferoom.verify",
            {"fastapi", "sqlalchemy", "lightgbm", "pydantic", "saferoom.app"},
        ),
        ("import saferoom.cli.main", {"fastapi", "sqlalchemy", "pydantic", "saferoom.app"}),
    ],
)
def test_importing_loads_no_more_than_it_needs(program: str, forbidden: set[str]) -> None:
    ask = f"import sys; {program}; print('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", ask]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not forbidden & set(done.stdout.split())


def test_unknown_names_are_no_exports() -> None:
    with pytest.raises(AttributeError):
        _ = saferoom.nothing
    assert "connect" in dir(saferoom)
