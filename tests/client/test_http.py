"""Does each method call its route, and does the client keep itself logged in?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from saferoom.canonical import Digest
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import TOKEN_REQUEST, Author
from saferoom.client.trustfile import TRUST_FILE
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Unauthenticated, Unavailable
from tests.client.conftest import make_transport
from tests.tlog.small_log import trust

D = Digest("ab" * 32)
ORIGIN = "room.example/log"
Json = Any  # what a twin answers


class TwinRoom:
    """Issues tokens, withdraws them, and answers one thing."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.valid = "none"
        self.issued = 0
        self.requests: list[httpx2.Request] = []
        self.proved_to: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.path == "/v1/room":
            return httpx2.Response(200, json={"origin": ORIGIN})
        if request.url.path == "/v1/tokens":
            statement = Statement.from_json(json.loads(request.content)["statement"])
            assert statement.kind == TOKEN_REQUEST
            self.proved_to.append(str(statement.body["origin"]))
            self.issued += 1
            self.valid = f"token-{self.issued}"
            told = {"token": self.valid, "expires_at": "2026-11-21T00:00:00Z"}
            return httpx2.Response(200, json=told)
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            error = dict.fromkeys(("sentence", "remedy", "trace_id"), "x")
            return httpx2.Response(401, json={"error": {"code": "TOKEN_INVALID", **error}})
        if isinstance(self.answer, bytes):
            return httpx2.Response(200, content=self.answer)
        return httpx2.Response(200, json=self.answer)


def _client(twin: TwinRoom, key: KeyFolder | str) -> RoomClient:
    return RoomClient("https://room.example", key, transport=make_transport(twin))


def test_the_client_logs_in_and_keeps_its_token(keys: KeyFolder) -> None:
    twin = TwinRoom({"holder": "li.na"})
    assert _client(twin, keys).me() == {"holder": "li.na"}
    assert keys.folder is not None
    assert keyfolder.load(keys.folder).token == "token-1"


def test_the_room_is_asked_for_its_name_once_and_believed_for_ever(keys: KeyFolder) -> None:
    twin = TwinRoom({"holder": "li.na"})
    _client(twin, keys).me()
    assert keys.folder is not None
    again = keyfolder.load(keys.folder)
    assert again.origin == ORIGIN
    twin.valid = "withdrawn"
    _client(twin, again).me()
    assert [r.url.path for r in twin.requests].count("/v1/room") == 1
    assert twin.proved_to == [ORIGIN, ORIGIN]


def test_a_key_that_knows_its_room_proves_nothing_to_another(keys: KeyFolder) -> None:
    mine = keyfolder.keep_origin(keys, "mine.example/log")
    twin = TwinRoom({"holder": "li.na"})
    _client(twin, mine).me()
    assert twin.proved_to == ["mine.example/log"]  # which the other room refuses
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        keyfolder.keep_origin(mine, ORIGIN)


def test_the_trust_file_says_which_room_it_is_before_the_room_can(keys: KeyFolder) -> None:
    assert keys.folder is not None
    (keys.folder / TRUST_FILE).write_bytes(trust().to_bytes())
    twin = TwinRoom({"holder": "li.na"})
    _client(twin, keys).me()
    assert twin.proved_to == [trust().origin]
    assert "/v1/room" not in {request.url.path for request in twin.requests}


def test_an_expired_token_is_renewed_once(keys: KeyFolder) -> None:
    twin = TwinRoom({"holder": "li.na"})
    client = _client(twin, keys)
    client.me()
    twin.valid = "withdrawn"
    client.me()
    assert twin.issued == 2


def test_a_bare_token_is_not_renewed(keys: KeyFolder) -> None:
    twin = TwinRoom({})
    with pytest.raises(Unauthenticated):
        _client(twin, "stale").me()
    assert twin.issued == 0


def test_a_bare_token_cannot_sign() -> None:
    with pytest.raises(BadInput, match="UNSIGNED"):
        _client(TwinRoom({}), "token").login()


Call = Callable[[RoomClient, Statement], object]
CALLS: list[tuple[Call, str, str, Json, object]] = [
    (lambda c, _: c.room(), "GET", "/v1/room", {}, {"origin": ORIGIN}),
    (lambda c, _: c.catalogue(), "GET", "/v1/catalogue", {"views": []}, {"views": []}),
    (lambda c, _: c.parties(), "GET", "/v1/parties", {"parties": [{"a": 1}]}, [{"a": 1}]),
    (lambda c, s: c.enrol([s]), "POST", "/v1/enrolments", {"digests": [D]}, [D]),
    (lambda c, s: c.admit(s), "POST", "/v1/admissions", {"digest": D}, D),
    (
        lambda c, s: c.suspend_party("bank-a", s),
        "POST",
        "/v1/parties/bank-a/suspension",
        {"state": "suspended"},
        "suspended",
    ),
    (
        lambda c, s: c.end_party("bank-a", s),
        "POST",
        "/v1/parties/bank-a/exit",
        {"state": "exited"},
        "exited",
    ),
    (lambda c, s: c.vote(s), "POST", "/v1/votes", {"state": "open"}, {"state": "open"}),
    (lambda c, s: c.propose(s), "POST", "/v1/subjects", {"digest": D}, D),
    (lambda c, s: c.submit(s, b"x"), "POST", "/v1/versions", {"digest": D}, {"digest": D}),
    (lambda c, _: c.versions(), "GET", "/v1/versions", {"versions": []}, []),
    (lambda c, _: c.version(D), "GET", f"/v1/versions/{D}", {"state": "x"}, {"state": "x"}),
    (
        lambda c, s: c.suspend_version(D, s),
        "POST",
        f"/v1/versions/{D}/suspension",
        {"state": "suspended"},
        "suspended",
    ),
    (lambda c, s: c.set_contact(s), "POST", "/v1/contacts", {"digest": D}, D),
    (lambda c, _: c.notices(), "GET", "/v1/notices", {"notices": []}, []),
    (lambda c, s: c.sign_budgets([s]), "POST", "/v1/budgets", {"digests": [D]}, [D]),
    (lambda c, s: c.sign_grants([s]), "POST", "/v1/grants", {"digests": [D]}, [D]),
    (lambda c, _: c.grants(), "GET", "/v1/grants", {"grants": []}, []),
    (lambda c, _: c.ledger(), "GET", "/v1/ledger", {"accounts": []}, []),
    (lambda c, s: c.revoke(s), "POST", "/v1/revocations", {"digest": D}, D),
    (lambda c, s: c.revoke_all([s]), "POST", "/v1/revocations", {"digests": [D]}, [D]),
    (lambda c, s: c.score(s), "POST", "/v1/scores", {"results": []}, {"results": []}),
    (lambda c, _: c.receipts(version=D), "GET", "/v1/receipts", {"receipts": ["r"]}, ["r"]),
    (lambda c, _: c.receipt("r"), "GET", "/v1/receipts/r", b"{}", b"{}"),
    (lambda c, s: c.erase(s), "POST", "/v1/erasures", {}, {}),
    (
        lambda c, _: c.erasures(),
        "GET",
        "/v1/erasures",
        {"erasures": [{"order": D}]},
        [{"order": D}],
    ),
    (lambda c, _: c.erasure(D), "GET", f"/v1/erasures/{D}", {"models": []}, {"models": []}),
    (lambda c, s: c.rotate(s), "POST", "/v1/rotations", {}, {}),
    (lambda c, s: c.ingest("tax", s), "POST", "/v1/sources/tax/ingest", {}, {}),
    (lambda c, s: c.publish_snapshot(s), "POST", "/v1/snapshots", {}, {}),
]


@pytest.mark.parametrize(("call", "method", "path", "told", "expected"), CALLS)
def test_each_method_calls_its_route(  # noqa: PLR0917  # one row of the table
    author: Author, call: Call, method: str, path: str, told: Json, expected: object
) -> None:
    twin = TwinRoom(told)
    client = _client(twin, author.keys)
    client.login()
    assert call(client, author.enrolment()) == expected
    sent = twin.requests[-1]
    assert ("Authorization" in sent.headers) is (path != "/v1/room")
    assert (sent.method, sent.url.path) == (method, path)
    assert ("Idempotency-Key" in sent.headers) is (method == "POST")


def test_the_same_statement_goes_out_under_the_same_key(author: Author) -> None:
    twin = TwinRoom({"digest": D})
    client, statement = _client(twin, author.keys), author.enrolment()
    client.admit(statement)
    client.admit(statement)
    client.propose(statement)
    used = [
        r.headers["Idempotency-Key"]
        for r in twin.requests
        if r.method == "POST" and r.url.path != "/v1/tokens"
    ]
    assert used[0] == used[1] != used[2]


def test_many_statements_go_in_parts_of_500(author: Author) -> None:
    twin = TwinRoom({"digests": [D]})
    _client(twin, author.keys).sign_grants([author.enrolment()] * 501)
    sizes = [
        len(json.loads(request.content)["statements"])
        for request in twin.requests
        if request.url.path == "/v1/grants"
    ]
    assert sizes == [500, 1]


@pytest.mark.parametrize("told", [b"[]", b"\xff", b'{"parties": 1}'])
def test_an_answer_of_another_shape_is_said_to_be_so(keys: KeyFolder, told: bytes) -> None:
    with pytest.raises(Unavailable, match="ROOM_UNREACHABLE"):
        _client(TwinRoom(told), keys).parties()
