"""Verify on a laptop: files, a folder of tiles, or the room's address; nothing of the server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from saferoom.adapters.log_files import LogFiles
from saferoom.client import verifying
from saferoom.client.verifying import served_log, verify, verify_promise
from saferoom.core.moment import write_instant
from saferoom.core.promise import Kept, Promise
from saferoom.crypto.signing import sign_statement
from saferoom.errors import BadInput, NotFound, Tampered, Unavailable
from saferoom.tlog.checkpoint import Checkpoint, sign_checkpoint
from saferoom.tlog.merkle import leaf_hash
from tests.tlog.small_log import FOREIGN_KEY, LOG_KEY, NOW, ORIGIN, SmallLog, log_key, trust

LOG = SmallLog.make(300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a log of 300, a receipt of size 5, checkpoints of 5 and 300."""
    files = LogFiles(tmp_path / "log", ORIGIN, [LOG_KEY])
    (tmp_path / "early").write_text(files.extend(0, LOG.leaves[:5]))
    (tmp_path / "checkpoint").write_text(files.extend(5, LOG.leaves[5:]))
    (tmp_path / "trust.json").write_bytes(trust().to_bytes())
    (tmp_path / "receipt.json").write_bytes(LOG.receipt(size=5))
    return tmp_path


def code_of(error: pytest.ExceptionInfo[Tampered]) -> str:
    return error.value.code


def test_receipt_with_its_own_checkpoint(home: Path) -> None:
    assert verify(home / "receipt.json", home / "early").size == 5
    assert verify(str(home / "receipt.json"), str(home / "early")).size == 5
    assert verify((home / "receipt.json").read_bytes(), trust=home / "trust.json").size == 5


def test_later_checkpoint_is_proven_from_the_log_beside_it(home: Path) -> None:
    shown = verify(home / "receipt.json", home / "checkpoint")
    assert shown.size == 300
    assert any("only appended" in link for link in shown.links)


def test_later_checkpoint_is_proven_where_tiles_stand_beside_it(home: Path) -> None:
    shown = verify(home / "receipt.json", home / "log/checkpoint", trust=home / "trust.json")
    assert shown.size == 300


def test_earlier_checkpoint_is_proven_too(home: Path) -> None:
    assert verify(LOG.receipt(size=300), home / "early").size == 5


def test_named_log_is_used(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (home / "log").rename(elsewhere)
    with pytest.raises(Tampered) as caught:
        verify(home / "receipt.json", home / "checkpoint")
    assert code_of(caught) == "CONSISTENCY"
    assert verify(home / "receipt.json", home / "checkpoint", log=elsewhere).size == 300


@pytest.mark.parametrize("log", ["nowhere", "receipt.json"])
def test_log_that_does_not_reach_proves_nothing(home: Path, log: str) -> None:
    with pytest.raises(Tampered) as caught:
        verify(home / "receipt.json", home / "checkpoint", log=home / log)
    assert code_of(caught) == "CONSISTENCY"


def test_bent_tiles_prove_nothing(home: Path) -> None:
    tile = home / "log/tile/0/000"
    data = bytearray(tile.read_bytes())
    for at in range(len(data)):
        data[at] ^= 1
    tile.write_bytes(data)
    with pytest.raises(Tampered) as caught:
        verify(home / "receipt.json", home / "checkpoint")
    assert code_of(caught) == "CONSISTENCY"


def test_checkpoint_of_another_key_is_refused(home: Path) -> None:
    head = sign_checkpoint(Checkpoint(ORIGIN, 300, bytes(32)), FOREIGN_KEY)
    (home / "checkpoint").write_text(head)
    with pytest.raises(Tampered) as caught:
        verify(home / "receipt.json", home / "checkpoint")
    assert code_of(caught) == "CHECKPOINT_UNTRUSTED"


@pytest.mark.parametrize("missing", ["receipt.json", "checkpoint", "trust.json"])
def test_missing_file_is_named(home: Path, missing: str) -> None:
    (home / missing).unlink()
    with pytest.raises(NotFound):
        verify(home / "receipt.json", home / "checkpoint")


def test_without_trust_nothing_is_verified(home: Path) -> None:
    with pytest.raises(BadInput):
        verify(home / "receipt.json")


def test_checkpoint_that_is_no_text_is_bad_input(home: Path) -> None:
    (home / "checkpoint").write_bytes(b"\xff")
    with pytest.raises(BadInput):
        verify(home / "receipt.json", home / "checkpoint")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(home)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_log_is_asked_at_the_rooms_address(home: Path, address: str) -> None:
    shown = verify(home / "receipt.json", home / "checkpoint", log=address)
    assert shown.size == 300
    # A size whose partial tiles were dropped is proven from the full ones.
    assert served_log(address)("tile/0/000.p/200") is None


def test_room_that_does_not_answer_is_unavailable(home: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        verify(home / "receipt.json", home / "checkpoint", log="http://127.0.0.1:9")
    assert caught.value.code == "ROOM_UNREACHABLE"


def test_endless_tile_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "LARGEST_FILE", 10)
    with pytest.raises(Tampered):
        verifying._read_bounded(httpx2.Response(200, content=b"x" * 11))


def promise(entry: bytes) -> bytes:
    made = Promise(
        origin=ORIGIN,
        entry=leaf_hash(entry).hex(),
        deadline=write_instant(NOW + timedelta(seconds=60)),
    )
    return sign_statement(made.to_body(), [LOG_KEY]).to_bytes()


def test_promise_is_held_against_the_whole_log(home: Path) -> None:
    late = NOW + timedelta(minutes=5)
    (home / "promise.json").write_bytes(promise(LOG.leaves[299]))
    at = home / "checkpoint"
    assert verify_promise(home / "promise.json", at, now=late) is Kept.KEPT
    assert verify_promise(promise(b"never"), at, now=NOW) is Kept.PENDING
    with pytest.raises(Tampered) as caught:
        verify_promise(promise(b"never"), at, now=late)
    assert code_of(caught) == "PROMISE_BROKEN"


def test_promise_is_not_judged_by_half_a_log(home: Path) -> None:
    tile = home / "log/tile/0/000"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(Tampered) as caught:
        verify_promise(promise(LOG.leaves[0]), home / "checkpoint", now=NOW)
    assert code_of(caught) == "PROOF_INVALID"


def test_promise_needs_the_log_and_a_sound_key(home: Path) -> None:
    (home / "trust.json").write_bytes(trust(log_key(compromised=True)).to_bytes())
    with pytest.raises(Tampered):
        verify_promise(promise(b"x"), home / "checkpoint", now=NOW)
    (home / "trust.json").write_bytes(trust().to_bytes())
    (home / "log").rename(home / "away")
    with pytest.raises(NotFound):
        verify_promise(promise(b"x"), home / "checkpoint")


def test_verifying_needs_no_server() -> None:
    code = (
        "import sys, saferoom.client.verifying\n"
        "bad = {'sqlalchemy', 'fastapi', 'pydantic', 'pandas', 'lightgbm', 'cedarpy', 'duckdb'}\n"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
