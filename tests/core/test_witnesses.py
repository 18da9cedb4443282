"""A quorum is so many different organisations, by keys that were sound at the stated time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from saferoom.canonical import Json, canonical_bytes, digest, parse_object
from saferoom.core.moment import write_instant
from saferoom.core.override import Override, check_override
from saferoom.core.receipt import check_receipt
from saferoom.core.trust import Trust
from saferoom.core.witnesses import Witnesses, WitnessKey
from saferoom.crypto.signing import SigningKey, Statement, sign_statement
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.tlog.checkpoint import (
    Note,
    check_note,
    cosign_checkpoint,
    read_note,
    sign_checkpoint,
)
from tests import factories as f
from tests.tlog.small_log import LOG_KEY, NOW, ORIGIN, SmallLog, counting, release, trust

KEYS = {name: SigningKey(bytes([n]) * 32) for n, name in enumerate(("w1", "w2", "w3", "w1b"), 20)}
FROM = "2026-01-01T00:00:00Z"
LOG = SmallLog.make()


def witness(name: str, organisation: str | None = None, **changed: object) -> WitnessKey:
    body: dict[str, object] = {
        "name": f"{name}.example",
        "organisation": organisation or name,
        "key": KEYS[name].public.raw.hex(),
        "valid_from": FROM,
        "valid_until": None,
        "compromised": False,
    }
    return WitnessKey.from_body(body | changed)


TWO_OF_THREE = Witnesses(2, (witness("w1"), witness("w2"), witness("w3")))


def cosigned(at: dict[str, datetime], note: str | None = None) -> str:
    read = read_note(note or LOG.note())
    lines = [
        cosign_checkpoint(read.checkpoint, f"{name}.example", KEYS[name], int(time.timestamp()))
        for name, time in at.items()
    ]
    return Note(read.checkpoint, (*read.signatures, *lines)).text()


def watched(witnesses: Witnesses = TWO_OF_THREE) -> Trust:
    return replace(trust(), witnesses=witnesses)


def seen_by(note: str, witnesses: Witnesses = TWO_OF_THREE) -> tuple[str, ...]:
    held = watched(witnesses)
    found = held.seen(held.check_signatures(read_note(note), only_known=True), NOW)
    return () if found is None else tuple(who for who, _ in found.by)


def test_a_quorum_is_reached_by_different_organisations() -> None:
    note = cosigned({"w1": NOW, "w3": NOW - timedelta(hours=1)})
    assert seen_by(note) == ("w1", "w3")
    assert seen_by(cosigned({"w1": NOW})) == ()
    assert seen_by(LOG.note()) == ()


def test_it_is_as_old_as_its_m_th_newest_member() -> None:
    hours = {"w1": NOW, "w2": NOW - timedelta(hours=3), "w3": NOW - timedelta(hours=9)}
    held = watched()
    found = held.seen(held.check_signatures(read_note(cosigned(hours)), only_known=True))
    assert found is not None
    assert found.at == NOW - timedelta(hours=3)


def test_two_keys_of_one_organisation_count_once() -> None:
    rotating = Witnesses(2, (witness("w1"), witness("w1b", "w1"), witness("w2")))
    assert rotating.organisations == 2
    assert seen_by(cosigned({"w1": NOW, "w1b": NOW}), rotating) == ()
    assert seen_by(cosigned({"w1b": NOW, "w2": NOW}), rotating) == ("w1", "w2")


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True),
        ({"valid_from": write_instant(NOW)}, True),
        ({"valid_from": write_instant(NOW + timedelta(seconds=1))}, False),
        ({"valid_until": write_instant(NOW + timedelta(seconds=1))}, True),
        ({"valid_until": write_instant(NOW)}, False),
        ({"compromised": True}, False),
    ],
)
def test_a_key_counts_in_its_time_unless_it_was_stolen(
    changed: dict[str, object], counts: bool
) -> None:
    witnesses = Witnesses(
        1,
        (
            replace(witness("w1"), **changed),  # type: ignore[arg-type]
        ),
    )
    assert bool(seen_by(cosigned({"w1": NOW}), witnesses)) is counts


def test_a_time_that_lies_ahead_does_not_count() -> None:
    assert seen_by(cosigned({"w1": NOW, "w2": NOW + timedelta(minutes=6)})) == ()
    beyond = {"w1": NOW, "w2": NOW + timedelta(minutes=4)}
    assert seen_by(cosigned(beyond)) == ("w2", "w1")


def test_a_time_beyond_all_calendars_does_not_count() -> None:
    head = read_note(LOG.note())
    line = cosign_checkpoint(head.checkpoint, "w1.example", KEYS["w1"], 2**52)
    note = Note(head.checkpoint, (*head.signatures, line)).text()
    assert seen_by(note, Witnesses(1, (witness("w1"),))) == ()


@pytest.mark.parametrize(
    ("quorum", "keys"),
    [
        (0, (witness("w1"),)),
        (1, ()),
        (3, (witness("w1"), witness("w2"))),
        (2, (witness("w1"), witness("w1b", "w1"))),
        (1, (witness("w1"), replace(witness("w1"), name="other", organisation="other"))),
    ],
)
def test_quorums_that_say_nothing_are_refused(quorum: int, keys: tuple[WitnessKey, ...]) -> None:
    with pytest.raises(BadInput):
        Witnesses(quorum, keys)


def test_no_log_is_its_own_witness() -> None:
    own = replace(witness("w1"), key=LOG_KEY.public.raw.hex())
    with pytest.raises(BadInput):
        watched(Witnesses(1, (own,)))


@pytest.mark.parametrize(
    ("name", "value"), [("witnesses", None), ("quorum", "2"), ("quorum", 4), ("quorum", True)]
)
def test_a_trust_file_with_another_quorum_is_refused(name: str, value: Json) -> None:
    body = parse_object(watched().to_bytes())
    assert Trust.from_bytes(canonical_bytes(body)) == watched()
    with pytest.raises(BadInput):
        Trust.from_bytes(canonical_bytes(body | {name: value}))


# --- receipts ---


def test_a_receipt_needs_the_quorum_and_tells_who() -> None:
    good = LOG.receipt(note=cosigned({"w1": NOW, "w2": NOW}))
    said = "\n".join(check_receipt(good, watched()).links)
    assert "2 of 3 witnesses needed: w1 at 2026-11-20T10:51:00Z, w2" in said
    for few in (LOG.receipt(), LOG.receipt(note=cosigned({"w1": NOW}))):
        with pytest.raises(Tampered) as caught:
            check_receipt(few, watched())
        assert caught.value.code == "CHECKPOINT_UNWITNESSED"


def test_a_kept_checkpoint_with_a_quorum_serves_too_if_it_covers_the_entry() -> None:
    kept = cosigned({"w2": NOW, "w3": NOW})
    receipt = LOG.receipt(size=4)
    assert check_receipt(receipt, watched(), kept, LOG.consistency(4, 5))
    early = cosigned({"w2": NOW, "w3": NOW}, LOG.note(2))
    with pytest.raises(Tampered):
        check_receipt(receipt, watched(), early, LOG.consistency(2, 4))


def test_a_cosignature_by_a_stranger_is_refused_in_a_receipt() -> None:
    held = watched(Witnesses(1, (witness("w1"),)))
    with pytest.raises(Tampered):
        check_receipt(LOG.receipt(note=cosigned({"w1": NOW, "w2": NOW})), held)


# --- override ---

OPERATORS = ("zhao", "qian")


def override(*signers: str, **changed: object) -> Statement:
    body: dict[str, object] = {
        "kind": Override.KIND,
        "origin": ORIGIN,
        "reason": "two witnesses lost their disks",
        "valid_from": "2026-11-20T10:00:00Z",
        "valid_until": "2026-11-21T10:00:00Z",
        "nonce": "00" * 16,
    }
    made = Override.from_body(body | changed)
    return sign_statement(made.to_body(), [f.signing_key(name) for name in signers or OPERATORS])


def overridden(named: str | None, statement: Statement | None, note: str | None = None) -> bytes:
    log = SmallLog([*LOG.entries[:4], release(counting(), override=named)])
    receipt = parse_object(log.receipt(4, note=note))
    receipt["override"] = None if statement is None else statement.to_json()
    return canonical_bytes(receipt)


HELD = replace(watched(), operators=tuple(f.genesis()))


def test_a_receipt_under_an_override_names_it() -> None:
    paper = override()
    said = "\n".join(check_receipt(overridden(paper.digest, paper), HELD).links)
    assert "NOT witnessed: 2 of 3 witnesses were needed" in said
    assert "until 2026-11-21T10:00:00Z: two witnesses lost their disks" in said


def test_it_is_named_also_once_the_witnesses_are_back() -> None:
    paper = override()
    log = SmallLog([*LOG.entries[:4], release(counting(), override=paper.digest)])
    note = cosigned({"w1": NOW, "w2": NOW}, log.note())
    said = "\n".join(check_receipt(overridden(paper.digest, paper, note), HELD).links)
    assert "cosigned by 2" in said
    assert "two witnesses lost their disks" in said


@pytest.mark.parametrize(
    ("named", "paper"),
    [
        (override().digest, None),
        (None, override()),
        (digest("another"), override()),
        (override("zhao").digest, override("zhao")),
        (override("zhao", "sun").digest, override("zhao", "sun")),
        (override(origin="another").digest, override(origin="another")),
    ],
)
def test_an_override_that_does_not_fit_is_refused(
    named: str | None, paper: Statement | None
) -> None:
    with pytest.raises(Tampered) as caught:
        check_receipt(overridden(named, paper), HELD)
    assert caught.value.code == "RECEIPT_INVALID"


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("2026-11-20T08:00:00Z", "2026-11-20T10:00:00Z"),
        ("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"),
    ],
)
def test_an_override_of_another_hour_is_refused(begins: str, ends: str) -> None:
    paper = override(valid_from=begins, valid_until=ends)
    with pytest.raises(Tampered):
        check_receipt(overridden(paper.digest, paper), HELD)


def test_an_override_ends_within_three_days() -> None:
    longest = override(valid_until="2026-11-23T10:00:00Z")
    keys = [f.signing_key(name).public for name in OPERATORS]
    held = check_override(longest, keys, ORIGIN)
    assert held.in_force(NOW)
    assert not held.in_force(datetime(2026, 11, 23, 10, tzinfo=UTC))
    for ends in ("2026-11-23T10:00:01Z", "2026-11-20T10:00:00Z"):
        with pytest.raises(BadInput):
            override(valid_until=ends)
    with pytest.raises(Refusal):
        check_override(longest, keys[:1], ORIGIN)


def test_the_log_is_still_the_one_that_signs() -> None:
    head = read_note(cosigned({"w1": NOW, "w2": NOW}))
    alone = Note(head.checkpoint, head.signatures[1:])
    with pytest.raises(Tampered):
        check_note(alone, [one.note_key for one in TWO_OF_THREE.keys], only_known=False)


def test_this_log_writes_no_extension_lines() -> None:
    head = replace(read_note(LOG.note()).checkpoint, extensions=("unauditable",))
    with pytest.raises(Tampered) as caught:
        trust().check_signatures(read_note(sign_checkpoint(head, LOG_KEY)), only_known=True)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"
