"""SM2 signatures: the standard's own example, agreement with openssl(1), and refusals."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.crypto.sm2 import SEED_BYTES, Sm2Key, Sm2SigningKey
from saferoom.errors import BadInput, Refusal

# GM/T 0003.5-2012, annex A: the example of a signature on the recommended curve.
EXAMPLE = Sm2SigningKey(
    bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
)
X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
DIGEST = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
MESSAGE = b"message digest"

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
KEY = Sm2SigningKey.from_seed(bytes(range(SEED_BYTES)))
CURVE = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
EC_PUBLIC = bytes.fromhex("06072a8648ce3d0201")

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl(1) is not installed"
)


def test_the_standard_s_example() -> None:
    assert EXAMPLE.public.raw.hex().upper() == X + Y
    assert EXAMPLE.public.digest_of(MESSAGE) == DIGEST
    signature = EXAMPLE.sign_with(DIGEST, NONCE)
    assert signature.hex().upper() == R + S
    EXAMPLE.public.check_raw(signature, MESSAGE)


def test_the_same_message_has_the_same_signature_and_another_has_another_nonce() -> None:
    assert KEY.sign_raw(b"one") == KEY.sign_raw(b"one")
    assert KEY.sign_raw(b"one")[:32] != KEY.sign_raw(b"two")[:32]
    other = Sm2SigningKey.from_seed(bytes(SEED_BYTES))
    assert KEY.sign_raw(b"one") != other.sign_raw(b"one")


@given(st.binary(min_size=SEED_BYTES, max_size=SEED_BYTES), st.binary(max_size=200))
def test_what_a_key_signs_verifies_under_it_alone(seed: bytes, message: bytes) -> None:
    key = Sm2SigningKey.from_seed(seed)
    signature = key.sign_raw(message)
    held = Sm2Key.from_hex(key.public.raw.hex())
    held.check_raw(signature, message)
    with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
        held.check_raw(signature, message + b".")
    with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
        EXAMPLE.public.check_raw(signature, message)


def test_every_changed_byte_of_a_signature_is_noticed() -> None:
    signature = KEY.sign_raw(MESSAGE)
    for place in range(64):
        changed = bytearray(signature)
        changed[place] ^= 1 << place % 8
        with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
            KEY.public.check_raw(bytes(changed), MESSAGE)


def _pair(r: int, s: int) -> bytes:
    return (r % 2**256).to_bytes(32, "big") + (s % 2**256).to_bytes(32, "big")


def test_numbers_out_of_their_range_are_refused() -> None:
    signature = KEY.sign_raw(MESSAGE)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    cases = (
        b"",
        signature[:-1],
        signature + b"\0",
        _pair(0, s),
        _pair(r, 0),
        _pair(ORDER, s),
        _pair(r, ORDER),
        _pair(5, ORDER - 5),  # their sum is nothing
    )
    for case in cases:
        with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
            KEY.public.check_raw(case, MESSAGE)


def test_a_signature_that_ends_nowhere_is_refused() -> None:
    secret = int.from_bytes(KEY.secret, "big")
    t = 7
    s = -t * secret % ORDER
    with pytest.raises(Refusal, match="SIGNATURE_INVALID"):
        KEY.public.check_raw(_pair((t - s) % ORDER, s), MESSAGE)


def test_a_nonce_that_gives_no_signature_is_refused() -> None:
    r = int.from_bytes(KEY.sign_with(1, NONCE)[:32], "big")
    x = r - 1  # of the nonce's point
    secret = int.from_bytes(KEY.secret, "big")
    for wanted in (0, NONCE * pow(secret, -1, ORDER), ORDER - NONCE):
        with pytest.raises(Refusal, match="this nonce"):
            KEY.sign_with((wanted - x) % ORDER, NONCE)


@pytest.mark.parametrize(
    "text", ["", X.lower(), (X + Y[:-2]).lower() + "14", "00" * 64, "ff" * 64, None, X + Y]
)
def test_what_is_no_point_is_no_key(text: object) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        Sm2Key.from_hex(text)


def test_a_seed_has_its_length_and_a_key_does_not_print_itself() -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        Sm2SigningKey.from_seed(bytes(32))
    assert KEY.secret.hex() not in repr(KEY)
    assert KEY.public.id != KEY.public.raw.hex()


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body


def _integer(data: bytes) -> bytes:
    cut = data.lstrip(b"\0")
    return _der(2, b"\0" + cut if cut[0] & 0x80 else cut)


def _from_der(data: bytes) -> bytes:
    first = data[4 : 4 + data[3]]
    second = data[6 + data[3] :]
    return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in (first, second))


def _pem(path: Path, label: str, data: bytes) -> Path:
    text = base64.encodebytes(data).decode()
    path.write_text(f"-----BEGIN {label}-----\n{text}-----END {label}-----\n")
    return path


def _openssl(*words: object) -> bytes:
    options = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")
    command = ["openssl", "pkeyutl", *map(str, words), *options]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return done.stdout


@needs_openssl
def test_openssl_and_we_believe_each_other(tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.write_bytes(b"a checkpoint\n1\n")
    point = _der(3, b"\0\4" + KEY.public.raw)
    private = _der(0x30, _der(2, b"\1"), _der(4, KEY.secret), _der(0xA0, CURVE), _der(0xA1, point))
    key = _pem(tmp_path / "key.pem", "EC PRIVATE KEY", private)
    public = _pem(
        tmp_path / "public.pem", "PUBLIC KEY", _der(0x30, _der(0x30, EC_PUBLIC, CURVE), point)
    )
    theirs = _from_der(_openssl("-sign", "-inkey", key, "-in", message))
    KEY.public.check_raw(theirs, message.read_bytes())
    ours = KEY.sign_raw(message.read_bytes())
    (tmp_path / "ours").write_bytes(_der(0x30, _integer(ours[:32]), _integer(ours[32:])))
    words = ("-verify", "-pubin", "-inkey", public, "-in", message, "-sigfile", tmp_path / "ours")
    assert b"Verified Successfully" in _openssl(*words)
