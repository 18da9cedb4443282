"""Do the vault's answers and refusals arrive as what they are?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from saferoom.adapters.vault_client import VaultClient
from saferoom.canonical import Json
from saferoom.errors import CODES, SaferoomError, Unavailable
from saferoom.wire import ChannelClosed, Frame, receive, send
from tests import factories as make

Answer = Callable[[Frame], tuple[dict[str, Json], list[bytes]] | None]


class TwinVault:
    """A vault that says what a test wants; None hangs up."""

    def __init__(self, path: Path) -> None:
        self.answer: Answer = lambda _: ({"ok": True}, [])
        self.asked: list[Frame] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(channel)
            threading.Thread(target=self._talk, args=(channel,), daemon=True).start()

    def _talk(self, channel: socket.socket) -> None:
        with channel:
            try:
                while (reply := self._reply(receive(channel))) is not None:
                    send(channel, *reply)
            except (ChannelClosed, OSError):
                return

    def _reply(self, frame: Frame) -> tuple[dict[str, Json], list[bytes]] | None:
        self.asked.append(frame)
        return self.answer(frame)

    def hang_up(self) -> None:
        for channel in self._open:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[TwinVault]:
    twin = TwinVault(tmp_path / "vault.sock")
    yield twin
    twin.close()


@pytest.fixture
def client(vault: TwinVault, tmp_path: Path) -> Iterator[VaultClient]:
    client = VaultClient(tmp_path / "vault.sock", call_seconds=0.5)
    yield client
    client.close()


def test_a_connection_is_used_again(vault: TwinVault, client: VaultClient) -> None:
    for _ in range(3):
        client.describe()
    assert vault.connections == 1
    assert [frame.header for frame in vault.asked] == [{"verb": "describe"}] * 3


def test_each_thread_has_its_own_connection(vault: TwinVault, client: VaultClient) -> None:
    gate = threading.Barrier(4)

    def wait(_: Frame) -> tuple[dict[str, Json], list[bytes]]:
        gate.wait(timeout=5)
        return {"ok": True}, []

    vault.answer = wait
    threads = [threading.Thread(target=client.describe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert vault.connections == 4


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_comes_back_as_itself(vault: TwinVault, client: VaultClient, code: str) -> None:
    vault.answer = lambda _: ({"error": {"code": code, "detail": "why"}}, [])
    with pytest.raises(SaferoomError) as raised:
        client.learn([make.sign(make.views(), "zhao")])
    assert (raised.value.code, raised.value.detail) == (code, "why")
    assert type(raised.value) is CODES[code].family


def test_a_restarted_vault_is_asked_again_once(vault: TwinVault, client: VaultClient) -> None:
    client.describe()
    vault.hang_up()
    client.describe()
    assert vault.connections == 2


def test_a_vault_that_hangs_up_each_time_is_unavailable(
    vault: TwinVault, client: VaultClient
) -> None:
    vault.answer = lambda _: None
    with pytest.raises(Unavailable, match="VAULT_UNAVAILABLE"):
        client.describe()
    assert len(vault.asked) == 1


def test_a_vault_that_does_not_answer_is_unavailable_and_not_asked_twice(
    vault: TwinVault, client: VaultClient
) -> None:
    client.describe()
    hold = threading.Event()

    def silent(_: Frame) -> None:
        hold.wait(5)

    vault.answer = silent
    with pytest.raises(Unavailable, match="in time"):
        client.describe()
    assert len(vault.asked) == 2
    hold.set()


def test_no_vault_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        VaultClient(tmp_path / "vault.sock").describe()
    with pytest.raises(Unavailable):
        VaultClient(tmp_path / "nowhere" / "vault.sock").describe()


def test_a_score_is_read_with_its_sealed_answers(vault: TwinVault, client: VaultClient) -> None:
    digest = make.some_digest()
    vault.answer = lambda _: (
        {"ok": True, "snapshot": digest, "refusals": {"B": "RATE_CAP"}, "answers": ["A", "C"]},
        [b"one", b"two"],
    )
    scored = client.score(make.sign(make.request(), "x"), [make.sign(make.grant(), "y")])
    assert scored.snapshot == digest
    assert [(one.enterprise, one.sealed) for one in scored.answers] == [
        ("A", b"one"),
        ("C", b"two"),
    ]
    assert scored.refusals == {"B": "RATE_CAP"}
    assert set(vault.asked[0].header) == {"verb", "request", "grants"}


def test_what_the_vault_recalls_is_typed(vault: TwinVault, client: VaultClient) -> None:
    latest: dict[str, Json] = {"count": 3, "head": "ab" * 32}
    vault.answer = lambda _: ({"ok": True, "latest": latest, "head": None}, [])
    told = client.recall(4)
    assert (told.latest.count, told.head) == (3, None)
    assert vault.asked[0].header == {"verb": "recall", "count": 4}
    vault.answer = lambda _: ({"ok": True, "latest": latest, "head": "cd" * 32}, [])
    assert client.recall(2).head == "cd" * 32
    vault.answer = lambda _: ({"ok": True, "latest": latest, "head": 5}, [])
    with pytest.raises(Unavailable):
        client.recall(2)


def test_findings_snapshots_and_counts_are_typed(vault: TwinVault, client: VaultClient) -> None:
    vault.answer = lambda _: (
        {
            "ok": True,
            "features": ["a"],
            "scorer": "scorecard",
            "parts": 1,
            "leaves": 2,
            "grades": 3,
            "depth": 2,
        },
        [],
    )
    findings = client.check_model(make.sign(make.manifest(), "x"), b"sealed")
    assert (findings.features, findings.scorer, findings.grades) == (("a",), "scorecard", 3)
    assert vault.asked[0].attachments == (b"sealed",)
    body: dict[str, Json] = {"digest": "d", "as_of": "2026-11-19", "views": "v"}
    body |= {"enterprises": 6, "published_at": "t"}
    vault.answer = lambda _: ({"ok": True, "snapshot": body}, [])
    assert client.materialise(make.sign(make.snapshot_order(), "zhao")).enterprises == 6
    vault.answer = lambda _: ({"ok": True, "rows": 5, "quarantined": 1, "tables": {}}, [])
    order = make.sign(make.ingest_order(), "tax.steward")
    assert client.ingest(order) == {"rows": 5, "quarantined": 1, "tables": {}}
    vault.answer = lambda _: ({"ok": True, "features": []}, [])
    assert client.profile(make.sign(make.profile_order(), "zhao")) == {"features": []}
    assert vault.asked[-1].header["verb"] == "profile"


def test_what_comes_of_erasures_and_keys_is_typed(vault: TwinVault, client: VaultClient) -> None:
    certificate = make.sign({"kind": "x"}, "vault")
    vault.answer = lambda _: ({"ok": True, "certificate": certificate.to_json()}, [])
    assert client.erase(make.sign(make.erase_order("x"), "x")) == certificate
    vault.answer = lambda _: ({"ok": True, "rotated_at": "t"}, [])
    assert client.rotate(make.sign(make.rotate_order(), "zhao", "qian")) == {"rotated_at": "t"}
    vault.answer = lambda _: ({"ok": True, "backup": "00ff"}, [])
    order = make.sign(make.key_backup_order(), "zhao", "qian")
    assert client.back_up_keys(order) == b"\x00\xff"
    vault.answer = lambda _: ({"ok": True, "well": True}, [])
    assert client.check() == {"well": True}
    assert [frame.header["verb"] for frame in vault.asked] == [
        "erase",
        "rotate",
        "back_up_keys",
        "check",
    ]
    vault.answer = lambda _: ({"ok": True, "backup": 5}, [])
    with pytest.raises(Unavailable):
        client.back_up_keys(order)


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": True},
        {"error": {"code": "NO_SUCH_CODE", "detail": None}},
        {"error": "text"},
        {"ok": True, "snapshot": "d", "refusals": {}, "answers": ["A"]},
    ],
)
def test_an_answer_that_is_none_is_unavailable(
    vault: TwinVault, client: VaultClient, reply: dict[str, Json]
) -> None:
    vault.answer = lambda _: (reply, [])
    with pytest.raises(Unavailable, match="VAULT_UNAVAILABLE"):
        client.score(make.sign(make.request(), "x"), [])
    for call in (
        lambda: client.materialise(make.sign(make.snapshot_order(), "zhao")),
        lambda: client.check_model(make.sign(make.manifest(), "x"), b""),
    ):
        with pytest.raises(Unavailable):
            call()
