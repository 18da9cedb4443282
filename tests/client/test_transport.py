"""Does a write count once, whatever happens to its answer, and does an error come back whole?"""

from __future__ import annotations

import httpx2
import pytest

from saferoom.client.transport import PATIENCE, Transport
from saferoom.errors import (
    CODES,
    BadInput,
    NotYet,
    Refusal,
    SaferoomError,
    Unavailable,
)
from tests.client.conftest import make_transport


def _failure(code: str) -> httpx2.Response:
    family = CODES[code].family
    told = {"code": code, "sentence": "Why.", "remedy": "Do.", "trace_id": "t" * 32}
    return httpx2.Response(family.status, json={"error": told})


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_error_comes_back_as_the_class_that_was_raised(code: str) -> None:
    with pytest.raises(CODES[code].family) as caught:
        make_transport(lambda _: _failure(code)).get("/v1/me")
    assert (caught.value.code, caught.value.trace_id) == (code, "t" * 32)
    assert str(caught.value) == f"{code}: Why. Do."


def test_a_write_is_sent_again_with_the_same_key() -> None:
    seen: list[tuple[str, bytes]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.headers["Idempotency-Key"], request.content))
        if len(seen) == 1:
            raise httpx2.ReadError("gone", request=request)
        if len(seen) == 2:
            return _failure("VAULT_UNAVAILABLE")
        return httpx2.Response(200, json={"ok": True})

    assert make_transport(answer).post("/v1/x", {"a": 1}).json() == {"ok": True}
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_patience_ends() -> None:
    pauses: list[float] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(Unavailable, match="ROOM_UNREACHABLE"):
        make_transport(answer, pauses).get("/healthz")
    assert len(pauses) == len(PATIENCE)
    assert pauses == sorted(pauses)


def test_what_the_room_asks_to_wait_is_waited() -> None:
    pauses: list[float] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        told = _failure("NOT_SEQUENCED")
        told.headers["Retry-After"] = "1"
        return told

    with pytest.raises(NotYet):
        make_transport(answer, pauses).get("/v1/receipts/x")
    assert pauses == [1.0] * len(PATIENCE)


@pytest.mark.parametrize("code", ["SELF_APPROVE", "CAGE_BROKEN", "INTERNAL", "TOKEN_ATTEMPTS"])
def test_what_trying_again_would_not_change_is_not_tried_again(code: str) -> None:
    calls: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return _failure(code)

    with pytest.raises(SaferoomError):
        make_transport(answer).post("/v1/votes", {})
    assert len(calls) == 1


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(502, text="<html>bad gateway</html>"),
        httpx2.Response(500, json=[]),
        httpx2.Response(400, json={"error": {"code": "NEWER_THAN_WE"}}),
    ],
)
def test_an_answer_that_is_not_a_rooms_is_said_to_be_so(response: httpx2.Response) -> None:
    with pytest.raises(Unavailable, match="ROOM_UNREACHABLE"):
        make_transport(lambda _: response).get("/v1/me")


@pytest.mark.parametrize(
    "url", ["", "room.example", "ftp://room.example", "http://", "http://\x00"]
)
def test_an_address_that_is_none_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        Transport(url)


@pytest.mark.parametrize(
    "url", ["http://room.example", "http://10.0.0.5:8321", "http://localhost.room.example"]
)
def test_nothing_goes_unencrypted_to_another_machine(url: str) -> None:
    """Every score request carries a bearer token."""
    with pytest.raises(BadInput, match="ADDRESS_INSECURE"):
        Transport(url)


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://127.0.0.1:8321", False),
        ("http://localhost:8321", False),
        ("http://[::1]:8321", False),
        ("https://room.example", True),
    ],
)
def test_no_proxy_stands_before_our_own_machine(url: str, proxied: bool) -> None:
    with Transport(url) as transport:
        assert transport.client.trust_env is proxied


def test_refusals_are_not_swallowed_by_the_context() -> None:
    with pytest.raises(Refusal), make_transport(lambda _: _failure("ROLE")) as transport:
        transport.get("/v1/me")
