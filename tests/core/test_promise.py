"""A promise is kept, still open, or proof of misconduct."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from saferoom.core.moment import write_instant
from saferoom.core.promise import Kept, Promise, check_promise
from saferoom.crypto.signing import SigningKey, Statement, sign_statement
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.merkle import leaf_hash
from tests.tlog.small_log import FOREIGN_KEY, LOG_KEY, NEXT_KEY, NOW, ORIGIN, log_key, trust

DEADLINE = NOW + timedelta(seconds=1)
ENTRY = leaf_hash(b"leaf").hex()
PROMISE = sign_statement(
    Promise(origin=ORIGIN, entry=ENTRY, deadline=write_instant(DEADLINE)).to_body(), [LOG_KEY]
)
LOGGED = {ENTRY}


def test_promise_is_kept_early_and_late() -> None:
    for seconds in (0, 1, 100):
        now = NOW + timedelta(seconds=seconds)
        assert check_promise(PROMISE, trust(), logged=LOGGED, now=now) is Kept.KEPT


def test_promise_is_open_until_its_deadline() -> None:
    assert check_promise(PROMISE, trust(), logged=(), now=DEADLINE) is Kept.PENDING


def test_promise_not_kept_is_misconduct() -> None:
    with pytest.raises(Tampered) as caught:
        check_promise(PROMISE, trust(), logged=(), now=DEADLINE + timedelta(seconds=1))
    assert caught.value.code == "PROMISE_BROKEN"


def signed(*keys: SigningKey, origin: str = ORIGIN) -> Statement:
    body = Promise(origin=origin, entry="00" * 32, deadline="2026-11-20T10:51:01Z").to_body()
    return sign_statement(body, keys)


@pytest.mark.parametrize(
    "statement",
    [
        signed(FOREIGN_KEY),
        signed(LOG_KEY, NEXT_KEY),
        signed(),
        signed(LOG_KEY, origin="other.example"),
        replace(PROMISE, body=PROMISE.body | {"entry": "00" * 32}),
    ],
)
def test_promise_of_others_proves_nothing(statement: Statement) -> None:
    with pytest.raises(Tampered) as caught:
        check_promise(statement, trust(), logged=(), now=NOW)
    assert caught.value.code == "CHECKPOINT_UNTRUSTED"


def test_promise_by_a_compromised_key_proves_nothing() -> None:
    with pytest.raises(Tampered):
        check_promise(PROMISE, trust(log_key(compromised=True)), logged=LOGGED, now=NOW)


def test_promise_is_read_strictly() -> None:
    for change in ({"deadline": "soon"}, {"entry": "ab"}, {"kind": "x"}, {"extra": 1}):
        statement = sign_statement(PROMISE.body | change, [LOG_KEY])
        with pytest.raises(BadInput):
            check_promise(statement, trust(), logged=(), now=NOW)
