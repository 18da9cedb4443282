"""Every byte of a receipt is held by something, and nothing else makes it valid."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core import receipt as receipts
from saferoom.core.receipt import build_receipt, check_own_checkpoint, check_receipt
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import Checkpoint, NoteKey, sign_checkpoint
from saferoom.tlog.merkle import MemoryReader, inclusion_proof, leaf_hash
from tests.tlog.small_log import (
    ANSWER,
    ENTERPRISES,
    FOREIGN_KEY,
    LOG_KEY,
    NEXT_KEY,
    ORIGIN,
    SmallLog,
    log_key,
    trust,
)

LOG = SmallLog.make()
RECEIPT = LOG.receipt()


def test_receipt_shows_what_was_logged() -> None:
    shown = check_receipt(RECEIPT, trust())
    assert (shown.kind, shown.hour, shown.index, shown.size) == ("release", "2026-11-20T10Z", 2, 5)
    assert shown.opened["enterprise"] == ENTERPRISES[1]
    assert shown.opened["charge_mbit"] == 4000
    assert shown.opened["approvers"] == ["operator-a", "operator-b"]
    assert set(shown.artefacts) == {"version", "views", "snapshot", "policy_set"}
    assert shown.shredded == ()
    assert shown.answer == ANSWER
    assert shown.entry == leaf_hash(LOG.leaves[2]).hex()
    assert shown.keys == (LOG_KEY.public.id,)
    said = "\n".join(shown.links)
    for word in ("signed by a trusted log key", "entry 2", "record 1", "enterprise:", "sealed"):
        assert word in said
    assert ENTERPRISES[1] not in said


@pytest.mark.parametrize("mask", [0x01, 0x02, 0x20, 0x80])
def test_every_changed_byte_is_tampering(mask: int) -> None:
    believed = trust()
    for at in range(len(RECEIPT)):
        changed = bytearray(RECEIPT)
        changed[at] ^= mask
        with pytest.raises(Tampered):
            check_receipt(bytes(changed), believed)


@settings(max_examples=200)
@given(
    st.integers(0, len(RECEIPT) - 1), st.integers(1, 255), st.sampled_from(["cut", "add", "xor"])
)
def test_any_other_bytes_are_tampering(at: int, value: int, how: str) -> None:
    other = {
        "cut": RECEIPT[:at] + RECEIPT[at + 1 :],
        "add": RECEIPT[:at] + bytes([value]) + RECEIPT[at:],
        "xor": RECEIPT[:at] + bytes([RECEIPT[at] ^ value]) + RECEIPT[at + 1 :],
    }[how]
    if other != RECEIPT:
        with pytest.raises(Tampered):
            check_receipt(other, trust())


@pytest.mark.parametrize("index", range(5))
def test_every_entry_has_a_receipt_at_every_size(index: int) -> None:
    for size in range(index + 1, 6):
        row = 0 if index == 2 else None
        shown = check_receipt(LOG.receipt(index, size, row=row), trust())
        assert (shown.index, shown.size) == (index, size)


def test_shredded_fields_still_prove_and_are_told_apart() -> None:
    shown = check_receipt(LOG.receipt(shred=("enterprise", "caller", "grant")), trust())
    assert shown.shredded == ("caller", "enterprise", "grant")
    assert "enterprise" not in shown.opened
    assert shown.opened["charge_mbit"] == 4000


def test_receipt_may_stand_without_its_record() -> None:
    shown = check_receipt(LOG.receipt(row=None), trust())
    assert "enterprise" not in shown.opened
    assert shown.answer is None


# --- made up by someone who knows the format ---


def forged(**changed: object) -> bytes:
    """Re-write a receipt canonically with other fields; dotted names reach inside."""
    body: dict[str, Any] = parse_object(RECEIPT)  # tests reach into JSON
    for path, value in changed.items():
        *parents, last = path.split("__")
        place = body
        for name in parents:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return canonical_bytes(body)


BODY: dict[str, Any] = parse_object(RECEIPT)
OTHER: dict[str, Any] = parse_object(LOG.receipt(row=2))


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "saferoom/receipt/2"},
        {"note": "unknown field"},
        {"answer": ...},
        {"answer": None, "openings__record__answer": ..., "shredded__record": []},
        {"answer": ""},
        {"answer": "0"},
        {"answer": "AB"},
        {"answer": 5},
        {"checkpoint": 5},
        {"checkpoint": "x"},
        {"leaf_index": 3},
        {"leaf_index": -1},
        {"leaf_index": True},
        {"leaf_index": "2"},
        {"leaf_proof": BODY["leaf_proof"][:-1]},
        {"leaf_proof": {}},
        {"leaf_proof": ["00" * 32] * 65},
        {"leaf_proof": [BODY["leaf_proof"][0].upper(), *BODY["leaf_proof"][1:]]},
        {"leaf__time": "2026-11-20T11Z"},
        {"leaf__kind": "token_issued"},
        {"leaf__extra": 1},
        {"record": OTHER["record"]},
        {"record_index": 0},
        {"record_index": None},
        {"record_proof": OTHER["record_proof"]},
        {"record": None},
        {"record": None, "record_index": None},
        {"record": None, "record_index": None, "record_proof": []},
        {"openings": {}},
        {"openings__leaf": []},
        {"openings__record": OTHER["openings"]["record"]},
        {"openings__leaf__bank": ...},
        {"openings__leaf__bank": "bank-a"},
        {"openings__leaf__bank__value": "bank-b"},
        {"openings__leaf__bank__nonce": "00" * 31},
        {"openings__leaf__bank__salt": 1},
        {"openings__leaf__uscc": {"nonce": "00" * 32, "value": 1}},
        {"openings__record__charge_mbit__value": 0},
        {"shredded": {"leaf": []}},
        {"shredded__leaf": ["bank"]},
        {"shredded__leaf": {}},
        {"shredded__record": ["answer"]},
        {"answer": hashlib.sha256(b"another grade").hexdigest()},
    ],
)
def test_forgery_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        check_receipt(forged(**changed), trust())


def test_answer_needs_its_opened_digest() -> None:
    with pytest.raises(Tampered) as caught:
        check_receipt(LOG.receipt(shred=("answer",)), trust())
    assert caught.value.code == "RECEIPT_INVALID"


def test_fields_are_shredded_in_order() -> None:
    body: dict[str, Any] = parse_object(LOG.receipt(shred=("caller", "bank")))
    body["shredded"]["leaf"].reverse()
    with pytest.raises(Tampered):
        check_receipt(canonical_bytes(body), trust())


def test_entry_without_records_takes_no_record() -> None:
    body: dict[str, Any] = parse_object(LOG.receipt(0, row=None))
    body |= {"record": {"commitments": {}, "v": 1}, "record_index": 0}
    with pytest.raises(Tampered) as caught:
        check_receipt(canonical_bytes(body), trust())
    assert caught.value.code == "RECEIPT_INVALID"


def test_too_large_a_receipt_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "LARGEST_RECEIPT", 100)
    with pytest.raises(Tampered):
        check_receipt(RECEIPT, trust())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(Tampered) as caught:
        check_receipt(data, trust())
    assert caught.value.code == "RECEIPT_INVALID"


# --- keys ---


def test_checkpoint_of_another_key_is_refused() -> None:
    for receipt, kept in (
        (LOG.receipt(note=LOG.note(5, FOREIGN_KEY)), None),
        (RECEIPT, LOG.note(5, FOREIGN_KEY)),
        (LOG.receipt(note=LOG.note(5, LOG_KEY, FOREIGN_KEY)), None),
    ):
        with pytest.raises(Tampered) as caught:
            check_receipt(receipt, trust(), kept)
        assert caught.value.code == "CHECKPOINT_UNTRUSTED"


def test_another_log_under_the_same_key_is_refused() -> None:
    note = LOG.note()
    other = sign_checkpoint(Checkpoint("other.example/log", 5, bytes(32)), LOG_KEY)
    mixed = other.split("\n\n")[0] + "\n\n" + note.split("\n\n")[1]
    for kept in (other, mixed):
        with pytest.raises(Tampered):
            check_receipt(RECEIPT, trust(), kept)
    spoken = Checkpoint("other.example/log", 5, bytes(32)).text()
    hint_and_signature = sign_as(spoken)
    with pytest.raises(Tampered) as caught:
        check_receipt(RECEIPT, trust(), hint_and_signature)
    assert "another log" in str(caught.value)


def sign_as(spoken: str) -> str:
    """Sign another origin's checkpoint under our own log's name."""
    mark = NoteKey(ORIGIN, LOG_KEY.public).hint + LOG_KEY.sign_raw(spoken.encode())
    return f"{spoken}\n\u2014 {ORIGIN} {base64.b64encode(mark).decode()}\n"


def test_rotated_keys_both_count() -> None:
    believed = trust(log_key(LOG_KEY, valid_until="2026-12-01T00:00:00Z"), log_key(NEXT_KEY))
    assert check_receipt(RECEIPT, believed).keys == (LOG_KEY.public.id,)
    fresh = LOG.receipt(note=LOG.note(5, NEXT_KEY))
    assert check_receipt(fresh, believed).keys == (NEXT_KEY.public.id,)
    assert check_receipt(RECEIPT, believed, LOG.note(5, NEXT_KEY)).keys == (NEXT_KEY.public.id,)


@pytest.mark.parametrize(
    "changed", [{"compromised": True}, {"valid_until": "2026-11-20T10:00:00Z"}]
)
def test_compromised_or_retired_key_vouches_for_nothing(changed: dict[str, object]) -> None:
    believed = trust(log_key(LOG_KEY, **changed))
    with pytest.raises(Tampered) as caught:
        check_receipt(RECEIPT, believed)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"


def test_later_checkpoint_of_a_sound_key_saves_a_receipt() -> None:
    believed = trust(log_key(LOG_KEY, compromised=True), log_key(NEXT_KEY))
    early = LOG.receipt(size=3)
    later = LOG.note(5, NEXT_KEY)
    assert check_receipt(early, believed, later, LOG.consistency(3, 5)).size == 5
    with pytest.raises(Tampered):  # an earlier one says nothing of what came after it
        check_receipt(RECEIPT, believed, LOG.note(3, NEXT_KEY), LOG.consistency(3, 5))


# --- kept checkpoints ---


@pytest.mark.parametrize("kept", range(6))
@pytest.mark.parametrize("own", [3, 4, 5])
def test_any_kept_checkpoint_of_the_log_will_do(own: int, kept: int) -> None:
    proof = LOG.consistency(*sorted((own, kept)))
    shown = check_receipt(LOG.receipt(size=own), trust(), LOG.note(kept), proof)
    assert shown.size == kept
    assert any("only appended" in link for link in shown.links) == (own != kept)


def test_later_checkpoint_needs_a_proof_that_holds() -> None:
    early = LOG.receipt(size=3)
    wrong = [bytes(32), *LOG.consistency(3, 5)[1:]]
    for proof in (None, [], wrong):
        with pytest.raises(Tampered) as caught:
            check_receipt(early, trust(), LOG.note(5), proof)
        assert caught.value.code == "CONSISTENCY"


def test_fork_of_the_same_size_is_refused() -> None:
    fork = SmallLog.make()
    fork.entries[4] = SmallLog.make(6).entries[5]
    with pytest.raises(Tampered) as caught:
        check_receipt(RECEIPT, trust(), fork.note(), [])
    assert caught.value.code == "CONSISTENCY"


def test_malformed_kept_checkpoint_is_bad_input() -> None:
    with pytest.raises(BadInput):
        check_receipt(RECEIPT, trust(), "nonsense")


def test_own_checkpoint_is_told_only_when_signed() -> None:
    assert check_own_checkpoint(RECEIPT, trust()).size == 5
    with pytest.raises(Tampered):
        check_own_checkpoint(RECEIPT, trust(log_key(FOREIGN_KEY)))


def test_receipt_without_openings_lists_all_as_shredded() -> None:
    entry = LOG.entries[0]
    data = build_receipt(
        checkpoint=LOG.note(),
        leaf=entry.leaf,
        leaf_index=0,
        leaf_proof=inclusion_proof(MemoryReader(LOG.leaves), 0, 5),
        openings={},
    )
    assert check_receipt(data, trust()).shredded == ("holder",)
