"""Time stamps of a real authority hold, and no changed byte of what counts in them does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.crypto import der, timestamps
from saferoom.crypto.timestamps import check_response, read_certificate, write_request
from saferoom.errors import BadInput, Tampered
from tests.crypto.authority import OPENSSL, OpensslAuthority, make_authority

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl(1) is not installed")
MESSAGE = b"room.example/log\n5\nroot\n"
NONCE = 0x8877665544332211


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpensslAuthority:
    return make_authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def good(authority: OpensslAuthority) -> bytes:
    return authority.answer(write_request(MESSAGE, NONCE))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_a_real_authoritys_stamp_holds(tmp_path: Path, kind: str, digest: str) -> None:
    made = make_authority(tmp_path, kind=kind, digest=digest)
    response = made.answer(write_request(MESSAGE, NONCE))
    assert made.verify(response, MESSAGE)  # another implementation agrees
    stamp = check_response(response, MESSAGE, made.certificate)
    assert stamp.nonce == NONCE
    assert abs(stamp.by - datetime.now(UTC)) < timedelta(minutes=5)  # not a speed: the same day


def test_every_changed_byte_that_is_signed_is_noticed(
    authority: OpensslAuthority, good: bytes
) -> None:
    """What is outside the signature may change (the certificate that came along), the time not."""
    by = check_response(good, MESSAGE, authority.certificate)
    for place in range(len(good)):
        bent = bytearray(good)
        bent[place] ^= 1 << place % 8
        try:
            stamp = check_response(bytes(bent), MESSAGE, authority.certificate)
        except Tampered:
            continue
        assert stamp == by


def test_another_message_another_key_or_another_certificate_is_refused(
    authority: OpensslAuthority, good: bytes, tmp_path: Path
) -> None:
    other = make_authority(tmp_path / "other")
    rsa = make_authority(tmp_path / "rsa", kind="rsa")
    for message, certificate in (
        (MESSAGE + b"\n", authority.certificate),
        (MESSAGE, other.certificate),
        (MESSAGE, rsa.certificate),
    ):
        with pytest.raises(Tampered) as caught:
            check_response(good, message, certificate)
        assert caught.value.code == "TIMESTAMP_INVALID"


def test_a_certificate_named_by_a_weaker_hash_is_refused(tmp_path: Path) -> None:
    made = make_authority(tmp_path, named="sha1")
    with pytest.raises(Tampered):
        check_response(made.answer(write_request(MESSAGE, 1)), MESSAGE, made.certificate)


def test_a_stamp_from_after_its_certificates_end_is_refused(tmp_path: Path) -> None:
    made = make_authority(tmp_path, ended=True)  # its accuracy reaches past the end
    with pytest.raises(Tampered):
        check_response(made.answer(write_request(MESSAGE, 1)), MESSAGE, made.certificate)


def test_a_refusing_authority_stamps_nothing(authority: OpensslAuthority) -> None:
    refused = der.write(der.SEQUENCE, der.write(der.SEQUENCE, der.write_number(2)))
    for response in (refused, b"", b"\x30\x80", b"0" * 70_000, authority.answer(b"nonsense")):
        with pytest.raises(Tampered):
            check_response(response, MESSAGE, authority.certificate)


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_any_bytes_are_refused(data: bytes) -> None:
    certificate = CERTIFICATE[0]
    with pytest.raises(Tampered):
        check_response(data, MESSAGE, certificate)


CERTIFICATE: list[x509.Certificate] = []


@pytest.fixture(autouse=True)
def _remember(authority: OpensslAuthority) -> None:
    CERTIFICATE[:] = [authority.certificate]


def parts(response: bytes) -> der.Node:
    _, token = der.read(response).children()
    return token


@pytest.mark.parametrize(
    "bend",
    [
        lambda token: der.write(der.SEQUENCE, token.children()[0].raw),
        lambda token: der.write(
            der.SEQUENCE, der.write_oid("1.2.840.113549.1.7.1"), token.children()[1].raw
        ),
        lambda token: token.raw + token.raw,
    ],
)
def test_other_structures_are_refused(
    authority: OpensslAuthority, good: bytes, bend: Callable[[der.Node], bytes]
) -> None:
    status, token = der.read(good).children()
    with pytest.raises(Tampered):
        check_response(
            der.write(der.SEQUENCE, status.raw, bend(token)), MESSAGE, authority.certificate
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.9"),  # digests that nobody knows
        ("1.2.840.10045.4.3.2", "1.2.840.10045.4.3.9"),
        ("1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.9.16.1.9"),
        ("1.2.840.113549.1.9.4", "1.2.840.113549.1.9.3"),  # an attribute twice
        ("1.2.840.113549.1.9.16.2.47", "1.2.840.113549.1.9.16.2.12"),
        ("1.2.840.10045.4.3.2", "1.2.840.10045.4.3.1"),
    ],
)
def test_other_algorithms_and_attributes_are_refused(
    authority: OpensslAuthority, good: bytes, old: str, new: str
) -> None:
    bent = good.replace(der.write_oid(old), der.write_oid(new))
    assert bent != good
    with pytest.raises(Tampered):
        check_response(bent, MESSAGE, authority.certificate)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_certificates_are_read_both_ways(authority: OpensslAuthority, encoding: Encoding) -> None:
    data = authority.certificate.public_bytes(encoding)
    assert read_certificate(data) == authority.certificate


def test_only_certificates_for_time_stamping_are_pinned(tmp_path: Path) -> None:
    other = make_authority(tmp_path, usage=ExtendedKeyUsageOID.CODE_SIGNING).certificate
    for data in (b"", b"-----BEGIN", other.public_bytes(Encoding.DER)):
        with pytest.raises(BadInput):
            read_certificate(data)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"20261120105100Z", 0), (b"20261120105100.5Z", 1), (b"20261120105100.120Z", None),
     (b"20261320105100Z", None), (b"2026112010510Z", None), (b"20261120105100+0000", None)],
)  # fmt: skip
def test_times_are_rounded_up(text: bytes, seconds: int | None) -> None:
    node = der.read(der.write(der.TIME, text))
    if seconds is None:
        with pytest.raises((BadInput, ValueError)):
            timestamps._read_time(node)
    else:
        at = datetime(2026, 11, 20, 10, 51, tzinfo=UTC) + timedelta(seconds=seconds)
        assert timestamps._read_time(node) == at


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x01", b"\x30\x81\x01\x00", b"\x30\x80\x00\x00", b"\x1f\x81\x01\x00",
     b"\x02\x01\x01\x00", b"\x30\x84\xff\xff\xff\xff"],
)  # fmt: skip
def test_der_has_one_form(data: bytes) -> None:
    with pytest.raises(BadInput):
        der.read(data)


@given(st.integers(0, 2**80), st.binary(max_size=300))
def test_what_is_written_is_read_again(number: int, data: bytes) -> None:
    node = der.read(der.write(der.SEQUENCE, der.write_number(number), der.write(der.OCTETS, data)))
    first, second = node.children()
    assert (first.number(), second.content) == (number, data)


def test_identifiers_are_the_published_bytes() -> None:
    assert der.write_oid("1.2.840.113549") == bytes.fromhex("06062a864886f70d")
