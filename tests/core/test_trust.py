"""The trust file is read strictly, and says what each key may vouch for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saferoom.canonical import canonical_bytes, digest_bytes, parse_object
from saferoom.core.trust import Trust
from saferoom.crypto.signing import sign_statement
from saferoom.errors import BadInput
from tests.factories import vault_keys
from tests.tlog.small_log import (
    FOREIGN_KEY,
    LOG_KEY,
    NEXT_KEY,
    NOW,
    ORIGIN,
    log_key,
    sm2_key,
    trust,
)


def test_trust_file_reads_back() -> None:
    held = Trust(
        origin=ORIGIN,
        log_keys=(log_key(LOG_KEY, valid_until="2027-01-01T00:00:00Z"), log_key(NEXT_KEY)),
        operators=(sign_statement({"kind": "saferoom/enrolment/1"}, [LOG_KEY]),),
        vaults=(vault_keys(), vault_keys("next", valid_until="2027-01-01T00:00:00Z")),
    )
    assert Trust.from_bytes(held.to_bytes()) == held
    assert held.fingerprint == digest_bytes(held.to_bytes())


@pytest.mark.parametrize(
    ("changed", "believed"),
    [
        ({}, True),
        ({"valid_from": "2026-11-20T10:51:00Z"}, True),
        ({"valid_from": "2026-11-20T10:51:01Z"}, False),
        ({"valid_until": "2026-11-20T10:51:01Z"}, True),
        ({"valid_until": "2026-11-20T10:51:00Z"}, False),
    ],
)
def test_a_vault_is_believed_in_its_time(changed: dict[str, object], believed: bool) -> None:
    held = replace(trust(), vaults=(vault_keys(**changed),))
    assert bool(held.vaults_at(NOW)) is believed


def test_keys_are_found_by_fingerprint() -> None:
    assert trust().key_of(LOG_KEY.public.id) == log_key()
    assert trust().key_of(FOREIGN_KEY.public.id) is None


@pytest.mark.parametrize(
    ("changed", "vouches"),
    [
        ({}, True),
        ({"valid_until": "2026-11-20T10:51:01Z"}, True),
        ({"valid_until": "2026-11-20T10:51:00Z"}, False),
        ({"compromised": True}, False),
    ],
)
def test_key_vouches_until_it_retires(changed: dict[str, object], vouches: bool) -> None:
    assert log_key(**changed).vouches(NOW) == vouches  # type: ignore[arg-type]


def test_without_a_time_only_compromise_counts() -> None:
    assert log_key(valid_until="2026-01-02T00:00:00Z").vouches(None)
    assert not log_key(compromised=True).vouches(None)


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "saferoom/trust/2"},
        {"extra": 1},
        {"origin": 5},
        {"origin": "two words"},
        {"log_keys": []},
        {"log_keys": {}},
        {"log_keys": [log_key().to_body()] * 2},
        {"log_keys": [log_key().to_body() | {"algorithm": "rsa"}]},
        {"log_keys": [log_key().to_body() | {"key": "00"}]},
        {"log_keys": [log_key().to_body() | {"algorithm": "sm2"}]},
        {"log_keys": [log_key().to_body(), sm2_key().to_body() | {"key": "11" * 64}]},
        {"log_keys": [sm2_key().to_body()]},
        {"log_keys": [log_key().to_body() | {"valid_from": "yesterday"}]},
        {"log_keys": [log_key().to_body() | {"valid_until": "2025-01-01T00:00:00Z"}]},
        {"log_keys": [log_key().to_body() | {"compromised": 0}]},
        {"operators": {}},
        {"operators": [{}]},
        {"operators": [{}] * 65},
        {"witnesses": ["someone"]},
        {"vaults": {}},
        {"vaults": [{}]},
        {"vaults": [vault_keys().to_body()] * 2},
        {"vaults": [vault_keys().to_body() | {"answer_key": "00" * 32}]},
        {"vaults": [vault_keys().to_body() | {"sealing_key": "00" * 32}]},
        {"vaults": [vault_keys().to_body() | {"valid_from": "yesterday"}]},
        {"vaults": [vault_keys().to_body() | {"valid_until": "2025-01-01T00:00:00Z"}]},
        {"vaults": [vault_keys().to_body() | {"more": 1}]},
    ],
)
def test_trust_file_is_read_strictly(changed: dict[str, Any]) -> None:
    body = parse_object(trust().to_bytes()) | changed
    with pytest.raises(BadInput):
        Trust.from_bytes(canonical_bytes(body))
