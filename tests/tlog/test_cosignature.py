"""Cosignatures, keys and notes of other programs: the published examples, and every change."""

from __future__ import annotations

import base64
import struct

import pytest

from saferoom.crypto.signing import SigningKey
from saferoom.errors import BadInput, SaferoomError, Tampered
from saferoom.tlog.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    Note,
    NoteKey,
    check_note,
    cosign_checkpoint,
    read_key,
    read_lines,
    read_note,
    sign_checkpoint,
    write_key,
)
from saferoom.tlog.proof import check_consistency

# The example of C2SP tlog-cosignature; its keys were not published, so only framing is shown.
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501  # a published text

# Notes, key and proof of the test log "monkeys" of transparency-dev/witness.
MONKEYS = "monkeys+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT"
FIVE = """monkeys
5
41smjBUiAU70EtKlT6lIOIYtRTYxYXsDB+XHfcvu/BE=

\u2014 monkeys 202fftzGl3LVoqjXfwCFZZXs8I+5G22+Ek2K0AOyBuSJ/8/CZawNF+6fNlTKOCd622pbzJNkkJFWuw9DbicZCkEx9AY=
"""  # noqa: E501  # as above
EIGHT = """monkeys
8
V8K9aklZ4EPB+RMOk1/8VsJUdFZR77GDtZUQq84vSbo=

\u2014 monkeys 202ffoUEboiQYpHzICeaFmoy3RNviHTpAxYrq/eO4QQVQMvu9UebKBMX2MJC76NLthZaKsnKbCA8GxrjePZhvDCH7Ag=
"""  # noqa: E501  # as above
FIVE_TO_EIGHT = (
    "b9e1d62618f7fee8034e4c5010f727ab24d8e4705cb296c374bf2025a87a10d2",
    "aac66cd7a79ce4012d80762fe8eec3a77f22d1ca4145c3f4cee022e7efcd599d",
    "89d0f753f66a290c483b39cd5e9eafb12021293395fad3d4a2ad053cfbcfdc9e",
    "29e40bb79c966f4c6fe96aff6f30acfce5f3e8d84c02215175d6e018a5dee833",
)
# The witness of the same tests: seed, and public key under either type of signature.
WITNESS_SEED = base64.b64decode("AaLa/dfyBhyo/m0Z7WCi98ENVZWtrP8pxgRNrx7tIWiA")[1:]
WITNESS = "witness+f13a86db+AdYV1Ztajd9BvyjP2HgpwrqYL6TjOwIjGMOq8Bu42xbN"
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"

LOG, SEER = SigningKey(bytes([1]) * 32), SigningKey(WITNESS_SEED)
HEAD = Checkpoint("room.example/log", 42, bytes(range(32)))
KEYS = [NoteKey("room.example/log", LOG.public), NoteKey("witness", SEER.public, COSIGNATURE)]


def note(time: int = 1679315147, head: Checkpoint = HEAD) -> str:
    read = read_note(sign_checkpoint(head, LOG))
    line = cosign_checkpoint(head, "witness", SEER, time)
    return Note(head, (*read.signatures, line)).text()


def test_the_published_example_is_framed_as_published() -> None:
    read = read_note(SOFA)
    assert read.text() == SOFA
    assert read.checkpoint.size == 20852163
    mark = read.signatures[1]
    assert (mark.name, mark.hint.hex()) == ("witness.example.com/w1", "8d66cf3f")
    assert struct.unpack(">Q", mark.signature[:8]) == (1679315147,)
    assert len(mark.signature) == 72


def test_published_notes_and_their_proof_verify() -> None:
    five, eight = (
        check_note(read_note(text), [read_key(MONKEYS)], only_known=True).checkpoint
        for text in (FIVE, EIGHT)
    )
    check_consistency(
        old_size=5,
        new_size=8,
        old_root=five.root,
        new_root=eight.root,
        proof=[bytes.fromhex(step) for step in FIVE_TO_EIGHT],
    )


@pytest.mark.parametrize("text", [MONKEYS, WITNESS, REMORA])
def test_published_keys_read_back(text: str) -> None:
    assert write_key(read_key(text)) == text
    assert read_key(REMORA).kind == COSIGNATURE


def test_the_published_seed_gives_the_published_key() -> None:
    assert read_key(WITNESS).key == SEER.public


def test_what_is_signed_is_the_published_message() -> None:
    line = cosign_checkpoint(HEAD, "witness", SEER, 1679315147)
    message = b"cosignature/v1\ntime 1679315147\n" + HEAD.text().encode()
    SEER.public.check_raw(line.signature[8:], message)


def test_a_cosigned_note_says_who_and_when() -> None:
    signed = check_note(read_note(note()), KEYS, only_known=True)
    assert [key.name for key in signed.signers] == ["room.example/log"]
    assert [(one.key, one.time) for one in signed.cosigned] == [(KEYS[1], 1679315147)]


def test_every_changed_byte_is_refused() -> None:
    data = note().encode()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x01
        with pytest.raises((SaferoomError, UnicodeDecodeError)):
            check_note(read_note(changed.decode()), KEYS, only_known=True)


def test_neither_type_of_signature_passes_for_the_other() -> None:
    plain = NoteKey("witness", SEER.public)
    assert plain.hint != KEYS[1].hint
    text = read_note(sign_checkpoint(HEAD, LOG))
    own = read_note(sign_checkpoint(Checkpoint("witness", 42, HEAD.root), SEER)).signatures[0]
    for signature in (own.signature, bytes(8) + own.signature):
        forged = type(own)("witness", KEYS[1].hint, signature)
        with pytest.raises(Tampered):
            check_note(Note(HEAD, (*text.signatures, forged)), KEYS, only_known=True)


def test_a_time_that_has_no_number_is_refused() -> None:
    with pytest.raises(Tampered):
        check_note(read_note(note(2**53)), KEYS, only_known=True)
    assert check_note(read_note(note(2**53 - 1)), KEYS, only_known=True)


def test_extension_lines_are_read_and_signed() -> None:
    head = Checkpoint(HEAD.origin, 1, HEAD.root, ("epoch 7", "x"))
    assert read_note(note(head=head)).checkpoint == head
    signed = check_note(read_note(note(head=head)), KEYS, only_known=True)
    assert signed.cosigned
    changed = note(head=head).replace("epoch 7", "epoch 8")
    with pytest.raises(Tampered):
        check_note(read_note(changed), KEYS, only_known=True)


def test_signatures_of_other_types_and_lengths_are_passed_over() -> None:
    post_quantum = base64.b64encode(bytes(4 + 8 + 2420)).decode()
    text = note() + f"\u2014 other.example/w {post_quantum}\n"
    assert check_note(read_note(text), KEYS, only_known=False).cosigned
    with pytest.raises(Tampered):
        check_note(read_note(text), KEYS, only_known=True)


@pytest.mark.parametrize("length", [0, 4, 5_005])
def test_a_signature_has_some_bytes_and_not_too_many(length: int) -> None:
    line = f"\u2014 w {base64.b64encode(bytes(length)).decode()}\n"
    with pytest.raises(BadInput):
        read_lines(line)


@pytest.mark.parametrize("text", ["", "\n", "x", "\u2014 w AAAAAAA="])
def test_lines_that_do_not_end_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_lines(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "monkeys",
        MONKEYS.replace("db4d9f7e", "db4d9f7f"),
        MONKEYS.replace("db4d9f7e", "DB4D9F7E"),
        MONKEYS.replace("monkeys", "donkeys"),
        MONKEYS[:-4],
        "monkeys+db4d9f7e+" + base64.b64encode(b"\2" + bytes(32)).decode(),
        "monkeys+db4d9f7e+" + base64.b64encode(b"\1" + bytes(32)).decode(),
    ],
)
def test_keys_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_key(text)
