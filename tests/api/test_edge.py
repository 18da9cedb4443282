"""What holds for every request, whatever it asks?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from saferoom.api import edge
from saferoom.api.throttle import Quotas, score_quota, submission_quota
from saferoom.app import grants, health, people, scores, versions, votes
from saferoom.errors import Refusal, Unavailable
from tests.api.conftest import KEY, TOKEN, TwinRoom

STATEMENT = {"body": {"kind": "x"}, "signatures": []}
PUBLIC = {"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
PUBLIC |= {"/v1/room", "/v1/tokens", "/log/checkpoint", "/log/stamped"}
PUBLIC |= {"/log/tile/{path}"}


def _check_shape(body: dict[str, dict[str, str]], code: str) -> None:
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "sentence", "remedy", "trace_id"}
    assert body["error"]["code"] == code


def test_every_route_but_the_public_ones_asks_for_a_token(http: TestClient) -> None:
    operations = [
        (path, method)
        for path, methods in http.get("/openapi.json").json()["paths"].items()
        for method in methods
    ]
    asked = {(path, method) for path, method in operations if path not in PUBLIC}
    assert len(asked) >= 20
    for path, method in sorted(asked):
        answer = http.request(method, path.replace("{", "").replace("}", ""), json={}, headers=KEY)
        assert answer.status_code == 401, path
        _check_shape(answer.json(), "TOKEN_MISSING")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_write_asks_for_an_idempotency_key(http: TestClient) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    writes = [path for path, methods in paths.items() if "post" in methods]
    assert len(writes) >= 14
    for path in writes:
        address = path.replace("{", "").replace("}", "")
        for headers in (TOKEN, {**TOKEN, "Idempotency-Key": "short"}):
            answer = http.post(address, json={"statement": STATEMENT}, headers=headers)
            _check_shape(answer.json(), "IDEMPOTENCY_KEY")
            assert answer.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/nothing", 404, "NOT_FOUND"),
        ("DELETE", "/v1/me", 405, "METHOD"),
        ("GET", "/log/checkpoint", 404, "NOT_FOUND"),
        ("GET", "/log/tile/../../keys/log.key", 404, "NOT_FOUND"),
        ("GET", "/log/tile/0/%2e%2e/%2e%2e/keys", 404, "NOT_FOUND"),
    ],
)
def test_addresses_that_are_not_there_have_the_shape(
    http: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status
    _check_shape(answer.json(), code)
    assert answer.headers["X-Trace-Id"] == answer.json()["error"]["trace_id"]


@pytest.mark.parametrize(
    "path",
    ["versions/x", "versions/%00", "receipts/x", "receipts/%00", f"versions/{'A' * 64}"],
)
def test_identifiers_that_could_be_nobodys_are_not_found(http: TestClient, path: str) -> None:
    answer = http.get(f"/v1/{path}", headers=TOKEN)
    assert answer.status_code == 404
    _check_shape(answer.json(), "NOT_FOUND")


@pytest.mark.parametrize("query", ["version=x", "version=%00", "since=%00", "since=yesterday"])
def test_filters_are_bounded(http: TestClient, query: str) -> None:
    answer = http.get(f"/v1/receipts?{query}", headers=TOKEN)
    _check_shape(answer.json(), "FIELD_INVALID")


def test_an_unknown_token_is_refused(http: TestClient) -> None:
    answer = http.get("/v1/me", headers={"Authorization": "Bearer bad"})
    _check_shape(answer.json(), "TOKEN_INVALID")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"statement": 1}',
        b'{"statement": {"body": {}, "signatures": []}, "more": 1}',
        b'{"statement": {"body": {}, "signatures": [{"key": "x", "signature": "y"}]}}',
        b'{"statement": {"body": {"x": 1.5}, "signatures": []}}',
        b'{"statement": {"body": {"x": NaN}, "signatures": []}}',
        b'{"statement": {"body": {"x": ' + b"[" * 5000 + b"]" * 5000 + b'}, "signatures": []}}',
        b'{"statement": {"body": {"x": ' + b"9" * 5000 + b'}, "signatures": []}}',
        b'{"statement": {"body": {"x": "\\ud800"}, "signatures": []}}',
        b'{"statement": {"body": {"x": ["\\u0000"]}, "signatures": []}}',
        b'{"statement": {"body": {"\\u0000": 1}, "signatures": []}}',
    ],
)
def test_bodies_that_cannot_be_read_are_bad_input(http: TestClient, body: bytes) -> None:
    headers = {**TOKEN, **KEY, "Content-Type": "application/json"}
    answer = http.post("/v1/votes", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] in {"FIELD_INVALID", "NOT_CANONICAL"}


def test_what_a_caller_typed_is_never_echoed(http: TestClient) -> None:
    body = {"statement": {"body": {}, "signatures": []}, "91310000MA1K00000X": "secret"}
    answer = http.post("/v1/votes", json=body, headers={**TOKEN, **KEY})
    assert answer.status_code == 422
    assert "91310000" not in answer.text
    assert "secret" not in answer.text


def test_a_declared_length_beyond_the_bound_is_refused(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "MOST_BYTES", 100)
    answer = http.post("/v1/votes", content=b"x" * 101, headers={**TOKEN, **KEY})
    _check_shape(answer.json(), "TOO_LARGE")


def test_a_stream_beyond_the_bound_is_refused(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "MOST_BYTES", 100)

    def stream() -> Iterator[bytes]:
        yield b'{"statement": "'
        yield b"x" * 101

    headers = {**TOKEN, **KEY, "Content-Type": "application/json"}
    answer = http.post("/v1/votes", content=stream(), headers=headers)
    _check_shape(answer.json(), "TOO_LARGE")


def test_a_mistake_of_ours_tells_only_its_trace(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the value was xyzzy")

    monkeypatch.setattr(votes, "cast", broken)
    answer = http.post("/v1/votes", json={"statement": STATEMENT}, headers={**TOKEN, **KEY})
    assert answer.status_code == 500
    _check_shape(answer.json(), "INTERNAL")
    assert "xyzzy" not in answer.text  # no hexadecimal: the trace id never holds it
    assert answer.headers["X-Trace-Id"] == answer.json()["error"]["trace_id"]


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (Refusal("SELF_APPROVE"), 403, None),
        (Unavailable("VAULT_UNAVAILABLE"), 503, "1"),
    ],
)
def test_errors_carry_their_status(
    http: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    header: str | None,
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(grants, "ledger", refuse)
    answer = http.get("/v1/ledger", headers=TOKEN)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == header
    assert answer.headers["Cache-Control"] == "no-store"


def test_refusals_and_requests_are_counted_without_identifiers(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal("SELF_APPROVE")

    monkeypatch.setattr(votes, "cast", refuse)
    http.post("/v1/votes", json={"statement": STATEMENT}, headers={**TOKEN, **KEY})
    http.get("/v1/receipts/some-personal-thing")
    text = http.get("/metrics").text
    assert 'saferoom_refusals_total{code="SELF_APPROVE"} 1.0' in text
    assert 'saferoom_requests_total{route="/v1/votes",status="403"} 1.0' in text
    assert 'route="/v1/receipts/{receipt_id}"' in text
    assert "personal" not in text


def test_failures_to_get_a_token_are_slowed_down(
    http: TestClient, room: TwinRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal("KEY_UNKNOWN")

    monkeypatch.setattr(people, "issue_token", refuse)

    def ask() -> str:
        answer = http.post("/v1/tokens", json={"statement": STATEMENT}, headers=KEY)
        return str(answer.json()["error"]["code"])

    assert [ask() for _ in range(12)] == ["KEY_UNKNOWN"] * 10 + ["TOKEN_ATTEMPTS"] * 2
    room.now = room.now.replace(minute=53)
    assert ask() == "KEY_UNKNOWN"


@pytest.mark.parametrize(("parts", "status"), [({"vault": "ready"}, 200), ({"vault": "X"}, 503)])
def test_readiness_follows_the_parts(
    http: TestClient, monkeypatch: pytest.MonkeyPatch, parts: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(health, "parts", lambda _: parts)
    answer = http.get("/readyz")
    assert answer.status_code == status
    assert answer.json() == {"ready": status == 200, "parts": parts}


def test_the_log_is_served_with_its_types(http: TestClient, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes("room\n1\nAAAA=\n\n— room AAAA=\n".encode())
    (tmp_path / "tile/0").mkdir(parents=True)
    (tmp_path / "tile/0/000.p").mkdir()
    (tmp_path / "tile/0/000.p/1").write_bytes(b"\x00" * 32)
    note = http.get("/log/checkpoint")
    assert note.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert note.headers["Cache-Control"] == "no-cache"
    tile = http.get("/log/tile/0/000.p/1")
    assert tile.content == b"\x00" * 32
    assert tile.headers["Content-Type"] == "application/octet-stream"
    assert "immutable" in tile.headers["Cache-Control"]


def test_the_documentation_stands_on_its_own(http: TestClient) -> None:
    assert http.get("/", follow_redirects=False).headers["Location"] == "/docs"
    page = http.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "/v1/scores" in page.text
    assert "saferoom/score-request/1" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_each_operation_is_described(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            assert operation["responses"]["4XX"], path


LARGE = edge.MOST_BYTES_OF_STRANGERS + 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, "TOKEN_MISSING"), ({"Authorization": "Bearer bad"}, "TOKEN_INVALID")],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_nothing_large_is_taken_from_who_shows_no_token(
    http: TestClient, *, headers: dict[str, str], code: str, streamed: bool
) -> None:
    content = iter([b"{" * (LARGE - 1), b"{"]) if streamed else b"{" * LARGE
    answer = http.post(
        "/v1/versions",
        content=content,
        headers={**headers, **KEY, "Content-Type": "application/json"},
    )
    assert answer.status_code == 401
    _check_shape(answer.json(), code)


def test_a_large_body_with_a_token_is_read(http: TestClient) -> None:
    answer = http.post(
        "/v1/versions",
        content=b"{" * LARGE,
        headers={**TOKEN, **KEY, "Content-Type": "application/json"},
    )
    _check_shape(answer.json(), "FIELD_INVALID")


@pytest.mark.parametrize(
    ("path", "module", "name", "body"),
    [
        ("/v1/scores", scores, "score", {"statement": STATEMENT}),
        ("/v1/versions", versions, "submit", {"statement": STATEMENT, "artefact": "00"}),
    ],
)
def test_an_organisation_has_its_share_and_no_more(  # noqa: PLR0917  # fixtures and a table
    room: TwinRoom,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    module: ModuleType,
    name: str,
    body: dict[str, object],
) -> None:
    def refuse(*_: object) -> None:
        raise Refusal("ROLE")

    monkeypatch.setattr(module, name, refuse)
    app.state.quotas = Quotas(score_quota(2), submission_quota(2))
    http = TestClient(app)

    def ask() -> tuple[int, str]:
        answer = http.post(path, json=body, headers={**TOKEN, **KEY})
        return answer.status_code, str(answer.json()["error"]["code"])

    assert [ask() for _ in range(3)] == [(403, "ROLE")] * 2 + [(429, "TOO_OFTEN")]
    room.now += timedelta(days=1)
    assert ask() == (403, "ROLE")
