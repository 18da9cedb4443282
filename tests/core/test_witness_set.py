"""Two founders change who watches; old receipts keep their judges, and nobody alone gains one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.moment import write_instant
from saferoom.core.trust import Trust
from saferoom.core.witnesses import Witnesses, WitnessKey, WitnessSet
from saferoom.crypto.signing import SigningKey, Statement
from saferoom.errors import BadInput, Refusal, SaferoomError, Tampered
from saferoom.monitor.trusted import read_trusted
from saferoom.tlog.checkpoint import read_note
from tests import factories as f
from tests.core.test_witnesses import KEYS, cosigned, witness
from tests.tlog.small_log import NOW, ORIGIN, trust

KEYS["w4"] = SigningKey(bytes([40]) * 32)
HOUR = timedelta(hours=1)
BEGINS = write_instant(NOW)
OLD = (witness("w1"), witness("w2"), witness("w3"))
FIRST = replace(trust(), witnesses=Witnesses(2, OLD), operators=tuple(f.genesis()))


def ended(key: WitnessKey, **changed: object) -> WitnessKey:
    return replace(key, **{"valid_until": BEGINS, **changed})  # type: ignore[arg-type]


def fresh(name: str, organisation: str | None = None, **changed: object) -> WitnessKey:
    return witness(name, organisation, **{"valid_from": BEGINS, **changed})


def paper(
    *keys: WitnessKey, quorum: int = 2, by: tuple[str, ...] = ("zhao", "qian"), **changed: object
) -> Statement:
    fixed: dict[str, object] = {
        "origin": ORIGIN,
        "previous": None,
        "reason": "the university moves",
        "valid_from": BEGINS,
        "quorum": quorum,
        "witnesses": keys,
        "nonce": f.nonce("set"),
    }
    return f.sign(WitnessSet(**{**fixed, **changed}), *by)  # type: ignore[arg-type]


ADDED = FIRST.changed(paper(*OLD, fresh("w4"), quorum=3))
REMOVED = FIRST.changed(paper(ended(OLD[0]), *OLD[1:]))
ROTATED = FIRST.changed(paper(ended(OLD[0]), fresh("w1b", "w1"), *OLD[1:]))


def seen(held: Trust, at: dict[str, datetime]) -> tuple[str, ...]:
    """Ask the room's rules and the monitor's; they must agree."""
    text = cosigned(at)
    found = held.seen(held.check_signatures(read_note(text), only_known=True), NOW + 9 * HOUR)
    outside = read_trusted(held.to_bytes())
    time = outside.quorum_time(outside.check_note(text), (NOW + 9 * HOUR).timestamp())
    assert (time is None) == (found is None)
    return () if found is None else tuple(sorted(who for who, _ in found.by))


def test_an_added_witness_and_the_new_quorum_count_from_then_on() -> None:
    later = dict.fromkeys(("w1", "w2", "w4"), NOW + HOUR)
    assert seen(ADDED, later) == ("w1", "w2", "w4")
    assert seen(ADDED, dict.fromkeys(("w1", "w2"), NOW + HOUR)) == ()
    assert seen(ADDED, {"w1": NOW + HOUR, "w2": NOW + HOUR, "w4": NOW - HOUR}) == ()


def test_old_receipts_keep_the_quorum_of_their_time() -> None:
    before = dict.fromkeys(("w1", "w2"), NOW - HOUR)
    for held in (FIRST, ADDED, REMOVED, ROTATED):
        assert seen(held, before) == ("w1", "w2")


def test_two_times_make_no_quorum_together() -> None:
    assert seen(ADDED, {"w1": NOW - HOUR, "w2": NOW + HOUR}) == ()


def test_a_removed_witness_counts_no_more() -> None:
    assert seen(REMOVED, dict.fromkeys(("w1", "w2"), NOW + HOUR)) == ()
    assert seen(REMOVED, dict.fromkeys(("w2", "w3"), NOW + HOUR)) == ("w2", "w3")
    assert REMOVED.watchers.organisations == 2


def test_a_rotated_key_takes_over_and_its_organisation_counts_once() -> None:
    assert seen(ROTATED, dict.fromkeys(("w1", "w2"), NOW + HOUR)) == ()
    assert seen(ROTATED, dict.fromkeys(("w1b", "w2"), NOW + HOUR)) == ("w1", "w2")
    assert seen(ROTATED, dict.fromkeys(("w1b", "w1"), NOW + HOUR)) == ()


def test_a_stolen_key_vouches_for_no_past_either() -> None:
    stolen = FIRST.changed(paper(ended(OLD[0], compromised=True), *OLD[1:]))
    assert seen(stolen, dict.fromkeys(("w1", "w2"), NOW - HOUR)) == ()
    assert seen(stolen, dict.fromkeys(("w2", "w3"), NOW - HOUR)) == ("w2", "w3")


def test_the_file_is_read_as_written_and_its_first_bytes_stay() -> None:
    assert Trust.from_bytes(ADDED.to_bytes()) == ADDED
    assert b"changes" not in FIRST.to_bytes()
    assert ADDED.follows(FIRST)
    assert ADDED.follows(ADDED)
    assert not FIRST.follows(ADDED)
    assert not REMOVED.follows(ADDED)
    body = parse_object(FIRST.to_bytes())
    wrong: tuple[Json, ...] = ([], {}, None)
    for bad in wrong:
        with pytest.raises(BadInput):
            Trust.from_bytes(canonical_bytes({**body, "changes": bad}))


def test_a_second_change_names_the_first() -> None:
    later = write_instant(NOW + HOUR)
    digest = ADDED.changes[0].digest
    keys = ADDED.watchers.keys
    both = ADDED.changed(paper(*keys, previous=digest, valid_from=later))
    assert both.follows(FIRST)
    assert seen(both, dict.fromkeys(("w1", "w2"), NOW + 2 * HOUR)) == ("w1", "w2")
    assert seen(both, dict.fromkeys(("w1", "w2"), NOW)) == ()  # three were asked for then
    for bad in ({"previous": None, "valid_from": later}, {"previous": digest}):
        with pytest.raises(Refusal, match="WITNESSES_UNFIT"):
            ADDED.changed(paper(*keys, **bad))


EARLY = write_instant(NOW - HOUR)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda: paper(*OLD, fresh("w4"), by=("zhao",)), "APPROVAL_MISSING"),
        (lambda: paper(*OLD, fresh("w4"), by=("zhao", "sun")), "APPROVAL_MISSING"),
        (lambda: paper(*OLD, fresh("w4"), origin="another"), "SIGNATURE_INVALID"),
        (lambda: paper(*OLD[1:]), "WITNESSES_UNFIT"),  # a key left the list
        (lambda: paper(ended(OLD[0], valid_until=EARLY), *OLD[1:]), "WITNESSES_UNFIT"),
        (lambda: paper(replace(OLD[0], organisation="w9"), *OLD[1:]), "WITNESSES_UNFIT"),
        (lambda: paper(*OLD, fresh("w4", valid_from=EARLY)), "WITNESSES_UNFIT"),
        (lambda: paper(*OLD, fresh("w4", compromised=True)), "WITNESSES_UNFIT"),
        (lambda: paper(*(ended(key) for key in OLD[:2]), OLD[2]), "WITNESSES_UNFIT"),
        (lambda: paper(*OLD, previous="00" * 32), "WITNESSES_UNFIT"),
        (lambda: paper(*OLD, quorum=0), "FIELD_INVALID"),
        (lambda: paper(*OLD, quorum=4), "FIELD_INVALID"),
        (lambda: paper(*OLD, reason="two\nlines"), "FIELD_INVALID"),
    ],
)
def test_what_the_founders_may_not_or_did_not_sign_is_refused(
    made: Callable[[], Statement], code: str
) -> None:
    with pytest.raises(SaferoomError, match=code):
        FIRST.changed(made())


def test_the_monitor_takes_no_ones_word_alone() -> None:
    body = parse_object(ADDED.to_bytes())
    for forged in (paper(*OLD, fresh("w4"), by=("zhao",)), paper(*OLD, origin="another")):
        with pytest.raises(SaferoomError):
            read_trusted(canonical_bytes({**body, "changes": [forged.to_json()]}))


def test_a_room_without_witnesses_gets_none_later() -> None:
    """Else its old receipts could be told to have needed none."""
    bare = replace(FIRST, witnesses=Witnesses())
    with pytest.raises(Refusal, match="WITNESSES_UNFIT"):
        bare.changed(paper(fresh("w4"), quorum=1))


def test_a_stolen_key_is_never_sound_again() -> None:
    stolen = FIRST.changed(paper(ended(OLD[0], compromised=True), *OLD[1:]))
    later = write_instant(NOW + HOUR)
    again = paper(ended(OLD[0]), *OLD[1:], previous=stolen.changes[0].digest, valid_from=later)
    with pytest.raises(Refusal, match="WITNESSES_UNFIT"):
        stolen.changed(again)


def test_an_older_trust_file_says_that_there_is_a_newer_one() -> None:
    note = read_note(cosigned(dict.fromkeys(("w1", "w2", "w4"), NOW + HOUR)))
    with pytest.raises(Tampered) as caught:
        FIRST.check_signatures(note, only_known=True)
    assert caught.value.code == "TRUST_OLDER"
    assert "saferoom witness take" in caught.value.remedy
    with pytest.raises(Tampered, match="CHECKPOINT_UNTRUSTED"):
        replace(FIRST, witnesses=Witnesses()).check_signatures(note, only_known=True)
