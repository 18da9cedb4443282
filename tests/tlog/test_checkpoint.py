"""A checkpoint has one text, and only known keys make it count."""

from __future__ import annotations

import base64

import pytest

from saferoom.crypto.signing import SigningKey
from saferoom.errors import BadInput, SaferoomError, Tampered
from saferoom.tlog.checkpoint import (
    Checkpoint,
    NoteKey,
    check_name,
    check_note,
    read_note,
    sign_checkpoint,
)

ORIGIN = "room.example/log"
OLD, NEW, EVE = (SigningKey(bytes([n]) * 32) for n in (1, 2, 3))
HEAD = Checkpoint(ORIGIN, 42, bytes(range(32)))
KEYS = [NoteKey(ORIGIN, key.public) for key in (OLD, NEW)]
NOTE = sign_checkpoint(HEAD, OLD)


def test_text_is_the_published_format() -> None:
    lines = NOTE.split("\n")
    assert lines[:4] == [ORIGIN, "42", base64.b64encode(bytes(range(32))).decode(), ""]
    assert lines[4].startswith(f"\u2014 {ORIGIN} ")
    assert lines[5:] == [""]


def test_key_hint_matches_the_published_example() -> None:
    # PeterNeumann+c74f20a3+ARpc2Qc…: the example of golang.org/x/mod/sumdb/note
    raw = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert raw[0] == 1
    key = type(OLD.public)(raw[1:])
    assert NoteKey("PeterNeumann", key).hint.hex() == "c74f20a3"


def test_note_reads_back_to_the_same_bytes() -> None:
    note = read_note(sign_checkpoint(HEAD, OLD, NEW))
    assert note.checkpoint == HEAD
    assert note.text() == sign_checkpoint(HEAD, OLD, NEW)
    signed = check_note(note, KEYS, only_known=True)
    assert [signer.key for signer in signed.signers] == [OLD.public, NEW.public]


@pytest.mark.parametrize("mask", [0x01, 0x02, 0x10, 0x20, 0x80])
def test_every_changed_byte_is_refused(mask: int) -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= mask
        with pytest.raises((SaferoomError, UnicodeDecodeError)):
            check_note(read_note(changed.decode()), KEYS, only_known=True)


def test_unknown_signers_are_ignored_outside_receipts_only() -> None:
    both = read_note(sign_checkpoint(HEAD, EVE, OLD))
    assert check_note(both, KEYS, only_known=False).signers == (KEYS[0],)
    with pytest.raises(Tampered):
        check_note(both, KEYS, only_known=True)


def test_checkpoint_of_another_key_is_refused() -> None:
    with pytest.raises(Tampered) as caught:
        check_note(read_note(sign_checkpoint(HEAD, EVE)), KEYS, only_known=False)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"


def test_forged_line_of_a_known_key_is_refused_even_beside_a_good_one() -> None:
    good = read_note(NOTE).signatures[0]
    forged = good.text().replace(
        good.text().split(" ")[2],
        base64.b64encode(KEYS[1].hint + good.signature).decode() + "\n",
    )
    with pytest.raises(Tampered):
        check_note(read_note(NOTE + forged), KEYS, only_known=False)


def test_key_signs_once() -> None:
    note = NOTE + NOTE.split("\n\n")[1]
    with pytest.raises(Tampered):
        check_note(read_note(note), KEYS, only_known=False)


def test_hints_may_collide_and_the_signature_decides() -> None:
    class Colliding(NoteKey):
        @property
        def hint(self) -> bytes:
            return KEYS[0].hint

    keys = [Colliding(ORIGIN, NEW.public), KEYS[0]]
    assert check_note(read_note(NOTE), keys, only_known=True).signers == (KEYS[0],)


ROOT = base64.b64encode(bytes(32)).decode()
LINE = NOTE.split("\n\n")[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n42\n{ROOT}\n",
        f"{ORIGIN}\n42\n{ROOT}\n\n",
        f"{ORIGIN}\n42\n{ROOT}\nexten\x01sion\n\n{LINE}",
        f"{ORIGIN}\n042\n{ROOT}\n\n{LINE}",
        f"{ORIGIN}\n-1\n{ROOT}\n\n{LINE}",
        f"{ORIGIN}\n٤٢\n{ROOT}\n\n{LINE}",
        f"{ORIGIN}\n9999999999999999\n{ROOT}\n\n{LINE}",
        f"a b\n42\n{ROOT}\n\n{LINE}",
        f"{ORIGIN}\n42\n{ROOT[:-1]}\n\n{LINE}",
        f"{ORIGIN}\n42\n{ROOT[:-2]}B=\n\n{LINE}",  # stray bits
        f"{ORIGIN}\n42\n{ROOT[:-4]}\n\n{LINE}",
        f"{ORIGIN}\n42\n{ROOT[:-1]}é\n\n{LINE}",
        f"{ORIGIN}\n42\n{ROOT}\n\n{LINE[:-1]}",
        f"{ORIGIN}\n42\n{ROOT}\n\n{LINE}\n",
        f"{ORIGIN}\n42\n{ROOT}\n\n- {LINE[2:]}",
        f"{ORIGIN}\n42\n{ROOT}\n\n\u2014 {ORIGIN}\n",
        f"{ORIGIN}\n42\n{ROOT}\n\n\u2014 a+b {LINE.split(' ')[2]}",
        f"{ORIGIN}\n42\n{ROOT}\n\n{LINE * 17}",
        f"{ORIGIN}\n42\n{ROOT}\n\n{LINE * 1000}",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_note(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x7fb", "x" * 256])
def test_names_that_a_note_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        check_name(name)
    with pytest.raises(BadInput):
        sign_checkpoint(Checkpoint(name, 0, bytes(32)), OLD)
