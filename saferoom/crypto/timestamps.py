"""Who else says that these bytes existed before a certain time?

RFC 3161: a request is a SHA-256 and a nonce; the answer is a CMS structure (RFC 5652) that a time
stamping authority signed. Read strictly and believed only by one certificate that was pinned for
the authority: no chains, no revocation lists. The certificate must be for time stamping, hold at
the stated time, and be named in what is signed (RFC 5816), so no other of the same key passes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from saferoom.crypto import der
from saferoom.crypto.der import Node
from saferoom.errors import BadInput, Tampered

LARGEST = 64 * 1024
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DIGESTS: Mapping[bytes, Callable[[], hashes.HashAlgorithm]] = {
    der.write_oid(_SHA256): hashes.SHA256,
    der.write_oid("2.16.840.1.101.3.4.2.2"): hashes.SHA384,
    der.write_oid("2.16.840.1.101.3.4.2.3"): hashes.SHA512,
}
_SIGNATURES: Mapping[bytes, type[ec.EllipticCurvePublicKey | rsa.RSAPublicKey]] = {
    der.write_oid("1.2.840.113549.1.1.1"): rsa.RSAPublicKey,
    der.write_oid("1.2.840.113549.1.1.11"): rsa.RSAPublicKey,
    der.write_oid("1.2.840.113549.1.1.12"): rsa.RSAPublicKey,
    der.write_oid("1.2.840.113549.1.1.13"): rsa.RSAPublicKey,
    der.write_oid("1.2.840.10045.4.3.2"): ec.EllipticCurvePublicKey,
    der.write_oid("1.2.840.10045.4.3.3"): ec.EllipticCurvePublicKey,
    der.write_oid("1.2.840.10045.4.3.4"): ec.EllipticCurvePublicKey,
}
_SIGNED_DATA = der.write_oid("1.2.840.113549.1.7.2")
_TST_INFO = der.write_oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = der.write_oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.write_oid("1.2.840.113549.1.9.4")
_CERTIFICATE = der.write_oid("1.2.840.113549.1.9.16.2.47")  # signingCertificateV2
_EXPLICIT = 0xA0
_GRANTED = (0, 1)  # RFC 3161 §2.4.2: granted, and granted with modifications
_TIME = re.compile(rb"(\d{14})(\.\d*[1-9])?Z")  # §2.4.2: GeneralizedTime, Z, no trailing zeros


@dataclass(frozen=True)
class Stamp:
    """What an authority signed: that the bytes existed by then, accuracy included."""

    by: datetime
    nonce: int | None


def write_request(message: bytes, nonce: int) -> bytes:
    """Ask for a stamp over the SHA-256 of a message, with the authority's certificate."""
    algorithm = der.write(der.SEQUENCE, der.write_oid(_SHA256), der.write(der.NULL))
    imprint = der.write(
        der.SEQUENCE, algorithm, der.write(der.OCTETS, hashlib.sha256(message).digest())
    )
    wanted = der.write(der.BOOLEAN, b"\xff")  # certReq
    return der.write(der.SEQUENCE, der.write_number(1), imprint, der.write_number(nonce), wanted)


def read_certificate(data: bytes) -> x509.Certificate:
    """Read a certificate, PEM or DER, and refuse one that is not for time stamping."""
    try:
        pem = data.lstrip().startswith(b"-----")
        load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        certificate = load(data)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise BadInput("FIELD_INVALID", "a certificate for time stamping") from error
    if ExtendedKeyUsageOID.TIME_STAMPING not in usage.value:
        raise BadInput("FIELD_INVALID", "a certificate for time stamping")
    return certificate


def check_response(response: bytes, message: bytes, certificate: x509.Certificate) -> Stamp:
    """Return what the authority signed over this message; refuse whatever does not hold."""
    if len(response) > LARGEST:
        raise Tampered("TIMESTAMP_INVALID", "it is too large")
    try:
        return _check(response, message, certificate)
    except (BadInput, InvalidSignature, ValueError, IndexError) as error:
        raise Tampered("TIMESTAMP_INVALID") from error


def _check(response: bytes, message: bytes, certificate: x509.Certificate) -> Stamp:
    status, *token = der.read(response).expect(der.SEQUENCE).children()
    _need(status.expect(der.SEQUENCE).children()[0].number() in _GRANTED)
    kind, wrapped = token[0].expect(der.SEQUENCE).children()
    _need(len(token) == 1 and kind.raw == _SIGNED_DATA)
    (signed,) = wrapped.expect(_EXPLICIT).children()
    _, _, content, *_, signers = signed.expect(der.SEQUENCE).children()
    info = _content(content)
    (signer,) = signers.expect(der.SET).children()
    _check_signer(signer.expect(der.SEQUENCE), info, certificate)
    stamp = _read_info(der.read(info), message)
    _need(certificate.not_valid_before_utc <= stamp.by <= certificate.not_valid_after_utc)
    return stamp


def _content(content: Node) -> bytes:
    kind, wrapped = content.expect(der.SEQUENCE).children()
    _need(kind.raw == _TST_INFO)
    (octets,) = wrapped.expect(_EXPLICIT).children()
    return octets.expect(der.OCTETS).content


def _check_signer(signer: Node, info: bytes, certificate: x509.Certificate) -> None:
    """RFC 5652 §5.4: the signature is over the attributes, written as a set."""
    _, _, algorithm, attributes, signing, signature, *_ = signer.children()
    digest = _DIGESTS.get(algorithm.expect(der.SEQUENCE).children()[0].raw)
    family = _SIGNATURES.get(signing.expect(der.SEQUENCE).children()[0].raw)
    if digest is None or family is None:
        raise BadInput("FIELD_INVALID", "an algorithm that is not accepted")
    said = _attributes(attributes.expect(_EXPLICIT))
    hashed = hashes.Hash(digest())
    hashed.update(info)
    _need(said[_CONTENT_TYPE].raw == _TST_INFO)
    _need(said[_MESSAGE_DIGEST].expect(der.OCTETS).content == hashed.finalize())
    _need(_named(said[_CERTIFICATE]) == certificate.fingerprint(hashes.SHA256()))
    key, raw = certificate.public_key(), der.write(der.SET, attributes.content)
    mark = signature.expect(der.OCTETS).content
    _need(isinstance(key, family))
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(mark, raw, padding.PKCS1v15(), digest())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(mark, raw, ec.ECDSA(digest()))


def _attributes(node: Node) -> dict[bytes, Node]:
    """Read each attribute's one value; the three that count must be there, once."""
    said: dict[bytes, Node] = {}
    for attribute in node.children():
        kind, values = attribute.expect(der.SEQUENCE).children()
        _need(kind.raw not in said)
        said[kind.raw] = values.expect(der.SET).children()[0]
    _need(said.keys() >= {_CONTENT_TYPE, _MESSAGE_DIGEST, _CERTIFICATE})
    return said


def _named(value: Node) -> bytes:
    """RFC 5816 §2.2.1: the first certificate's SHA-256, the algorithm that is not written."""
    certificates = value.expect(der.SEQUENCE).children()[0].expect(der.SEQUENCE)
    first = certificates.children()[0].expect(der.SEQUENCE)
    return first.children()[0].expect(der.OCTETS).content


def _read_info(info: Node, message: bytes) -> Stamp:
    version, _, imprint, _, time, *rest = info.expect(der.SEQUENCE).children()
    algorithm, digest = imprint.expect(der.SEQUENCE).children()
    _need(version.number() == 1)
    _need(algorithm.expect(der.SEQUENCE).children()[0].raw == der.write_oid(_SHA256))
    _need(digest.expect(der.OCTETS).content == hashlib.sha256(message).digest())
    accuracy = timedelta()
    nonce = None
    for field in rest:
        if field.tag == der.SEQUENCE:
            accuracy = _accuracy(field)
        if field.tag == der.INTEGER:
            nonce = field.number()
    return Stamp(_read_time(time) + accuracy, nonce)


def _read_time(node: Node) -> datetime:
    """Read the second, rounded up."""
    found = _TIME.fullmatch(node.expect(der.TIME).content)
    if found is None:
        raise BadInput("FIELD_INVALID", "genTime")
    second = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return second + timedelta(seconds=1 if found[2] else 0)


def _accuracy(node: Node) -> timedelta:
    """§2.4.2: seconds, and [0] milliseconds and [1] microseconds, which round up."""
    fields = node.children()
    whole = sum(field.number() for field in fields if field.tag == der.INTEGER)
    _need(0 <= whole <= 3600)
    return timedelta(seconds=whole + any(field.tag != der.INTEGER for field in fields))


def _need(holds: bool) -> None:  # noqa: FBT001  # reads as: need that it holds
    if not holds:
        raise BadInput("FIELD_INVALID", "a time stamp")
