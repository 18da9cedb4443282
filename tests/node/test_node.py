"""Is a node believed only while it is who it was, is there, and offers what was agreed?"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saferoom.canonical import Json, canonical_bytes
from saferoom.cli.node import ask, down, read_node
from saferoom.core.catalogue import Item
from saferoom.core.remote import NodeHealth, RemoteNode, check_health, check_offer, check_offered
from saferoom.crypto.signing import SigningKey, Statement, sign_statement
from saferoom.errors import BadInput, Conflict, NotFound, Refusal, SaferoomError, Unavailable
from saferoom.node import home as homes
from tests.intake.service import HOST, Answer, Request, papers, reply, serving

CATALOGUE = Path("policies/catalogue.toml")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NONCE = "ab" * 16


def listed(name: str) -> dict[str, Json]:
    groups = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["group"]
    return next(dict(one) for group in groups for one in group["items"] if one["id"] == name)


def item(**changed: Json) -> dict[str, Json]:
    return {**listed("tax.filing"), **changed}


def body(key: SigningKey, port: int = 8341, *items: object, **changed: object) -> dict[str, object]:
    service = {"hosts": [HOST], "networks": ["127.0.0.0/8", "::1/128"], "calls_per_minute": 60}
    return {
        "kind": RemoteNode.KIND,
        "name": "tax",
        "party": "source-tax",
        "address": f"https://{HOST}:{port}",
        "key": key.public.raw.hex(),
        "service": service,
        "items": list(items or (item(),)),
        **changed,
    }


class Place:
    """A node's home and its room's, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "room"
        self.node = homes.create(folder / "node", "tax", secrets.token_bytes(32), offer(item()))
        (folder / "authority.pem").write_text(papers().authority, encoding="ascii")
        (folder / "own.pem").write_text(papers().certificate + papers().key, encoding="ascii")

    def declare(self, port: int, key: SigningKey | None = None, *items: object) -> Path:
        said = body(key or self.node.key, port, *items)
        service, items = said.pop("service"), said.pop("items")  # type: ignore[assignment]
        lines = [_line(name, value) for name, value in said.items()]
        lines += ["[service]", *(_line(name, value) for name, value in service.items())]  # type: ignore[attr-defined]
        for one in items:
            lines += ["[[item]]", *(_line(name, value) for name, value in one.items())]  # type: ignore[attr-defined]
        path = self.folder / "node.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def ask(self, port: int, key: SigningKey | None = None) -> str:
        """Ask, and return why the node is down, or that it is up."""
        declared, authority = self.declare(port, key), self.folder / "authority.pem"
        try:
            ask(declared=declared, home=self.home, authority=authority, catalogue=CATALOGUE)
        except Unavailable as error:
            why = error.detail or ""
        else:
            why = "up"
        assert set(down(self.home / "nodes")) == (set() if why == "up" else {"tax"})
        return why

    @contextmanager
    def running(self) -> Iterator[int]:
        """Start the real program."""
        command = [sys.executable, "-m", "saferoom.node", "--home", str(self.node.folder)]
        command += ["--port", "0", "--certificate", str(self.folder / "own.pem")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
            assert program.stdout is not None
            try:
                yield int(program.stdout.readline())
            finally:
                program.send_signal(signal.SIGTERM)
                program.wait(20)


def offer(*items: dict[str, Json]) -> dict[str, Json]:
    return {"items": [*items]}


def _line(name: str, value: object) -> str:
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_node_that_is_there_and_offers_what_was_agreed_is_up(place: Place) -> None:
    with place.running() as port:
        assert place.ask(port) == "up"


def test_another_key_than_the_declared_one_is_down(place: Place) -> None:
    with place.running() as port:
        assert place.ask(port, SigningKey(bytes(32))) == "SIGNATURE_INVALID"


def test_a_changed_list_is_down_until_it_is_approved_and_up_again_when_it_is_back(
    place: Place,
) -> None:
    path = place.node.folder / "offer.json"
    agreed = path.read_bytes()
    with place.running() as port:
        path.write_bytes(canonical_bytes(offer(item(cycle="daily"))))
        assert place.ask(port) == "NODE_CHANGED"
        path.write_bytes(agreed)
        assert place.ask(port) == "up"


def test_a_silent_node_is_down_since_it_was_first_found_so(place: Place) -> None:
    with place.running() as port:
        assert place.ask(port) == "up"
    assert place.ask(port) == "NODE_DOWN"
    state = place.home / "nodes" / "tax.json"
    earlier = {**json.loads(state.read_bytes()), "since": "2026-01-01T00:00:00Z"}
    state.write_bytes(canonical_bytes(earlier))
    assert place.ask(port) == "NODE_DOWN"
    assert down(place.home / "nodes") == {"tax": "2026-01-01T00:00:00Z"}


def test_an_earlier_answer_said_again_is_down(place: Place, tmp_path: Path) -> None:
    old = place.node.health(NONCE, datetime.now(UTC)).to_bytes()

    def again(request: Request) -> bytes:
        return reply(old if request.path == "/health" else place.node.offer().to_bytes())

    assert _asked(place, tmp_path, again) == "REPLAY"


@pytest.mark.parametrize(
    "said",
    [reply(b"{}", status=302, Location="https://localhost/"), reply(b"{}", status=500), b"no"],
    ids=["redirecting", "failing", "no HTTP"],
)
def test_what_is_no_answer_is_down(place: Place, tmp_path: Path, said: bytes) -> None:
    assert _asked(place, tmp_path, lambda _: said) == "NODE_DOWN"


def test_no_statement_is_down(place: Place, tmp_path: Path) -> None:
    assert _asked(place, tmp_path, lambda _: reply(b"{}")) == "FIELD_INVALID"


def _asked(place: Place, folder: Path, answer: Answer) -> str:
    with serving(folder, answer) as server:
        return place.ask(server.port)


def test_an_item_that_is_not_listed_so_is_refused_before_anybody_is_asked(place: Place) -> None:
    for one in (item(id="tax.gossip"), item(level="L1")):
        with pytest.raises(BadInput):
            read_node(place.declare(1, None, one), CATALOGUE)
    assert read_node(place.declare(1), CATALOGUE).name == "tax"


def test_the_node_answers_two_routes_and_a_nonce_of_one_length(place: Place) -> None:
    with pytest.raises(BadInput):
        place.node.health("ab", NOW)
    for text in ("{}", "x" * (homes.LARGEST_OFFER + 1)):
        (place.node.folder / "offer.json").write_text(text, encoding="ascii")
        with pytest.raises(BadInput):
            place.node.offer()
    (place.node.folder / "offer.json").unlink()
    with pytest.raises(NotFound):
        place.node.offer()


def test_a_home_is_made_once_and_its_key_is_its_owners(place: Place) -> None:
    folder = place.node.folder
    assert homes.load(folder).key == place.node.key
    with pytest.raises(Conflict):
        homes.create(folder, "tax", bytes(32), {})
    (folder / "key.json").chmod(0o644)
    with pytest.raises(BadInput):
        homes.load(folder)
    (folder / "key.json").chmod(0o600)
    (folder / "key.json").write_text("{}", encoding="ascii")
    with pytest.raises(BadInput):
        homes.load(folder)
    os.unlink(folder / "key.json")  # noqa: PTH108
    with pytest.raises(NotFound):
        homes.load(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Tax"},
        {"party": ""},
        {"address": "http://localhost"},
        {"address": "https://elsewhere.example"},
        {"key": "00" * 32},
        {"items": []},
        {"items": [item(), item()]},
        {"items": [item(mode="collect")]},
    ],
    ids=str,
)
def test_what_cannot_be_is_no_declaration(changed: dict[str, object]) -> None:
    key = SigningKey(bytes(32))
    assert RemoteNode.from_body(body(key)).name == "tax"
    with pytest.raises(SaferoomError):
        RemoteNode.from_body({**body(key), **changed})


def health(key: SigningKey, **changed: Json) -> Statement:
    said: dict[str, Json] = {
        "node": "tax",
        "nonce": NONCE,
        "said_at": "2026-11-20T12:00:00Z",
        **changed,
    }
    return sign_statement({"kind": NodeHealth.KIND, **said}, [key])


@pytest.mark.parametrize(
    "changed",
    [{"node": "power"}, {"nonce": "cd" * 16}, {"said_at": "2026-11-20T11:50:00Z"}],
    ids=["another's", "another asker's", "old"],
)
def test_health_is_this_nodes_to_this_asker_now(changed: dict[str, Json]) -> None:
    key = SigningKey(bytes(32))
    node = RemoteNode.from_body(body(key))
    check_health(health(key), node, NONCE, NOW + timedelta(minutes=1))
    with pytest.raises(SaferoomError):
        check_health(health(key, **changed), node, NONCE, NOW)
    with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
        check_health(health(SigningKey(b"\1" * 32)), node, NONCE, NOW)


def test_an_offer_is_this_nodes_and_the_approved_one() -> None:
    key = SigningKey(bytes(32))
    node = RemoteNode.from_body(body(key))
    said: dict[str, Json] = {"kind": "saferoom/node-offer/1", "node": "tax", "items": [item()]}
    check_offer(sign_statement(said, [key]), node)
    with pytest.raises(Refusal, match="NODE_CHANGED"):
        check_offer(sign_statement({**said, "node": "power"}, [key]), node)
    check_offered(node, {"tax.filing": Item.from_body(item())})
    with pytest.raises(BadInput):
        check_offered(node, {})
