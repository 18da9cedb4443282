"""Does a receipt of a served room verify as it is, and in no other way?

The rules alone are tested in `tests/core/test_receipt.py`; here are a real room's receipt,
its checkpoint and its trust file, and the command that an auditor types.
"""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from saferoom.client.verifying import verify
from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import Trust
from saferoom.crypto.signing import SigningKey
from saferoom.demo.founding import found
from saferoom.errors import SaferoomError, Tampered
from saferoom.tlog.checkpoint import read_note, sign_checkpoint
from tests.proofs.small_room import SYSTEM, SmallRoom, score

SAMPLED = 5
SHARE = 50


@dataclass(frozen=True)
class Kept:
    """What a bank keeps of one release."""

    folder: Path

    @property
    def receipt(self) -> Path:
        return self.folder / "receipt.json"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def trust(self) -> Trust:
        return Trust.from_bytes((self.folder / "trust.json").read_bytes())


@pytest.fixture(scope="module")
def kept(room: SmallRoom, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    bank = room.stage.client(SYSTEM)
    (folder / "receipt.json").write_bytes(bank.receipt(bank.receipts()[0]))
    (folder / "checkpoint").write_bytes(bank.checkpoint())
    (folder / "trust.json").write_bytes((room.home / "trust.json").read_bytes())
    return Kept(folder)


def say(receipt: Path, checkpoint: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "saferoom", "verify", str(receipt)]
    return subprocess.run(
        [*words, "--checkpoint", str(checkpoint), *more],
        capture_output=True,
        text=True,
        check=False,
    )


def log_of(room: SmallRoom) -> tuple[str, str]:
    return ("--log", str(room.home / "log"))


def test_the_receipt_verifies(room: SmallRoom, kept: Kept) -> None:
    done = say(kept.receipt, kept.checkpoint, *log_of(room))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: release")


def test_it_verifies_against_a_later_checkpoint(room: SmallRoom, kept: Kept) -> None:
    score(room, room.planted.codes[:1])  # a stored answer has its own entry
    bank = room.stage.client(SYSTEM)
    bank.receipt(bank.receipts()[-1])  # waits until that entry is in the log
    later = kept.folder / "later"
    later.write_bytes(bank.checkpoint())
    assert later.read_bytes() != kept.checkpoint.read_bytes()
    assert verify(kept.receipt, later, log=room.home / "log").kind == "release"


def test_changed_bytes_are_noticed(kept: Kept) -> None:
    assert unnoticed(kept, SHARE) == []


@pytest.mark.long
def test_every_changed_byte_is_noticed(kept: Kept) -> None:
    assert unnoticed(kept, 1) == []


def test_the_command_notices_changed_bytes(room: SmallRoom, kept: Kept) -> None:
    good = kept.receipt.read_bytes()
    for place in range(0, len(good), -(-len(good) // SAMPLED)):
        bent = kept.folder / "bent.json"
        bent.write_bytes(changed(good, place))
        done = say(bent, kept.checkpoint, *log_of(room))
        assert done.returncode == 1, f"byte {place}"
        assert "verified" not in done.stdout


def test_a_shorter_or_longer_receipt_is_refused(kept: Kept) -> None:
    good, trust = kept.receipt.read_bytes(), kept.trust
    assert not any(believed(good[:length], trust) for length in range(0, len(good), SHARE))
    for more in (b"\n", b" ", b"\0", b"{}", good):
        assert not believed(good + more, trust)
        assert not believed(more + good, trust)


def test_a_checkpoint_of_another_key_is_refused(room: SmallRoom, kept: Kept) -> None:
    real = read_note(kept.checkpoint.read_text("utf-8")).checkpoint
    forged = kept.folder / "forged"
    forged.write_text(sign_checkpoint(real, SigningKey(bytes(range(32)))), "utf-8")
    with pytest.raises(Tampered) as caught:
        verify(kept.receipt, forged, log=room.home / "log")
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"
    done = say(kept.receipt, forged, *log_of(room))
    assert done.returncode == 1
    assert "CHECKPOINT_UNTRUSTED" in done.stderr


def test_every_changed_byte_of_the_checkpoint_is_noticed(room: SmallRoom, kept: Kept) -> None:
    good, bent = kept.checkpoint.read_bytes(), kept.folder / "bent"
    for place in range(len(good)):
        bent.write_bytes(changed(good, place))
        with pytest.raises(SaferoomError):
            verify(kept.receipt, bent, log=room.home / "log")


def test_another_homes_trust_file_vouches_for_nothing(
    room: SmallRoom, kept: Kept, tmp_path: Path
) -> None:
    found(tmp_path / "other", room.stage.url)
    other = ("--trust", str(tmp_path / "other" / "trust.json"))
    done = say(kept.receipt, kept.checkpoint, *log_of(room), *other)
    assert done.returncode == 1
    assert "CHECKPOINT_UNTRUSTED" in done.stderr


def changed(good: bytes, place: int) -> bytes:
    """Flip one bit of one byte."""
    bent = bytearray(good)
    bent[place] ^= 1 << place % 8
    return bytes(bent)


def unnoticed(kept: Kept, step: int) -> list[int]:
    good, trust = kept.receipt.read_bytes(), kept.trust
    assert check_receipt(good, trust, check_papers=check_papers).kind == "release"
    places = range(random.Random(1).randrange(step), len(good), step)
    return [place for place in places if believed(changed(good, place), trust)]


def believed(receipt: bytes, trust: Trust) -> bool:
    try:
        check_receipt(receipt, trust, check_papers=check_papers)
    except SaferoomError:
        return False
    return True
