"""How can many be written to, and only those written to read?

RFC 9180 base mode (DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) wraps one fresh
content key per recipient; the content stands once under AES-256-GCM. Every byte before the
content is part of its additional data, so no recipient can be added, dropped or swapped.
The `cryptography` package's own HPKE draws its randomness itself; ours is passed in, and
the tests hold the two against each other and against the published vectors.

Not hidden: the recipients' key ids and the content's length. Not proven: who sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saferoom.canonical import digest_bytes
from saferoom.crypto.signing import KeyId, check_sealing_key, hex_bytes
from saferoom.errors import BadInput, Tampered

MAGIC = b"SRSEAL1\n"
INFO = b"saferoom-seal-v1"
LARGEST_RECIPIENTS = 64
_SLOT = 32 + 32 + 48  # key id, encapsulated key, wrapped key with its tag
_KEM_SUITE = b"KEM" + struct.pack(">H", 0x0020)  # RFC 9180 §7.1
_HPKE_SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)  # RFC 9180 §7


@dataclass(frozen=True)
class SealingPublicKey:
    """Whom to seal to; `id` names it everywhere."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse a key to which sealing hides nothing."""
        check_sealing_key(self.raw)

    @classmethod
    def from_hex(cls, text: object) -> SealingPublicKey:
        """Read 64 hexadecimal digits."""
        return cls(hex_bytes(text, 32))

    @property
    def id(self) -> KeyId:
        """Return the SHA-256 that names this key."""
        return KeyId(digest_bytes(b"x25519\0" + self.raw))


@dataclass(frozen=True, repr=False)
class SealingKey:
    """A private key: 32 bytes of seed, never printed."""

    seed: bytes

    @property
    def public(self) -> SealingPublicKey:
        """Return the public half."""
        private = X25519PrivateKey.from_private_bytes(self.seed)
        return SealingPublicKey(private.public_key().public_bytes_raw())


def seal(
    plaintext: bytes,
    recipients: Sequence[SealingPublicKey],
    aad: bytes,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """Seal so that each recipient alone can read; `aad` says what this is for."""
    if not 0 < len(recipients) <= LARGEST_RECIPIENTS:
        raise BadInput("FIELD_INVALID", "recipients")
    content_key = random_bytes(32)
    head = MAGIC + struct.pack(">H", len(recipients))
    for recipient in recipients:
        wrapped = _wrap(content_key, recipient, SealingKey(random_bytes(32)))
        head += bytes.fromhex(recipient.id) + wrapped
    nonce = random_bytes(12)
    return head + nonce + AESGCM(content_key).encrypt(nonce, plaintext, _content_aad(head, aad))


def unseal(sealed: bytes, key: SealingKey, aad: bytes) -> bytes:
    """Open what was sealed to this key for this use; anything else is SEAL_INVALID."""
    head, slots, rest = _split(sealed)
    mine = bytes.fromhex(key.public.id)
    wrapped = next((slot[32:] for slot in slots if slot[:32] == mine), None)
    if wrapped is None:
        raise Tampered("SEAL_INVALID", "not sealed to this key")
    try:
        content_key = _unwrap(wrapped, key)
        return AESGCM(content_key).decrypt(rest[:12], rest[12:], _content_aad(head, aad))
    except (InvalidTag, ValueError) as error:  # ValueError: a point of small order
        raise Tampered("SEAL_INVALID") from error


def _split(sealed: bytes) -> tuple[bytes, list[bytes], bytes]:
    start = len(MAGIC) + 2
    if not sealed.startswith(MAGIC) or len(sealed) < start:
        raise Tampered("SEAL_INVALID", "not a sealed envelope")
    (count,) = struct.unpack(">H", sealed[len(MAGIC) : start])
    end = start + count * _SLOT
    if not 0 < count <= LARGEST_RECIPIENTS or len(sealed) < end + 12 + 16:
        raise Tampered("SEAL_INVALID", "cut short")
    slots = [sealed[at : at + _SLOT] for at in range(start, end, _SLOT)]
    return sealed[:end], slots, sealed[end:]


def _content_aad(head: bytes, aad: bytes) -> bytes:
    return hashlib.sha256(head).digest() + aad


def _wrap(content_key: bytes, recipient: SealingPublicKey, ephemeral: SealingKey) -> bytes:
    """RFC 9180 §6.1, SealBase with an empty aad: `enc | ciphertext`."""
    enc = ephemeral.public.raw  # §7.1.4: no recipient's point has small order, see above
    shared = _shared_secret(ephemeral, recipient.raw, enc, recipient.raw)
    key, nonce = key_schedule(shared, INFO)
    return enc + AESGCM(key).encrypt(nonce, content_key, b"")


def _unwrap(wrapped: bytes, key: SealingKey) -> bytes:
    """RFC 9180 §6.1, OpenBase with an empty aad."""
    enc = wrapped[:32]
    shared = _shared_secret(key, enc, enc, key.public.raw)
    aead_key, nonce = key_schedule(shared, INFO)
    return AESGCM(aead_key).decrypt(nonce, wrapped[32:], b"")


def _shared_secret(own: SealingKey, other: bytes, enc: bytes, recipient: bytes) -> bytes:
    """RFC 9180 §4.1: ExtractAndExpand(dh, enc | pkRm)."""
    private = X25519PrivateKey.from_private_bytes(own.seed)
    dh = private.exchange(X25519PublicKey.from_public_bytes(other))
    prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", dh)
    return _labeled_expand(_KEM_SUITE, prk, b"shared_secret", enc + recipient, 32)


def key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 §5.1, base mode: the AEAD key and base nonce; we seal once, so seq = 0."""
    psk_id_hash = _labeled_extract(_HPKE_SUITE, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(_HPKE_SUITE, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = _labeled_extract(_HPKE_SUITE, shared_secret, b"secret", b"")
    key = _labeled_expand(_HPKE_SUITE, secret, b"key", context, 32)
    return key, _labeled_expand(_HPKE_SUITE, secret, b"base_nonce", context, 12)


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """RFC 9180 §4; an empty salt is HMAC's zero key, as RFC 5869 §2.2 asks."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")


def _labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180 §4; one block of RFC 5869 §2.3 is enough, since length ≤ 32."""
    labeled = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return hmac.digest(prk, labeled + b"\x01", "sha256")[:length]
