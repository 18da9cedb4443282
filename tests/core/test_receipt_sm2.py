"""A trust file that names an SM2 key of the log asks for its signature, and for no less."""

from __future__ import annotations

import base64

import pytest

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import LogKey, Trust
from saferoom.crypto.sm2 import SEED_BYTES, Sm2SigningKey
from saferoom.errors import Tampered
from saferoom.tlog.checkpoint import NoteKey, check_note, read_note
from tests.tlog.small_log import (
    FOREIGN_KEY,
    LOG_KEY,
    NEXT_KEY,
    ORIGIN,
    SM2_KEY,
    SmallLog,
    log_key,
    sm2_key,
    trust,
)

LOG = SmallLog.make()
NOTE = LOG.note(None, LOG_KEY, SM2_KEY)
BOTH = trust(log_key(), sm2_key())
EVE = Sm2SigningKey.from_seed(bytes([9]) * SEED_BYTES)


def refused(believed: Trust, *keys: object, kept: str | None = None) -> str:
    note = LOG.note(None, *keys)  # type: ignore[arg-type]  # signing keys of either kind
    with pytest.raises(Tampered) as caught:
        check_receipt(LOG.receipt(note=note), believed, kept)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"
    return str(caught.value)


def test_a_receipt_with_both_signatures_says_so_in_words() -> None:
    shown = check_receipt(LOG.receipt(note=NOTE), BOTH)
    assert shown.keys == (LOG_KEY.public.id, SM2_KEY.public.id)
    assert "SM2" in "\n".join(shown.links)
    assert "SM2" not in "\n".join(check_receipt(LOG.receipt(), trust()).links)


def test_a_trust_file_with_both_reads_back_and_finds_statements_keys_alone() -> None:
    assert Trust.from_bytes(BOTH.to_bytes()) == BOTH
    assert BOTH.statement_keys == (log_key(),)
    assert BOTH.key_of(SM2_KEY.public.id) is None


def test_what_the_trust_file_asks_for_and_the_receipt_lacks_is_refused() -> None:
    assert "SM2" in refused(BOTH, LOG_KEY)
    assert "SM2" in refused(BOTH, SM2_KEY)
    refused(BOTH, LOG_KEY, EVE)
    refused(trust(), LOG_KEY, SM2_KEY)  # no byte of a receipt stands unchecked


@pytest.mark.parametrize(
    "changed", [{"compromised": True}, {"valid_until": "2026-11-20T10:00:00Z"}]
)
def test_an_sm2_key_vouches_in_its_time_and_while_it_is_sound(changed: dict[str, object]) -> None:
    for own, other in ((log_key(), sm2_key()), (sm2_key(), log_key())):
        ended = LogKey.from_body(other.to_body() | changed)
        refused(trust(own, ended), LOG_KEY, SM2_KEY)


def test_one_sound_key_of_each_algorithm_is_enough() -> None:
    turned = trust(log_key(), log_key(NEXT_KEY), sm2_key(), sm2_key(EVE, compromised=True))
    assert check_receipt(LOG.receipt(note=NOTE), turned).keys == (
        LOG_KEY.public.id,
        SM2_KEY.public.id,
    )


def test_the_checkpoint_that_was_kept_is_asked_too() -> None:
    plain, both = LOG.note(None, LOG_KEY), LOG.note(None, LOG_KEY, SM2_KEY)
    data = LOG.receipt(note=both)
    assert check_receipt(data, BOTH, both)
    with pytest.raises(Tampered, match="CHECKPOINT_UNTRUSTED"):
        check_receipt(data, BOTH, plain)


def test_an_older_receipt_rests_on_a_kept_checkpoint_with_both() -> None:
    data = LOG.receipt(size=4, note=LOG.note(4, LOG_KEY))
    with pytest.raises(Tampered, match="CHECKPOINT_UNTRUSTED"):
        check_receipt(data, BOTH)
    assert check_receipt(data, BOTH, NOTE, LOG.consistency(4, 5))


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_every_changed_byte_of_the_line_is_noticed(mask: int) -> None:
    body = parse_object(LOG.receipt(note=NOTE))
    start = len(NOTE) - len(NOTE.splitlines(keepends=True)[-1])
    for place in range(start, len(NOTE)):
        other = NOTE[:place] + chr(ord(NOTE[place]) ^ mask) + NOTE[place + 1 :]
        changed = canonical_bytes({**body, "checkpoint": other})
        with pytest.raises(Tampered):
            check_receipt(changed, BOTH)


def test_every_changed_bit_of_the_signature_is_noticed() -> None:
    head, line = NOTE.rsplit(" ", 1)
    data = base64.b64decode(line)
    assert len(data) == 4 + 64
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        note = read_note(f"{head} {base64.b64encode(changed).decode()}\n")
        with pytest.raises(Tampered):
            BOTH.check_signatures(note, only_known=True)


def test_an_sm2_line_passes_for_nothing_else_and_strangers_ignore_it() -> None:
    note = read_note(NOTE)
    hints = {NoteKey(ORIGIN, SM2_KEY.public, kind).hint for kind in (0x01, 0x04, 0xFF)}
    assert len(hints) == 3
    assert note.signatures[1].hint == NoteKey.of_log(ORIGIN, SM2_KEY.public).hint
    ed25519 = [NoteKey(ORIGIN, LOG_KEY.public)]
    assert check_note(note, ed25519, only_known=False).signers == tuple(ed25519)
    with pytest.raises(Tampered):
        check_note(note, [NoteKey(ORIGIN, FOREIGN_KEY.public)], only_known=False)
