"""Is a source's service read on from where the last run ended, however it behaves?"""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import Json
from saferoom.core.source import Encoding, SourceManifest, check_source, declared_body
from saferoom.core.store import Protocol, Store, check_stored
from saferoom.errors import BadInput, Isolation, SaferoomError, Unavailable
from saferoom.intake.caller import Caller, Pace
from saferoom.intake.targets import Targets
from saferoom.vault import ingestion, intake_process
from saferoom.vault.connections import find_place
from tests.intake.fetching import (
    TABLE,
    Room,
    connection,
    filing,
    manifest,
    resource,
    service,
    token_client,
)
from tests.intake.service import Answer, Filings, Request, Server, head, papers, reply, serving
from tests.intake.taking import DECLARED
from tests.intake.zygote import Zygote

STYLES = ("paged", "cursor", "linked", "whole", "csv")
LATER = "2026-11-02T08:00:00Z"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


@pytest.fixture
def room(tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(ingestion, "_intake_process", zygote.lent)
    monkeypatch.setattr(ingestion, "calling", zygote.calling)
    return Room(tmp_path)


Serve = Callable[[Answer], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    opened = []

    def one(answer: Answer) -> Server:
        opened.append(serving(tmp_path, answer))
        return opened[-1].__enter__()

    yield one
    for each in opened:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("style", STYLES)
def test_each_run_takes_what_came_since_the_last(room: Room, serve: Serve, style: str) -> None:
    filings = Filings([filing(number) for number in range(1, 11)])
    server, source = serve(filings), manifest(resource(style, since="since"))
    assert room.run(source, connection(server.address)).rows == 10
    assert room.run(source, connection(server.address)).rows == 0
    assert len(room.store.manifest.batches) == 1  # a run that found nothing leaves nothing
    filings.rows += [filing(11), filing(12, changed=LATER)]  # 11 shares the moment of the others
    assert room.run(source, connection(server.address)).rows == 2
    assert room.taken() == sorted(f"T-{number}" for number in range(1, 13))


@pytest.mark.parametrize("style", STYLES)
def test_a_table_without_a_watermark_is_taken_whole_when_it_is_new(
    room: Room, serve: Serve, style: str
) -> None:
    filings = Filings([filing(number) for number in range(1, 7)])
    server, source = serve(filings), manifest(resource(style))
    assert room.run(source, connection(server.address)).rows == 6
    room.run(source, connection(server.address))
    assert len(room.store.manifest.batches) == 1
    filings.rows[0] |= {"sales": 11, "known_at": "2026-10-13"}
    filings.version = '"2"'
    assert room.run(source, connection(server.address)).rows == 6
    assert room.run(source, connection(server.address)).rows in {0, 6}
    assert len(room.store.manifest.batches) == 2


def test_an_unchanged_version_is_not_sent_again(room: Room, serve: Serve) -> None:
    server, source = serve(Filings([filing(1)])), manifest(resource("whole"))
    assert room.run(source, connection(server.address)).rows == 1
    assert room.run(source, connection(server.address)).rows == 0
    first, second = server.heard
    assert "if-none-match" not in first.headers
    assert second.headers["if-none-match"] == '"1"'


def test_values_are_those_that_were_said(room: Room, serve: Serve) -> None:
    server = serve(Filings([filing(1), filing(2, sales="10.25", vat=3, cit=-4e-3)]))
    room.run(manifest(resource("whole")), connection(server.address))
    rows = {}
    for bucket in range(16):
        for row in room.store.read(TABLE, bucket).to_pylist():
            rows[row["record_id"]] = row
    assert (rows["T-1"]["sales"], rows["T-1"]["vat"], rows["T-1"]["cit"]) == (
        10.25,
        0.1 + 0.2,
        None,
    )
    assert (rows["T-2"]["sales"], rows["T-2"]["vat"], rows["T-2"]["cit"]) == (10.25, 3.0, -0.004)


DIRTY = [
    ({"uscc": "x"}, "uscc", "uscc"),
    ({"sales": float("nan")}, "sales", "number"),
    ({"sales": float("-inf")}, "sales", "number"),
    ({"sales": 10**400}, "sales", "number"),
    ({"sales": "9" * 5_000}, "sales", "number"),
    ({"sales": {"amount": 1}}, "sales", "number"),
    ({"sales": True}, "sales", "number"),
    ({"sales": -1}, "sales", "range"),
    ({"vat": None}, "vat", "empty"),
    ({"record_id": "a\ud800"}, "record_id", "encoding"),
    ({"record_id": ["a"]}, "record_id", "text"),
    ({"known_at": "2027-01-01"}, "known_at", "future"),
    ({"event_date": 45_000}, "event_date", "day"),
    ({"record_id": "T-1", "uscc": filing(1)["uscc"]}, "record_id", "duplicate"),
    ({"more": 1}, "", "ragged"),
]


@pytest.mark.parametrize(("changes", "column", "why"), DIRTY)
def test_a_dirty_row_waits_outside_with_number_and_reason(
    room: Room, serve: Serve, changes: dict[str, object], column: str, why: str
) -> None:
    rows = [filing(1), filing(2, **changes), filing(3)]
    server = serve(lambda _: reply(json.dumps(rows).encode()))
    counts = room.run(manifest(resource("whole")), connection(server.address))
    assert counts.tables[TABLE.name]["findings"] == [[2, column, why]]
    assert room.taken() == ["T-1", "T-3"]


def doubled_name(text: bytes) -> bytes:
    return text.replace(b'"T-2"', b'"T-2", "record_id": "T-9"')


def no_utf8(text: bytes) -> bytes:
    return text.replace(b'"T-2"', b'"\xff\xfe"')


@pytest.mark.parametrize(
    ("break_it", "column", "why"),
    [(doubled_name, "", "ragged"), (no_utf8, "record_id", "encoding")],
)
def test_what_json_cannot_say_waits_outside(
    room: Room, serve: Serve, break_it: Callable[[bytes], bytes], column: str, why: str
) -> None:
    body = break_it(json.dumps([filing(1), filing(2), filing(3)]).encode())
    server = serve(lambda _: reply(body))
    counts = room.run(manifest(resource("whole")), connection(server.address))
    assert counts.tables[TABLE.name]["findings"] == [[2, column, why]]


def test_csv_in_gbk_and_in_no_encoding(room: Room, serve: Serve) -> None:
    lines = [",".join(filing(1)), *(_line(number) for number in (1, 2, 3))]
    body = "\n".join(lines).replace("T-2", "增值税").encode("gbk") + b"\nx,y"
    server = serve(lambda _: reply(body, "text/csv"))
    source = manifest(resource("csv", since="since"), Encoding.UTF_8)
    counts = room.run(source, connection(server.address))
    assert counts.tables[TABLE.name]["findings"] == [
        [2, "record_id", "encoding"],
        [4, "", "ragged"],
    ]
    source = manifest(resource("csv"), Encoding.GBK)
    assert room.run(source, connection(server.address)).rows == 3


def _line(serial: int) -> str:
    return ",".join("" if one is None else str(one) for one in filing(serial).values())


GOOD = json.dumps([filing(1), filing(2)]).encode()
FULL = json.dumps([filing(number) for number in range(1, 6)]).encode()


def drip(_: Request) -> Iterator[bytes]:
    """Send a byte now and then, for as long as somebody listens."""
    yield head(200, {"Content-Type": "application/json", "Content-Length": "1000000"})
    for _part in range(1_000):
        threading.Event().wait(0.05)
        yield b" "


def always(answer: bytes) -> Answer:
    return lambda _: answer


def flood(_: Request) -> Iterator[bytes]:
    yield head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    for _part in range(40):
        yield b"100000\r\n" + b" " * 2**20 + b"\r\n"


def of_length(length: str) -> Answer:
    return lambda _: iter(
        [head(200, {"Content-Type": "application/json", "Content-Length": length}), GOOD]
    )


def renamed(number: int) -> bytes:
    rows = [filing(number) | {"turnover": 1}]
    del rows[0]["sales"]
    return reply(json.dumps(rows).encode())


BAD_REPLIES: list[tuple[str, Answer, str]] = [
    ("truncated", of_length(str(len(GOOD) + 10)), "SOURCE_UNAVAILABLE.*shorter than it says"),
    ("cut short", of_length(str(len(GOOD) - 10)), "cannot be read as JSON"),
    ("no length", lambda _: iter([head(200, {}), GOOD]), "of no stated length"),
    ("drip", drip, "it took too long"),
    ("flood", flood, "a reply of over"),
    ("429", always(reply(b"", status=429, Retry_After="0")), "it answers 429"),
    ("429 for an hour", always(reply(b"", status=429, Retry_After="3600")), "it answers 429"),
    ("503", always(reply(b"", status=503)), "it answers 503"),
    ("500", always(reply(b"", status=500)), "it answers 500"),
    ("401", always(reply(b"", status=401)), "it answers 401"),
    ("304 unasked", always(reply(b"", status=304)), "a redirect"),
    ("redirect", always(reply(b"", status=302, Location="https://localhost/x")), "a redirect"),
    ("type", always(reply(GOOD, "text/html")), "the type of a reply"),
    ("no type", always(reply(GOOD, "")), "the type of a reply"),
    ("packed", always(reply(GOOD, Content_Encoding="gzip")), "a packed reply"),
    ("no HTTP", lambda _: iter([b"220 mail.example\r\n\r\n"]), "the connection broke"),
    ("nothing", lambda _: iter([]), "the connection broke"),
    ("heads", lambda _: iter([head(200, {f"h{n}": "x" for n in range(200)})]), "connection broke"),
    ("a long head", lambda _: iter([head(200, {"h": "x" * 70_000})]), "connection broke"),
    ("not JSON", always(reply(b"<html>")), "cannot be read as JSON"),
    ("empty", always(reply(b"")), "cannot be read as JSON"),
    ("deep", always(reply(b"[" * 100_000)), "cannot be read as JSON"),
    ("an object", always(reply(b'{"rows":[]}')), "the rows of a reply"),
    ("numbers", always(reply(b"[1,2]")), "headings of tax_month: 16 differ"),
    ("renamed", always(renamed(1)), "headings of tax_month: 2 differ"),
]


@pytest.mark.parametrize(
    ("answer", "why"), [one[1:] for one in BAD_REPLIES], ids=[one[0] for one in BAD_REPLIES]
)
def test_a_service_that_misbehaves_leaves_nothing_and_the_next_run_goes_on(
    room: Room, serve: Serve, answer: Answer, why: str
) -> None:
    source = manifest(resource("whole"))
    with pytest.raises(SaferoomError, match=why) as caught:
        room.run(source, connection(serve(answer).address))
    assert caught.value.code in {"SOURCE_UNAVAILABLE", "SOURCE_MALFORMED"}
    assert room.taken() == []
    assert room.run(source, connection(serve(always(reply(GOOD))).address)).rows == 2


def endless(_: Request) -> bytes:
    return reply(FULL)


def turning(_: Request) -> bytes:
    return reply(json.dumps({"data": [filing(1)], "next": "again"}).encode())


def linked(link: str) -> Answer:
    return lambda _: reply(FULL, Link=f'<{link}>; rel="next"')


@pytest.mark.parametrize(
    ("style", "answer", "why"),
    [
        ("paged", endless, "a page that repeats"),
        ("cursor", turning, "a page that repeats"),
        ("cursor", always(reply(b'{"data":[],"next":[]}')), "the cursor of a reply"),
        ("cursor", always(reply(b'{"data":[],"next":true}')), "the cursor of a reply"),
        ("cursor", always(reply(b"[]")), "the rows of a reply"),
        ("linked", linked("?at=1"), "a page that repeats"),
        (
            "linked",
            linked("https://elsewhere.example/v1/linked?at=1"),
            "a link that leads elsewhere",
        ),
        ("linked", linked("http://localhost/v1/linked?at=1"), "a link that leads elsewhere"),
        ("linked", linked("/v1/other?at=1"), "a link that leads elsewhere"),
        ("linked", linked("//elsewhere.example/v1/linked"), "a link that leads elsewhere"),
        ("linked", linked("https://[x"), "a link that leads elsewhere"),
    ],
)
def test_pages_that_never_end_or_lead_elsewhere_are_refused(
    room: Room, serve: Serve, style: str, answer: Answer, why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        room.run(manifest(resource(style)), connection(serve(answer).address))
    assert room.taken() == []


class Midway:
    """A service that behaves, but for one call."""

    def __init__(self, filings: Filings, call: int, answer: Answer) -> None:
        self._filings, self._call, self._answer = filings, call, answer
        self._calls = itertools.count(1)

    def __call__(self, request: Request) -> bytes | Iterator[bytes]:
        said = self._answer if next(self._calls) == self._call else self._filings
        return said(request)


@pytest.mark.parametrize(
    "answer",
    [
        always(reply(b"", status=503)),
        always(reply(b"", status=429, Retry_After="0")),
        always(reply(b"", status=429, Retry_After="Fri, 20 Nov 2026 00:00:00 GMT")),
        always(reply(b"", status=429, Retry_After="soon")),
        of_length("10000000"),
        lambda _: iter([]),
    ],
)
def test_what_passes_is_tried_again(room: Room, serve: Serve, answer: Answer) -> None:
    filings = Filings([filing(number) for number in range(1, 11)])
    server = serve(Midway(filings, 2, answer))
    assert room.run(manifest(resource("paged")), connection(server.address)).rows == 10
    assert len(set(room.taken())) == 10


@pytest.mark.parametrize("style", ["paged", "cursor", "linked"])
@pytest.mark.parametrize("answer", [always(renamed(1)), always(reply(b"", status=500))])
def test_a_service_that_dies_midway_leaves_nothing_and_the_next_run_takes_all(
    room: Room, serve: Serve, style: str, answer: Answer
) -> None:
    filings = Filings([filing(number) for number in range(1, 11)])
    source = manifest(resource(style, since="since"))
    room.run(source, connection(serve(filings).address))
    filings.rows += [filing(number, changed=LATER) for number in range(11, 21)]
    bad = (
        (lambda request: answer(request) if "2" in str(request.query) else filings(request))
        if False
        else None
    )
    del bad
    dying = Midway(filings, 2, answer)
    with pytest.raises(SaferoomError, match="SOURCE_"):
        room.run(source, connection(serve(dying).address))
    assert len(room.taken()) == 10
    assert room.run(source, connection(serve(filings).address)).rows == 10
    assert len(set(room.taken())) == 20


def test_a_mark_of_another_type_is_refused(room: Room, serve: Serve) -> None:
    filings = Filings([filing(1)])
    source = manifest(resource("whole", since="since"))
    room.run(source, connection(serve(filings).address))
    for serial, why in (
        (None, "without a watermark"),
        (1.5, "type of a"),
        ("1", "type of a"),
        (True, "type of a"),
    ):
        filings.rows = [filing(2) | {"serial": serial}]
        with pytest.raises(BadInput, match=why):
            room.run(source, connection(serve(filings).address))
    assert room.taken() == ["T-1"]


def test_a_token_is_got_once_and_again_when_it_has_ended(room: Room, serve: Serve) -> None:
    filings = Filings([filing(number) for number in range(1, 11)], token="none yet")
    server = serve(filings)
    there = connection(server.address, token=token_client(server.address, scope="read all"))
    assert room.run(manifest(resource("paged")), there).rows == 10
    assert filings.given == 1
    (asked,) = [one for one in server.heard if one.path == "/token"]
    assert asked.body == b"grant_type=client_credentials&scope=read+all"
    assert "s/ecret" not in str([one.target for one in server.heard])


def test_a_token_that_ends_midway_is_replaced(room: Room, serve: Serve) -> None:
    filings = Filings([filing(number) for number in range(1, 11)], token="none yet")

    def forgetful(request: Request) -> bytes:
        if request.query.get("page") == "2" and filings.given == 1:
            filings.token = "another"
        return filings(request)

    server = serve(forgetful)
    there = connection(server.address, token=token_client(server.address))
    assert room.run(manifest(resource("paged")), there).rows == 10
    assert filings.given == 2


def test_a_token_that_lives_no_longer_than_a_call_is_got_for_each(room: Room, serve: Serve) -> None:
    filings = Filings([filing(number) for number in range(1, 11)], token="none yet", lives=1)
    server = serve(filings)
    there = connection(server.address, token=token_client(server.address))
    assert room.run(manifest(resource("paged")), there).rows == 10
    assert filings.given == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"access_token":1,"token_type":"Bearer"}',
        b'{"access_token":"a","token_type":"mac"}',
        b'{"access_token":"a\\r\\nX: y","token_type":"Bearer"}',
        b'{"access_token":"' + b"a" * 70_000 + b'","token_type":"Bearer"}',
        b"[" * 60_000,
    ],
)
def test_what_is_no_token_lets_nobody_in(room: Room, serve: Serve, body: bytes) -> None:
    server = serve(lambda request: reply(body if request.path == "/token" else GOOD))
    there = connection(server.address, token=token_client(server.address))
    with pytest.raises(Unavailable, match="no token"):
        room.run(manifest(resource("whole")), there)
    assert [one.path for one in server.heard] == ["/token"]


def test_a_wrong_secret_says_so_and_is_in_no_message(room: Room, serve: Serve) -> None:
    server = serve(Filings([filing(1)], token="none yet"))
    there = connection(
        server.address, token=token_client(server.address, client_secret="not-to-be-told")
    )
    with pytest.raises(Unavailable, match="no token") as caught:
        room.run(manifest(resource("whole")), there)
    assert "not-to-be-told" not in str(caught.value)


def test_who_shows_no_certificate_is_not_let_in(room: Room, tmp_path: Path) -> None:
    own = papers("room")
    source = manifest(resource("whole"))
    with serving(tmp_path, always(reply(GOOD)), clients=own.authority) as server:
        with pytest.raises(Unavailable, match=r"TLS|connection broke"):
            room.run(source, connection(server.address))
        there = connection(server.address, certificate=own.certificate, key=own.key)
        assert room.run(source, there).rows == 2


def test_a_service_whose_certificate_is_another_name_s_is_not_believed(
    room: Room, tmp_path: Path
) -> None:
    source = manifest(resource("whole"))
    other = papers("elsewhere.example").authority
    with serving(tmp_path, always(reply(GOOD)), name="elsewhere.example") as server:
        for authority in (other, papers().authority, None):
            with pytest.raises(Unavailable, match="TLS"):
                room.run(source, connection(server.address, authority=authority))
        assert server.heard == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"networks": ()}, "a network that"),
        ({"networks": ("10.0.0.0/8",)}, "a network that"),
        ({"hosts": ("service.example",)}, "a host that"),
    ],
)
def test_nobody_is_called_whom_the_manifest_does_not_name(
    room: Room, serve: Serve, changes: dict[str, object], why: str
) -> None:
    server = serve(always(reply(GOOD)))
    source = manifest(resource("whole"), service=service(**changes))
    with pytest.raises(BadInput, match=f"SOURCE_ADDRESS.*{why}"):
        room.run(source, connection(server.address))
    assert server.heard == []


def test_the_manifest_of_a_service_passes_the_one_check() -> None:
    for style in STYLES:
        check_source(manifest(resource(style)), DECLARED.tables)


CONNECTION_FILE = """
address = "{address}"
authority = '''
{authority}'''
[token]
address = "{address}/token"
client_id = "room"
client_secret = "s/ecret"
"""


def test_a_connection_file_is_private_and_whole(tmp_path: Path) -> None:
    said = CONNECTION_FILE.format(address="https://localhost:1", authority=papers().authority)
    path = tmp_path / "tax"
    path.touch(0o600)
    source = manifest(resource("whole"))
    path.write_text(f'kind = "saferoom/connection/1"\n{said}', encoding="utf-8")
    found = find_place(tmp_path, source)
    there = "https://localhost:1"
    assert found == connection(there, authority=papers().authority, token=token_client(there))
    for wrong in (said, "", "x", f'kind = "saferoom/connection/1"\nmore = 1\n{said}'):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(BadInput, match="CONNECTION_FILE"):
            find_place(tmp_path, source)


def test_the_programs_as_the_vault_starts_them(tmp_path: Path, serve: Serve) -> None:
    server = serve(Filings([filing(1)], token="none yet"))
    there = connection(server.address, token=token_client(server.address))
    assert Room(tmp_path).run(manifest(resource("whole")), there).rows == 1


THIN = """
import sys
from saferoom.intake import __main__ as intake
from saferoom.cage import seccomp
seccomp.install = print
intake.walls.self_test.EFFECTS["ptrace"] = lambda _: (_ for _ in ()).throw(OSError)
intake.walls.lockdown.forbid_files = lambda: "off"
sys.exit(intake.main())
"""


def test_no_reply_is_read_behind_thin_walls(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, one = serve(always(reply(GOOD))), Room(tmp_path)
    monkeypatch.setattr(ingestion, "PROGRAM", (sys.executable, "-I", "-c", THIN))
    with pytest.raises((Isolation, BadInput), match=r"CAGE_BROKEN|ended before"):
        one.run(manifest(resource("whole")), connection(server.address))
    assert (server.heard, one.taken()) == ([], [])


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import sys; sys.exit(1)", "SOURCE_UNAVAILABLE.*its caller ended"),
        ("import os; os.kill(os.getpid(), 9)", "SOURCE_UNAVAILABLE.*its caller ended"),
    ],
)
def test_a_caller_that_dies_is_a_source_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: str
) -> None:
    monkeypatch.setattr(intake_process, "CALLER", (sys.executable, "-I", "-c", program))
    one = Room(tmp_path)
    with pytest.raises(SaferoomError, match=code):
        one.run(manifest(resource("whole")), connection("https://localhost:1"))
    assert one.taken() == []


class Hours:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def test_calls_keep_the_declared_pace() -> None:
    hours = Hours()
    pace = Pace(30, lambda: hours.now, hours.sleep)
    for _ in range(3):
        pace.wait()
    assert hours.slept == [2.0, 2.0]


@given(tried=st.integers(1, 50), chance=st.floats(0, 1))
def test_waits_double_up_to_a_minute_and_are_drawn_by_chance(tried: int, chance: float) -> None:
    wait = Pace(60, chance=lambda: chance).back_off(tried, None)
    whole = min(60.0, 2.0 ** (tried - 1))
    assert whole / 2 <= wait <= whole
    assert Pace(60).back_off(tried, 7.0) == 7.0


def test_what_waits_too_long_is_given_up(serve: Serve) -> None:
    hours = Hours()
    server = serve(always(reply(b"", status=503, Retry_After="45")))
    pace = Pace(60, lambda: hours.now, hours.sleep)
    with (
        closing(Caller(connection(server.address), service(), pace)) as caller,
        pytest.raises(Unavailable, match="it answers 503"),
    ):
        caller.page(resource("whole"), "/v1/whole", None)
    assert sum(hours.slept) <= 200.0
    assert len(server.heard) == 5


@pytest.mark.parametrize(
    "ask",
    [
        {"linked": True},
        {"since": "2026"},
        {"value": "1"},
        {"value": 1},
        {"value": ""},
        {"value": "x" * 1_001},
    ],
)
def test_intake_chooses_no_target_of_its_own(ask: dict[str, Json]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        Targets("https://localhost/open", resource("whole")).target(ask)


@given(value=st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_a_value_stays_the_value_of_its_parameter(value: str) -> None:
    one = resource("cursor", path="/v1/x?size=5", since="since")
    target = Targets("https://localhost/open", one).target({"value": value, "since": value})
    assert target.isascii()
    found = Request("GET", target, {}, b"")
    assert found.path == "/open/v1/x"
    assert parse_qs(urlsplit(target).query) == {"size": ["5"], "since": [value], "cursor": [value]}


def test_the_page_for_sources_shows_what_is_accepted(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "connect-a-source.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    connector = next(one for one in blocks if "saferoom/connector/1" in one)
    resource_block = next(one for one in blocks if one.startswith("[service]"))
    document = tomllib.loads(connector)
    document.pop("kind")
    there = tomllib.loads(resource_block)
    ours = DECLARED.tables["util_month"].all_columns
    columns = {column.name: column.name for column in ours}
    table = there["tables"]["util_month"] | {"columns": columns}
    source = SourceManifest.from_body(
        declared_body(document | there | {"tables": {"util_month": table}})
    )
    check_source(source, DECLARED.tables)
    for kind, stored in (("connection", source), ("store", _stored(source))):
        path = tmp_path / source.name
        path.touch(0o600)
        block = next(one for one in blocks if f"saferoom/{kind}/1" in one)
        path.write_text(block, encoding="utf-8")
        assert find_place(tmp_path, stored) is not None
    found = find_place(tmp_path, _stored(source))
    assert isinstance(found, Store)
    check_stored(found, Protocol.S3)


def _stored(source: SourceManifest) -> SourceManifest:
    table = replace(source.tables[0], path="a.csv", resource=None, watermark=())
    return replace(source, tables=(table,), service=None, store=Protocol.S3)
