"""Sealing against the published vectors, another implementation, and every changed byte."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import digest_bytes
from saferoom.crypto import sealing
from saferoom.crypto.sealing import SealingKey, SealingPublicKey, seal, unseal
from saferoom.errors import BadInput, Tampered

AAD = b"saferoom/test/1"
ANNA, BO, EVE = (SealingKey(bytes([n]) * 32) for n in (1, 2, 3))

# The vectors that accompany RFC 9180 (CFRG test-vectors.json): mode 0, kem 0x0020, kdf 0x0001,
# aead 0x0002, sequence number 0.
VECTOR = {
    "info": "4f6465206f6e2061204772656369616e2055726e",
    "skEm": "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
    "skRm": "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
    "pkRm": "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
    "enc": "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
    "shared_secret": "3101c54c3a4f87439eaac080699ed9bbcc726ffe44e860c0424ccb7e3e2ead7b",
    "key": "f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f",
    "base_nonce": "151d9929e2449747889bc923",
    "aad": "436f756e742d30",
    "pt": "4265617574792069732074727574682c20747275746820626561757479",
    "ct": "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9"
    "931980a41de125a925cdad859d5b7a",
}
V = {name: bytes.fromhex(text) for name, text in VECTOR.items()}


def counting() -> Callable[[int], bytes]:
    """Bytes that never repeat, the same in every run."""

    def numbers() -> Iterator[int]:
        yield from range(1, 256)

    source = numbers()
    return lambda length: bytes([next(source)]) * length


def sealed_to_two() -> bytes:
    return seal(b"grade 07", [ANNA.public, BO.public], AAD, counting())


def test_rfc_9180_vector_from_both_sides() -> None:
    ephemeral, recipient = SealingKey(V["skEm"]), SealingKey(V["skRm"])
    assert ephemeral.public.raw == V["enc"]
    assert recipient.public.raw == V["pkRm"]
    sender = sealing._shared_secret(ephemeral, V["pkRm"], V["enc"], V["pkRm"])
    receiver = sealing._shared_secret(recipient, V["enc"], V["enc"], V["pkRm"])
    assert sender == receiver == V["shared_secret"]
    key, nonce = sealing.key_schedule(sender, V["info"])
    assert (key, nonce) == (V["key"], V["base_nonce"])
    assert AESGCM(key).encrypt(nonce, V["pt"], V["aad"]) == V["ct"]


def test_other_implementation_opens_what_we_wrap() -> None:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    wrapped = sealing._wrap(b"k" * 32, ANNA.public, BO)
    private = X25519PrivateKey.from_private_bytes(ANNA.seed)
    assert suite.decrypt(wrapped, private, sealing.INFO) == b"k" * 32


def test_we_open_what_other_implementation_wraps() -> None:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    public = X25519PrivateKey.from_private_bytes(ANNA.seed).public_key()
    assert sealing._unwrap(suite.encrypt(b"k" * 32, public, sealing.INFO), ANNA) == b"k" * 32


@settings(max_examples=20)
@given(st.binary(max_size=200), st.integers(1, 4))
def test_each_recipient_opens(plaintext: bytes, count: int) -> None:
    keys = [SealingKey(bytes([n]) * 32) for n in range(1, count + 1)]
    sealed = seal(plaintext, [key.public for key in keys], AAD, counting())
    assert [unseal(sealed, key, AAD) for key in keys] == [plaintext] * count


def test_envelope_is_laid_out_as_documented() -> None:
    sealed = sealed_to_two()
    assert sealed[:10] == b"SRSEAL1\n\x00\x02"
    assert sealed[10:42].hex() == ANNA.public.id
    assert sealed[122:154].hex() == BO.public.id
    assert len(sealed) == 10 + 2 * 112 + 12 + len(b"grade 07") + 16
    assert str(ANNA.public.id) == digest_bytes(b"x25519\0" + ANNA.public.raw)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_refused(mask: int) -> None:
    sealed = sealed_to_two()
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= mask
        with pytest.raises(Tampered) as caught:
            unseal(bytes(changed), ANNA, AAD)
        assert caught.value.code == "SEAL_INVALID"


@pytest.mark.parametrize("length", [0, 7, 9, 10, 121, 122, 261, 269])
def test_cut_envelope_is_refused(length: int) -> None:
    with pytest.raises(Tampered):
        unseal(sealed_to_two()[:length], ANNA, AAD)


def test_others_and_other_uses_cannot_open() -> None:
    with pytest.raises(Tampered):
        unseal(sealed_to_two(), EVE, AAD)
    with pytest.raises(Tampered):
        unseal(sealed_to_two(), ANNA, b"saferoom/other/1")


def test_dropped_recipient_is_noticed() -> None:
    sealed = sealed_to_two()
    shorter = sealed[:8] + struct.pack(">H", 1) + sealed[10:122] + sealed[234:]
    with pytest.raises(Tampered):
        unseal(shorter, ANNA, AAD)


@pytest.mark.parametrize("count", [0, 65])
def test_number_of_recipients_is_bounded(count: int) -> None:
    with pytest.raises(BadInput) as caught:
        seal(b"", [ANNA.public] * count, AAD, counting())
    assert caught.value.code == "FIELD_INVALID"


P = 2**255 - 19
EIGHT = 325606250916557431795983626356110631294008115727848805560023387167927233504


@pytest.mark.parametrize("high_bit", [0, 1 << 255])
@pytest.mark.parametrize("point", [0, 1, EIGHT, pow(EIGHT, -1, P), P - 1, P, P + 1])
def test_a_key_that_hides_nothing_is_no_key(point: int, high_bit: int) -> None:
    """Each of these gives everyone the same secret, which is zero."""
    raw = (point | high_bit).to_bytes(32, "little")
    with pytest.raises(ValueError, match="shared key"):
        X25519PrivateKey.from_private_bytes(ANNA.seed).exchange(
            X25519PublicKey.from_public_bytes(raw)
        )
    for make in (SealingPublicKey, lambda raw: SealingPublicKey.from_hex(raw.hex())):
        with pytest.raises(BadInput, match="small order"):
            make(raw)


def test_point_of_small_order_is_refused_in_an_envelope_too() -> None:
    sealed = bytearray(sealed_to_two())
    sealed[42:74] = bytes(32)
    with pytest.raises(Tampered):
        unseal(bytes(sealed), ANNA, AAD)


def test_keys_read_and_never_print() -> None:
    assert SealingPublicKey.from_hex(ANNA.public.raw.hex()) == ANNA.public
    assert ANNA.seed.hex() not in repr(ANNA)
    with pytest.raises(BadInput):
        SealingPublicKey.from_hex("00")
