"""Does a statement say who signed exactly this, and nothing else?"""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import Json, canonical_bytes
from saferoom.crypto import signing
from saferoom.crypto.signing import (
    CONTEXT,
    Signature,
    SigningKey,
    Statement,
    VerifyKey,
    hex_bytes,
    sign_statement,
)
from saferoom.errors import BadInput, Refusal

ALICE = SigningKey(b"a" * 32)
BOB = SigningKey(b"b" * 32)
BODY: dict[str, Json] = {"kind": "saferoom/test/1", "n": 1}


def test_a_statement_survives_the_wire() -> None:
    statement = sign_statement(BODY, [ALICE, BOB])
    read = Statement.from_bytes(statement.to_bytes())
    assert read == statement
    assert read.signers() == (ALICE.public.id, BOB.public.id)
    for key in (ALICE, BOB):
        read.check_signed_by(key.public)
    assert read.kind == "saferoom/test/1"


def test_the_digest_is_the_body_s_alone() -> None:
    one, two = sign_statement(BODY, [ALICE]), sign_statement(BODY, [ALICE, BOB])
    assert one.digest == two.digest
    assert one.digest != sign_statement({**BODY, "n": 2}, [ALICE]).digest


def test_rfc_8032_test_1() -> None:
    key = SigningKey(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert (
        key.public.raw.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert key.sign_raw(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_a_signature_by_nobody_named_is_refused() -> None:
    statement = sign_statement(BODY, [ALICE])
    with pytest.raises(Refusal) as refusal:
        statement.check_signed_by(BOB.public)
    assert refusal.value.code == "SIGNATURE_INVALID"


def test_a_changed_body_is_refused() -> None:
    mark = sign_statement(BODY, [ALICE]).signatures
    with pytest.raises(Refusal):
        Statement({**BODY, "n": 2}, mark).check_signed_by(ALICE.public)


def test_a_signature_of_raw_bytes_is_none_of_a_body() -> None:
    raw = Signature(ALICE.public.id, ALICE.sign_raw(canonical_bytes(BODY)))
    with pytest.raises(Refusal):
        Statement(BODY, (raw,)).check_signed_by(ALICE.public)
    ALICE.public.check(BODY, ALICE.sign(BODY))
    ALICE.public.check_raw(ALICE.sign(BODY), CONTEXT + canonical_bytes(BODY))


@given(st.integers(0, 63), st.integers(1, 255))
def test_every_changed_byte_of_a_signature_is_refused(place: int, other: int) -> None:
    mark = ALICE.sign(BODY)
    changed = mark[:place] + bytes([mark[place] ^ other]) + mark[place + 1 :]
    with pytest.raises(Refusal):
        ALICE.public.check(BODY, changed)


@pytest.mark.parametrize("raw", [b"", b"\x02" * 32, b"a" * 31], ids=["empty", "off curve", "short"])
def test_a_key_that_is_none_verifies_nothing(raw: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        VerifyKey(raw).check_raw(b"0" * 64, b"")
    assert refusal.value.code == "SIGNATURE_INVALID"


def _forged(raw: bytes) -> int:
    """Count messages that R = the neutral point, S = 0 'signs' without any private key."""
    key = Ed25519PublicKey.from_public_bytes(raw)
    fits = 0
    for n in range(64):
        try:
            key.verify(b"\x01" + b"\0" * 63, bytes([n]))
        except InvalidSignature:
            continue
        fits += 1
    return fits


@pytest.mark.parametrize("raw", sorted(signing._SMALL_ORDER))
def test_keys_under_which_anyone_can_sign_are_refused(raw: bytes) -> None:
    for top in (0, 0x80):
        spelt = raw[:31] + bytes([raw[31] | top])
        with pytest.raises(BadInput):
            VerifyKey.from_hex(spelt.hex())
    assert _forged(raw) > 0, "the attack that this refusal is for"
    assert _forged(ALICE.public.raw) == 0


@pytest.mark.parametrize(
    "text", [None, 1, b"00" * 32, "0" * 63, "0" * 65, "A" * 64, "g" * 64, " " * 64]
)
def test_hexadecimal_has_one_spelling(text: object) -> None:
    with pytest.raises(BadInput):
        hex_bytes(text, 32)


MARK: dict[str, Json] = {"key": "ab" * 32, "signature": "cd" * 64}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"body": {}},
        {"body": {}, "signatures": [], "more": 1},
        {"body": [], "signatures": []},
        {"body": {}, "signatures": {}},
        {"body": {}, "signatures": [MARK] * 9},
        {"body": {}, "signatures": [MARK, MARK]},
        {"body": {}, "signatures": ["x"]},
        {"body": {}, "signatures": [{"key": "ab" * 32}]},
        {"body": {}, "signatures": [{**MARK, "more": 1}]},
        {"body": {}, "signatures": [{**MARK, "key": "AB" * 32}]},
        {"body": {}, "signatures": [{**MARK, "signature": "cd" * 63}]},
        {"body": {"a": 1.5}, "signatures": []},
        {"body": {"a": "\ud800"}, "signatures": []},
    ],
)
def test_other_shapes_of_statements_are_refused(value: object) -> None:
    with pytest.raises(BadInput):
        Statement.from_json(value)


@pytest.mark.parametrize("body", [{}, {"kind": 1}, {"kind": None}])
def test_a_body_without_a_kind_has_the_empty_one(body: dict[str, Json]) -> None:
    assert Statement(body, ()).kind == ""


def test_a_private_key_is_never_shown() -> None:
    assert ALICE.seed.hex() not in repr(ALICE)
    assert repr(ALICE.seed) not in repr(ALICE)


def test_computed_values_are_no_fields() -> None:
    assert [f.name for f in dataclasses.fields(Statement)] == ["body", "signatures"]
    statement = sign_statement(BODY, [ALICE])
    assert statement.digest == statement.digest
    assert statement == Statement(BODY, statement.signatures)


def test_a_signature_that_held_is_not_checked_again_and_says_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[bytes] = []
    real = VerifyKey.check_raw

    def counted(key: VerifyKey, signature: bytes, message: bytes) -> None:
        checked.append(signature)
        real(key, signature, message)

    monkeypatch.setattr(VerifyKey, "check_raw", counted)
    statement = sign_statement(BODY, [ALICE])
    for _ in range(3):
        statement.check_signed_by(ALICE.public)
    assert len(checked) == 1
    for other, key in (
        (statement, BOB.public),
        (Statement({**BODY, "n": 2}, statement.signatures), ALICE.public),
    ):
        for _ in range(2):
            with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
                other.check_signed_by(key)
