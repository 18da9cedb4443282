"""Time stamps are asked for beside everything else, and believed only from whom is pinned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from saferoom.adapters.timestamp_client import FILE, TimestampClient, open_authorities
from saferoom.app import receipts, stamping
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.cli.main import app
from saferoom.client.verifying import verify
from saferoom.core.stamped import (
    Authority,
    Stamped,
    check_stamped,
    read_authorities,
    write_authorities,
)
from saferoom.crypto import der
from saferoom.errors import BadInput, Tampered, Unavailable
from tests.app.world import World, bank, with_room
from tests.crypto.authority import OPENSSL, OpensslAuthority, make_authority, served

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl(1) is not installed")


@dataclass
class Made:
    """An authority in this process, by openssl."""

    openssl: OpensslAuthority
    name: str = "tsa one"
    silent: bool = False
    bend: Callable[[bytes], bytes] = bytes
    asked: int = 0

    @property
    def pinned(self) -> Authority:
        certificate = self.openssl.certificate.public_bytes(Encoding.DER)
        return Authority(name=self.name, url="http://127.0.0.1/", certificate=certificate.hex())

    def ask(self, request: bytes) -> bytes:
        self.asked += 1
        if self.silent:
            raise Unavailable("TIMESTAMP_UNAVAILABLE", self.name)
        return self.openssl.answer(self.bend(request))


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpensslAuthority:
    return make_authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def authority(openssl: OpensslAuthority) -> Made:
    return Made(openssl)


@pytest.fixture
def stamped(world: World, authority: Made) -> World:
    """A room of today, since openssl reads the machine's clock."""
    world.score()
    world.settle()
    today = datetime.now(timezone.utc)  # noqa: UP017  # the test's own clock
    made = with_room(world, authorities=(authority,), clock=lambda: world.now)
    world.now = today
    return made


def note_of(world: World) -> Stamped:
    data = world.room.log.stamped()
    assert data is not None
    return Stamped.from_body(parse_object(data))


def test_what_is_published_is_stamped_once_an_hour(stamped: World, authority: Made) -> None:
    assert stamping.stamp(stamped.room) == 1
    assert note_of(stamped).note.checkpoint.size == stamped.room.log.size
    assert stamping.stamp(stamped.room) == 0
    assert authority.asked == 1


def test_an_idle_log_is_not_stamped_again(world: World, stamped: World, authority: Made) -> None:
    stamping.stamp(stamped.room)
    world.now += timedelta(hours=2)
    assert stamping.stamp(stamped.room) == 0
    assert authority.asked == 1


def test_a_room_without_authorities_asks_nobody(world: World) -> None:
    assert stamping.stamp(world.room) == 0
    assert world.room.log.stamped() is None


def test_a_silent_authority_holds_nothing_up(stamped: World, authority: Made) -> None:
    other = Made(authority.openssl, "tsa two", silent=True)
    both = with_room(stamped, authorities=(other, authority))
    with pytest.raises(Unavailable, match="tsa two"):
        stamping.stamp(both.room)
    assert [one.authority for one in note_of(both).stamps] == ["tsa one"]
    alone = with_room(stamped, authorities=(other,), stamping=type(stamped.room.stamping)())
    stamped.room.log.keep_stamped(b"damaged")
    with pytest.raises(Unavailable):
        stamping.stamp(alone.room)
    assert stamped.room.log.stamped() == b"damaged"


@pytest.mark.parametrize("what", ["message", "nonce", "time"])
def test_an_answer_to_another_request_is_not_published(
    world: World, stamped: World, authority: Made, what: str
) -> None:
    def bend(request: bytes) -> bytes:
        version, imprint, nonce, wanted = der.read(request).children()
        if what == "message":
            digest = imprint.children()[1]
            imprint = der.read(imprint.raw.replace(digest.content, bytes(32)))
        if what == "nonce":
            nonce = der.read(der.write_number(1))
        return der.write(der.SEQUENCE, version.raw, imprint.raw, nonce.raw, wanted.raw)

    authority.bend = bend
    if what == "time":
        world.now += timedelta(hours=3)
    with pytest.raises(Unavailable):
        stamping.stamp(stamped.room)
    assert world.room.log.stamped() is None


@pytest.fixture
def kept(stamped: World, authority: Made, tmp_path: Path) -> Path:
    """What a verifier has: a receipt, the stamped checkpoint, trust and pinned authorities."""
    stamping.stamp(stamped.room)
    (line,) = [*receipts.list_receipts(stamped.room, bank())]
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "receipt.json").write_bytes(receipts.get(stamped.room, bank(), line))
    (folder / "stamped.json").write_bytes(stamped.room.log.stamped() or b"")
    (folder / "trust.json").write_bytes(stamped.trust.to_bytes())
    (folder / "authorities.json").write_bytes(write_authorities((authority.pinned,)))
    return folder


def judge(kept: Path, *more: str) -> str:
    names = ("receipt.json", "--stamped", "stamped.json", "--authorities", "authorities.json")
    words = [name if name.startswith("--") else str(kept / name) for name in names]
    done = CliRunner().invoke(app, ["verify", *words, *more])
    return done.stdout if done.exit_code == 0 else f"refused {done.output}"


def test_verify_says_before_when_it_existed(kept: Path) -> None:
    assert "the entry existed before 2" in judge(kept)
    assert "by the word of tsa one (RFC 3161)" in judge(kept)


def test_every_changed_byte_of_the_stamps_is_noticed_or_says_the_same(
    kept: Path, authority: Made
) -> None:
    good = (kept / "stamped.json").read_bytes()
    believed = check_stamped(good, (authority.pinned,))
    for place in range(0, len(good), 7):
        bent = bytearray(good)
        bent[place] ^= 1
        try:
            found = check_stamped(bytes(bent), (authority.pinned,))
        except (Tampered, BadInput):
            continue
        assert found[1] == believed[1]  # signature lines, and the certificate that came along
        assert found[0].checkpoint == believed[0].checkpoint


def test_an_authority_that_is_not_pinned_says_nothing(
    kept: Path, authority: Made, tmp_path: Path
) -> None:
    other = replace(authority.pinned, name="another")
    (kept / "authorities.json").write_bytes(write_authorities((other,)))
    with pytest.raises(Tampered, match="not pinned"):
        verify(kept / "receipt.json", stamped=kept / "stamped.json",
               authorities=kept / "authorities.json")  # fmt: skip
    stranger = Made(make_authority(tmp_path / "stranger")).pinned
    (kept / "authorities.json").write_bytes(write_authorities((stranger,)))
    assert judge(kept).startswith("refused")
    with pytest.raises(BadInput):
        verify(kept / "receipt.json", stamped=kept / "stamped.json")


def test_an_entry_beyond_the_stamped_checkpoint_is_not_covered(
    world: World, stamped: World, kept: Path
) -> None:
    (line,) = world.score().results
    world.settle()
    (kept / "receipt.json").write_bytes(receipts.get(world.room, bank(), str(line.receipt)))
    log = world.room.log._folder  # type: ignore[attr-defined]
    refused = judge(kept, "--log", str(log))
    assert "TIMESTAMP_INVALID" in refused
    assert "not in the checkpoint" in refused


@pytest.mark.parametrize(
    "change",
    [{"stamps": []}, {"checkpoint": "x"}, {"kind": "saferoom/stamped/2"},
     {"stamps": [{"authority": "tsa one", "response": "AB"}]},
     {"stamps": [{"authority": "tsa one", "response": "zz"}]},
     {"stamps": [{"authority": "tsa one", "response": "00"}] * 2}],
)  # fmt: skip
def test_what_is_not_stamped_is_refused(
    kept: Path, authority: Made, change: dict[str, object]
) -> None:
    body = parse_object((kept / "stamped.json").read_bytes())
    with pytest.raises(Tampered) as caught:
        check_stamped(canonical_bytes(body | change), (authority.pinned,))
    assert caught.value.code == "TIMESTAMP_INVALID"


@pytest.mark.parametrize(
    "data", [b"{}", b'{"authorities":1,"kind":"saferoom/authorities/1"}', b"x"]
)
def test_authorities_are_read_strictly(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_authorities(data)


def test_an_authority_is_pinned_once_and_by_a_certificate(authority: Made) -> None:
    with pytest.raises(BadInput):
        read_authorities(write_authorities((authority.pinned,) * 2))
    for change in ({"certificate": "zz"}, {"certificate": "00"}, {"url": "ftp://x"}, {"name": ""}):
        with pytest.raises(BadInput):
            replace(authority.pinned, **change)


# --- over HTTP ---


@pytest.fixture
def address(openssl: OpensslAuthority) -> Iterator[str]:
    with served(openssl) as url:
        yield url


def test_the_command_pins_and_the_room_asks_over_http(
    stamped: World, openssl: OpensslAuthority, address: str, tmp_path: Path
) -> None:
    words = ["authority", "add", "--file", str(tmp_path / FILE), "--name", "local"]
    more = ["--url", address, "--certificate", str(openssl.folder / "cert.pem")]
    for _ in range(2):  # again renews
        assert CliRunner().invoke(app, [*words, *more]).exit_code == 0
    missing = [*words, "--url", address, "--certificate", str(tmp_path / "none")]
    assert CliRunner().invoke(app, missing).exit_code != 0
    (client,) = open_authorities(tmp_path)
    try:
        assert stamping.stamp(with_room(stamped, authorities=(client,)).room) == 1
    finally:
        client.close()
    assert open_authorities(tmp_path / "none") == ()


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(503),
        httpx2.Response(200, content=b"x", headers={"Content-Type": "text/html"}),
        httpx2.Response(302, headers={"Location": "http://127.0.0.1/other"}),
        httpx2.Response(
            200, content=bytes(70_000), headers={"Content-Type": "application/timestamp-reply"}
        ),
        None,
    ],
)
def test_whoever_answers_otherwise_is_away(authority: Made, answer: httpx2.Response | None) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if answer is None:
            raise httpx2.ConnectTimeout("no answer")
        return answer

    client = TimestampClient(authority.pinned, httpx2.MockTransport(handle))
    with pytest.raises(Unavailable) as caught:
        client.ask(b"")
    client.close()
    assert caught.value.code == "TIMESTAMP_UNAVAILABLE"
