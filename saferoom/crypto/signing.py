"""Who said this?

Ed25519 over `CONTEXT || canonical_bytes(body)`. A body carries its own `kind`, so
a signature for one kind can never pass for another. A key's id is the SHA-256 of
`ed25519` NUL and the raw public key.

Whoever holds a frozen object here may keep it: bytes, ids and parsed keys are computed
once, so a statement's body is never changed after it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NewType, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.errors import BadInput, Refusal

KeyId = NewType("KeyId", str)
CONTEXT = b"saferoom-signature-v1\0"
_HEX = frozenset("0123456789abcdef")

# Points of small order, sign bit cleared. Under such a key one forged signature fits many
# bodies (RFC 8032 does not refuse them), so its holder could deny having signed anything.
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
# The same for X25519, top bit cleared: 0, 1, two points of order 8, p - 1, p, p + 1. Whatever
# is sealed to such a key is sealed to everybody, since all share its secret: zero (RFC 7748 §6.1).
_SMALL_ORDER_X25519 = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


def hex_bytes(text: object, length: int) -> bytes:
    """Decode exactly `length` bytes of lower-case hexadecimal: one text per value."""
    if not isinstance(text, str) or len(text) != 2 * length or not _HEX.issuperset(text):
        raise BadInput("FIELD_INVALID", "hexadecimal of a fixed length is expected")
    return bytes.fromhex(text)


def check_sealing_key(raw: bytes) -> None:
    """Refuse an X25519 key that hides nothing; here, so that rules need not know how to seal."""
    if len(raw) != 32 or raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER_X25519:
        raise BadInput("FIELD_INVALID", "a sealing key of another length or of small order")


def sealing_key_bytes(text: object) -> bytes:
    """Read an X25519 key from 64 hexadecimal digits; refuse one that hides nothing."""
    raw = hex_bytes(text, 32)
    check_sealing_key(raw)
    return raw


class NoteVerifier(Protocol):
    """A public key under which checkpoints verify, of whatever algorithm."""

    ALGORITHM: ClassVar[str]

    @property
    def raw(self) -> bytes:
        """Return the bytes of the key."""

    @property
    def id(self) -> KeyId:
        """Name it."""

    def check_raw(self, signature: bytes, message: bytes) -> None:
        """Refuse a signature that does not fit."""


class NoteSigner(Protocol):
    """A private key of the log, of whatever algorithm."""

    @property
    def public(self) -> NoteVerifier:
        """Return the public half."""

    def sign_raw(self, message: bytes) -> bytes:
        """Sign raw bytes."""


@dataclass(frozen=True)
class VerifyKey:
    """A public key; `id` names it everywhere."""

    ALGORITHM: ClassVar[str] = "ed25519"
    raw: bytes

    @classmethod
    def from_hex(cls, text: object) -> VerifyKey:
        """Read 64 hexadecimal digits; refuse a key under which anyone can sign."""
        raw = hex_bytes(text, 32)
        if raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
            raise BadInput("FIELD_INVALID", "a public key of small order")
        return cls(raw)

    @cached_property
    def id(self) -> KeyId:
        """Return the SHA-256 that names this key."""
        return KeyId(digest_bytes(b"ed25519\0" + self.raw))

    def check_raw(self, signature: bytes, message: bytes) -> None:
        """Refuse a signature over raw bytes that does not fit (notes, checkpoints)."""
        try:
            self._key.verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise Refusal("SIGNATURE_INVALID") from error

    def check(self, body: Mapping[str, object], signature: bytes) -> None:
        """Refuse a signature that is not this key's over this body."""
        self.check_raw(signature, CONTEXT + canonical_bytes(body))

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A private key: 32 bytes of seed, never printed."""

    seed: bytes

    @cached_property
    def public(self) -> VerifyKey:
        """Return the public half."""
        return VerifyKey(self._key.public_key().public_bytes_raw())

    def sign_raw(self, message: bytes) -> bytes:
        """Sign raw bytes (notes, checkpoints); everything else signs bodies."""
        return self._key.sign(message)

    def sign(self, body: Mapping[str, object]) -> bytes:
        """Sign one body."""
        return self.sign_raw(CONTEXT + canonical_bytes(body))

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True)
class Signature:
    """One signer's mark on a statement."""

    key: KeyId
    value: bytes


@dataclass(frozen=True)
class Statement:
    """A body and who signed it. Its digest is the body's: signatures may be added."""

    body: dict[str, Json]
    signatures: tuple[Signature, ...]

    @cached_property
    def body_bytes(self) -> bytes:
        """Return what is signed and digested."""
        return canonical_bytes(self.body)

    @cached_property
    def digest(self) -> Digest:
        """Digest what was agreed to."""
        return digest_bytes(self.body_bytes)

    @property
    def kind(self) -> str:
        """Name the body's kind, or the empty string."""
        kind = self.body.get("kind")
        return kind if isinstance(kind, str) else ""

    def signers(self) -> tuple[KeyId, ...]:
        """Name the keys in the order of signing; says nothing of their validity."""
        return tuple(mark.key for mark in self.signatures)

    def check_signed_by(self, key: NoteVerifier) -> None:
        """Refuse unless this key signed this body."""
        if key.raw in self._held:
            return
        for mark in self.signatures:
            if mark.key == key.id:
                key.check_raw(mark.value, CONTEXT + self.body_bytes)
                self._held.add(key.raw)
                return
        raise Refusal("SIGNATURE_INVALID")

    @cached_property
    def _held(self) -> set[bytes]:
        """Name the keys whose signatures were found to hold: these bytes never change."""
        return set()

    def to_json(self) -> dict[str, Json]:
        """Render for the wire and for storage."""
        marks: list[Json] = [{"key": m.key, "signature": m.value.hex()} for m in self.signatures]
        return {"body": self.body, "signatures": marks}

    def to_bytes(self) -> bytes:
        """Render as canonical bytes."""
        return canonical_bytes(self.to_json())

    @classmethod
    def from_json(cls, value: object) -> Statement:
        """Read strictly: exactly two fields, each mark exactly two, no key twice."""
        if not isinstance(value, dict) or set(value) != {"body", "signatures"}:
            raise BadInput("FIELD_INVALID", "a statement has a body and signatures")
        body, marks = value["body"], value["signatures"]
        if not isinstance(body, dict) or not isinstance(marks, list) or len(marks) > 8:
            raise BadInput("FIELD_INVALID", "a statement has a body and signatures")
        statement = cls(body, tuple(_read_mark(mark) for mark in marks))
        if len(set(statement.signers())) != len(marks):
            raise BadInput("FIELD_INVALID", "a key signs once")
        statement.body_bytes  # noqa: B018  # refuses a body that has no canonical bytes
        return statement

    @classmethod
    def from_bytes(cls, data: bytes) -> Statement:
        """Read canonical bytes."""
        return cls.from_json(parse_object(data))


def sign_statement(body: Mapping[str, Json], keys: Iterable[SigningKey]) -> Statement:
    """Let each key sign the same body."""
    fixed = dict(body)
    return Statement(fixed, tuple(Signature(key.public.id, key.sign(fixed)) for key in keys))


def _read_mark(mark: object) -> Signature:
    if not isinstance(mark, dict) or set(mark) != {"key", "signature"}:
        raise BadInput("FIELD_INVALID", "a signature has a key and a value")
    return Signature(
        KeyId(hex_bytes(mark["key"], 32).hex()),
        hex_bytes(mark["signature"], 64),
    )
