"""Does each door hand its use case what came in, and write what comes back?"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from saferoom.app import (
    contacts,
    erasures,
    grants,
    health,
    notices,
    parties,
    people,
    quality,
    receipts,
    scores,
    sources,
    subjects,
    terms,
    votes,
)
from saferoom.app import versions as app_versions
from saferoom.app.deliveries import Result, ScoreAnswer
from saferoom.app.versions import Submitted
from saferoom.canonical import Digest
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES
from saferoom.ports import ModelFindings, Snapshot
from tests.api.conftest import CALLER, KEY, TOKEN

D = Digest("ab" * 32)
R = "cd" * 16
RAW = {"body": {"kind": "x"}, "signatures": []}
STATEMENT = Statement.from_json(RAW)
FINDINGS = ModelFindings(("a",), "scorecard", 1, 3, 4, 1)
TOLD_FINDINGS = {
    "features": ["a"],
    "scorer": "scorecard",
    "parts": 1,
    "leaves": 3,
    "grades": 4,
    "depth": 1,
}
Json = Any  # bodies and answers of the table

# method, path, body, use case, what it returns, what it was given, what is answered
Door = tuple[str, str, Json, tuple[ModuleType, str], object, tuple[object, ...], Json]
ONE, MANY = {"statement": RAW}, {"statements": [RAW]}
SNAPSHOT = Snapshot(D, "2026-10-31", D, 7, "2026-11-20T10:51:00Z")
TOLD_SNAPSHOT = {
    "digest": D,
    "as_of": "2026-10-31",
    "views": D,
    "enterprises": 7,
    "published_at": "2026-11-20T10:51:00Z",
}
DOORS: list[Door] = [
    ("GET", "/v1/room", None, (health, "describe"), {"origin": "x"}, (), {"origin": "x"}),
    ("GET", "/v1/catalogue", None, (health, "catalogue"), {"views": []}, (), {"views": []}),
    ("GET", "/v1/quality", None, (quality, "quality"), {"closed": []}, (), {"closed": []}),
    ("GET", "/v1/mock", None, (health, "mock_set"), {"columns": []}, (), {"columns": []}),
    ("POST", "/v1/enrolments", MANY, (people, "enrol"), (D,), ([STATEMENT],), {"digests": [D]}),
    ("POST", "/v1/admissions", ONE, (parties, "apply"), D, (STATEMENT,), {"digest": D}),
    (
        "GET",
        "/v1/parties",
        None,
        (parties, "list_parties"),
        [{"a": 1}],
        (),
        {"parties": [{"a": 1}]},
    ),
    (
        "POST",
        "/v1/parties/bank-a/suspension",
        ONE,
        (parties, "suspend"),
        "suspended",
        ("bank-a", STATEMENT),
        {"state": "suspended"},
    ),
    (
        "POST",
        "/v1/parties/bank-a/exit",
        ONE,
        (parties, "leave"),
        "exited",
        ("bank-a", STATEMENT),
        {"state": "exited"},
    ),
    (
        "POST",
        "/v1/votes",
        ONE,
        (votes, "cast"),
        (D, "open"),
        (STATEMENT,),
        {"subject": D, "state": "open"},
    ),
    ("POST", "/v1/subjects", ONE, (subjects, "propose"), D, (STATEMENT,), {"digest": D}),
    (
        "POST",
        "/v1/versions",
        {**ONE, "artefact": "00ff"},
        (app_versions, "submit"),
        Submitted(D, FINDINGS, ("told_sales_12",)),
        (STATEMENT, b"\x00\xff"),
        {"digest": D, "findings": TOLD_FINDINGS, "self_reported": ["told_sales_12"]},
    ),
    ("GET", "/v1/versions", None, (app_versions, "list_versions"), [], (), {"versions": []}),
    (
        "GET",
        f"/v1/versions/{D}",
        None,
        (app_versions, "get_version"),
        {"state": "approved"},
        (D,),
        {"state": "approved"},
    ),
    (
        "POST",
        f"/v1/versions/{D}/suspension",
        ONE,
        (app_versions, "suspend"),
        "suspended",
        (D, STATEMENT),
        {"state": "suspended"},
    ),
    ("POST", "/v1/budgets", MANY, (grants, "sign_budgets"), (D,), ([STATEMENT],), {"digests": [D]}),
    ("POST", "/v1/grants", MANY, (grants, "sign_grants"), (D,), ([STATEMENT],), {"digests": [D]}),
    ("GET", "/v1/grants", None, (grants, "list_grants"), [], (), {"grants": []}),
    ("GET", "/v1/ledger", None, (grants, "ledger"), [{"a": 1}], (), {"accounts": [{"a": 1}]}),
    ("POST", "/v1/revocations", ONE, (grants, "revoke_all"), (D,), ([STATEMENT],), {"digest": D}),
    (
        "POST",
        "/v1/revocations",
        MANY,
        (grants, "revoke_all"),
        (D,),
        ([STATEMENT],),
        {"digests": [D]},
    ),
    ("POST", "/v1/contacts", ONE, (contacts, "set_contact"), D, (STATEMENT,), {"digest": D}),
    (
        "GET",
        f"/v1/versions/{D}/terms",
        None,
        (terms, "show_terms"),
        {"budget": None},
        (D,),
        {"budget": None},
    ),
    ("GET", "/v1/notices?after=7", None, (notices, "list_notices"), [], (7,), {"notices": []}),
    (
        "GET",
        f"/v1/receipts?version={D}&since=2026-11-20T00:00:00Z",
        None,
        (receipts, "list_receipts"),
        [R],
        (D, "2026-11-20T00:00:00Z", "release"),
        {"receipts": [R]},
    ),
    ("GET", f"/v1/receipts/{R}", None, (receipts, "get"), b'{"a":1}', (R,), {"a": 1}),
    (
        "POST",
        "/v1/erasures",
        ONE,
        (erasures, "erase"),
        {"models": []},
        (STATEMENT,),
        {"models": []},
    ),
    ("GET", "/v1/erasures", None, (erasures, "list_orders"), [], (), {"erasures": []}),
    (
        "GET",
        f"/v1/erasures/{D}",
        None,
        (erasures, "certificate"),
        {"models": []},
        (D,),
        {"models": []},
    ),
    ("POST", "/v1/rotations", ONE, (erasures, "rotate"), {"at": "x"}, (STATEMENT,), {"at": "x"}),
    (
        "POST",
        "/v1/sources/tax/ingest",
        ONE,
        (sources, "ingest"),
        {"rows": 1},
        ("tax", STATEMENT),
        {"rows": 1},
    ),
    (
        "POST",
        "/v1/snapshots",
        ONE,
        (sources, "materialise"),
        SNAPSHOT,
        (STATEMENT,),
        TOLD_SNAPSHOT,
    ),
    (
        "POST",
        "/v1/profiles",
        ONE,
        (sources, "profile"),
        {"features": []},
        (STATEMENT,),
        {"features": []},
    ),
]


def _twin(returns: object, seen: list[tuple[object, ...]]) -> Callable[..., object]:
    def use_case(_: object, *given: object) -> object:
        seen.append(given)
        return returns

    return use_case


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1][:24]}")
def test_each_door_leads_to_its_use_case(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    method, path, body, (module, name), returns, given, told = door
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr(module, name, _twin(returns, seen))
    answer = http.request(method, path, json=body, headers={**TOKEN, **KEY})
    assert answer.status_code == 200, answer.text
    assert answer.json() == told
    caller = () if module is health else (CALLER,)
    assert seen == [(*caller, *given)]


def _result(code: str | None, *, stored: bool = False) -> Result:
    entry = None if code is None else CODES[code]
    return Result(
        enterprise="9" * 18,
        status="released" if entry is None else "refused",
        code=code,
        sentence=None if entry is None else entry.why,
        remedy=None if entry is None else entry.remedy,
        answer=b"sealed" if entry is None else None,
        receipt=R if entry is None else None,
        charge_mbit=4000 if entry is None and not stored else 0,
        stored=stored,
    )


def test_scores_are_answered_and_counted(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    results = (_result(None), _result(None, stored=True), _result("AUTH_MISSING"))
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr(scores, "score", _twin(ScoreAnswer(results, (STATEMENT,)), seen))
    answer = http.post("/v1/scores", json=ONE, headers={**TOKEN, **KEY})
    assert seen == [(CALLER, STATEMENT, KEY["Idempotency-Key"])]
    lines = answer.json()["results"]
    assert [line["status"] for line in lines] == ["released", "released", "refused"]
    assert lines[0]["answer"] == b"sealed".hex()
    assert answer.json()["promises"] == [RAW]
    counted = http.get("/metrics").text
    assert 'saferoom_releases_total{source="evaluated"} 1.0' in counted
    assert 'saferoom_releases_total{source="stored"} 1.0' in counted
    assert 'saferoom_refusals_total{code="AUTH_MISSING"} 1.0' in counted


def test_a_token_is_issued_without_a_token(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "issue_token", lambda *_: ("t", "2026-11-21T00:00:00Z"))
    answer = http.post("/v1/tokens", json=ONE, headers=KEY)
    assert answer.json() == {"token": "t", "expires_at": "2026-11-21T00:00:00Z"}


def test_who_am_i(http: TestClient) -> None:
    told = {"holder": "li.na", "party": "bank-a", "role": "modeller"}
    assert http.get("/v1/me", headers=TOKEN).json() == told
