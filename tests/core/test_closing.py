"""A log is closed by all founders, over what is left and what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from saferoom.core.closing import MOST, Closing, check_closing, confirmed
from saferoom.core.moment import SKEW, write_instant
from saferoom.core.trust import LogKey, Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from saferoom.tlog.checkpoint import Checkpoint
from tests import factories as f

CLOSING = f.closing()
KEYS = [f.signing_key(name).public for name in f.GENESIS]


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def trust(*closed: Statement, origin: str = CLOSING.successor) -> Trust:
    key = LogKey(
        algorithm="ed25519",
        key=f.signing_key("log").public.raw.hex(),
        valid_from="2020-01-01T00:00:00Z",
        valid_until=None,
        compromised=False,
    )
    operators = tuple(f.genesis())
    return Trust(origin=origin, log_keys=(key,), operators=operators, closed=closed)


def signed(closing: Closing, *names: str) -> Statement:
    return f.sign(closing, *(names or f.GENESIS))


def test_both_founders_close_a_log() -> None:
    assert check_closing(signed(CLOSING), KEYS) == CLOSING
    assert CLOSING.lost == 4


@pytest.mark.parametrize("names", [("zhao",), ("qian",), ("zhao", "sun"), ("zhao", "qian", "sun")])
def test_nobody_else_does(names: tuple[str, ...]) -> None:
    assert refused(lambda: check_closing(signed(CLOSING, *names), KEYS)) == "APPROVAL_MISSING"


def test_a_single_founder_closes_nothing() -> None:
    one = signed(CLOSING, "zhao")
    assert refused(lambda: check_closing(one, KEYS[:1])) == "APPROVAL_MISSING"


def test_a_changed_closing_is_not_what_was_signed() -> None:
    other = f.closing(root="11" * 32)
    forged = Statement(other.to_body(), signed(CLOSING).signatures)
    assert refused(lambda: check_closing(forged, KEYS)) == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"successor": CLOSING.origin},
        {"placed": CLOSING.size + 1},
        {"placed": -1},
        {"seen_size": CLOSING.placed},
        {"reason": ""},
        {"reason": "two\nlines"},
        {"root": "00"},
        {"closed_at": "today"},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    assert refused(lambda: f.closing(**change)) == "FIELD_INVALID"


@pytest.mark.parametrize(
    ("after", "holds"),
    [
        (timedelta(days=-1), False),
        (timedelta(), False),
        (SKEW, False),  # clocks may differ by so much
        (SKEW + timedelta(seconds=1), True),
    ],
)
def test_only_what_was_signed_since_is_confirmed(after: timedelta, holds: bool) -> None:  # a table
    assert confirmed(write_instant(f.NOW + after), [CLOSING]) is holds
    assert confirmed(write_instant(f.NOW + after), [])


def test_the_trust_file_names_both_logs() -> None:
    made = trust(signed(CLOSING))
    assert Trust.from_bytes(made.to_bytes()) == made
    assert made.closings == (CLOSING,)
    assert made.of(CLOSING.origin).ended == CLOSING
    assert made.of(CLOSING.successor) is made
    assert made.of("room.test/stranger") is made
    assert b'"closed"' not in trust().to_bytes()  # older files stay as they are


def test_closings_lead_from_log_to_log() -> None:
    second = f.closing(origin="room.test/log-2", successor="room.test/log-3")
    chain = (signed(CLOSING), signed(second))
    assert trust(*chain, origin="room.test/log-3").of("room.test/log").ended == CLOSING
    back = f.closing(origin="room.test/log-2", successor="room.test/log")
    for closed, origin in (
        (chain, "room.test/log-2"),
        (chain[::-1], "room.test/log-3"),
        (chain[1:], "room.test/log-2"),
        ((chain[0], signed(back)), "room.test/log"),
        (chain[:1] * (MOST + 1), "room.test/log-2"),
    ):
        assert refused(lambda: trust(*closed, origin=origin)) == "FIELD_INVALID"  # noqa: B023  # at once


def test_a_closing_by_one_makes_no_trust_file() -> None:
    assert refused(lambda: trust(signed(CLOSING, "zhao"))) == "APPROVAL_MISSING"


def test_of_a_closed_log_only_what_was_seen_is_believed() -> None:
    seen = Checkpoint(CLOSING.origin, CLOSING.seen_size, bytes.fromhex(CLOSING.seen_root))
    CLOSING.check_within(seen)
    CLOSING.check_within(replace(seen, size=3, root=bytes(32)))
    for other in (replace(seen, size=seen.size + 1), replace(seen, root=bytes(32))):
        assert refused(lambda: CLOSING.check_within(other)) == "CHECKPOINT_UNTRUSTED"  # noqa: B023  # at once
