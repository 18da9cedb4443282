"""Did the log sign this checkpoint with SM2 too?

GB/T 32918.2 signatures on the curve of GB/T 32918.5, with SM3 and the identity that
GB/T 35276 gives where none was agreed on. In plain Python, because no library that we depend
on signs with SM2: **not certified, and not constant-time**. Verifying needs no secret. The
private key belongs to the log's own process alone, which signs checkpoints with it at its own
pace and for nobody on request; an Ed25519 signature always stands beside it.

A nonce is derived from the key and the message, as in RFC 6979's thought, so that a bad
source of randomness cannot give the key away; 512 bits are reduced, which needs no retry.
Points are added by one formula for all cases (Renes, Costello, Batina 2016, algorithm 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cryptography.hazmat.primitives import hashes, hmac

from saferoom.canonical import digest_bytes
from saferoom.crypto.signing import KeyId, hex_bytes
from saferoom.errors import BadInput, Refusal

Point = tuple[int, int, int]  # projective: x = X/Z, y = Y/Z

# GB/T 32918.5: p, a = p - 3, b, the order n, and the base point.
_P = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
_B = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
_N = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
_G: Point = (
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
    1,
)
_NOWHERE: Point = (0, 1, 0)
_IDENTITY = b"1234567812345678"
_NONCE = b"saferoom/sm2-nonce/1\0"
SEED_BYTES = 40  # 64 bits more than the key has: reducing them favours no key


@dataclass(frozen=True)
class Sm2Key:
    """A public key: both coordinates, 64 bytes; `id` names it everywhere."""

    ALGORITHM: ClassVar[str] = "sm2"
    raw: bytes

    @classmethod
    def from_hex(cls, text: object) -> Sm2Key:
        """Read 128 hexadecimal digits; refuse what is no point of the curve."""
        raw = hex_bytes(text, 64)
        x, y = _number(raw[:32]), _number(raw[32:])
        if max(x, y) >= _P or (y * y - x * x * x + 3 * x - _B) % _P:
            raise BadInput("FIELD_INVALID", "a public key off its curve")
        return cls(raw)

    @cached_property
    def id(self) -> KeyId:
        """Return the SHA-256 that names this key."""
        return KeyId(digest_bytes(b"sm2\0" + self.raw))

    def check_raw(self, signature: bytes, message: bytes) -> None:
        """Refuse a signature that does not fit (GB/T 32918.2, section 7)."""
        r, s = _number(signature[:32]), _number(signature[32:])
        t = (r + s) % _N
        if len(signature) != 64 or not 0 < r < _N or not 0 < s < _N or not t:
            raise Refusal("SIGNATURE_INVALID")
        x = _x(_add_multiples(s, _G, t, self._point))
        if x is None or (self.digest_of(message) + x) % _N != r:
            raise Refusal("SIGNATURE_INVALID")

    def digest_of(self, message: bytes) -> int:
        """Hash who signs, on which curve, and what (GB/T 32918.2, sections 5.5 and 6)."""
        curve = (_P - 3, _B, *_G[:2])
        who = (8 * len(_IDENTITY)).to_bytes(2, "big") + _IDENTITY
        signer = _sm3(who + b"".join(map(_bytes, curve)) + self.raw)
        return _number(_sm3(signer + message))

    @cached_property
    def _point(self) -> Point:
        return _number(self.raw[:32]), _number(self.raw[32:]), 1


@dataclass(frozen=True, repr=False)
class Sm2SigningKey:
    """A private key: 32 bytes, never printed."""

    secret: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> Sm2SigningKey:
        """Make a key of 40 random bytes: 1 … n - 2 (GB/T 32918.1, section 6.1)."""
        if len(seed) != SEED_BYTES:
            raise BadInput("FIELD_INVALID", "the seed of an SM2 key")
        return cls(_bytes(_number(seed) % (_N - 2) + 1))

    @cached_property
    def public(self) -> Sm2Key:
        """Return the public half."""
        x, y, z = _add_multiples(_number(self.secret), _G, 0, _NOWHERE)
        scale = pow(z, -1, _P)
        return Sm2Key(_bytes(x * scale % _P) + _bytes(y * scale % _P))

    def sign_raw(self, message: bytes) -> bytes:
        """Sign raw bytes: r and s, 32 bytes each."""
        told = _bytes(self.public.digest_of(message))
        wide = b"".join(self._mac(_NONCE + bytes([half]) + told) for half in (1, 2))
        return self.sign_with(_number(told), _number(wide) % (_N - 1) + 1)

    def sign_with(self, digest: int, nonce: int) -> bytes:
        """Sign with this nonce, which is used once and never told (GB/T 32918.2, section 6)."""
        x = _x(_add_multiples(nonce, _G, 0, _NOWHERE))
        secret = _number(self.secret)
        r = (digest + (x or 0)) % _N
        s = pow(1 + secret, -1, _N) * (nonce - r * secret) % _N
        if not r or not s or r + nonce == _N:  # one in 2^256 messages
            raise Refusal("SIGNATURE_INVALID", "this nonce gives no signature")
        return _bytes(r) + _bytes(s)

    def _mac(self, data: bytes) -> bytes:
        mac = hmac.HMAC(self.secret, hashes.SM3())
        mac.update(data)
        return mac.finalize()


def _add_multiples(first: int, one: Point, second: int, other: Point) -> Point:
    """Return first · one + second · other, with the same steps whatever the numbers are."""
    table = (_NOWHERE, one, other, _add(one, other))
    found = _NOWHERE
    for place in range(255, -1, -1):
        bits = (first >> place & 1) | (second >> place & 1) << 1
        found = _add(_add(found, found), table[bits])
    return found


def _add(one: Point, other: Point) -> Point:
    (x1, y1, z1), (x2, y2, z2) = one, other
    xx, yy, zz = x1 * x2 % _P, y1 * y2 % _P, z1 * z2 % _P
    xy = ((x1 + y1) * (x2 + y2) - xx - yy) % _P
    yz = ((y1 + z1) * (y2 + z2) - yy - zz) % _P
    xz = ((x1 + z1) * (x2 + z2) - xx - zz) % _P
    w = 3 * (xz - _B * zz)
    v = 3 * (_B * xz - 3 * zz - xx) % _P
    u = 3 * (xx - zz)
    return (
        (xy * (yy + w) - yz * v) % _P,
        ((yy + w) * (yy - w) + u * v) % _P,
        (yz * (yy - w) + xy * u) % _P,
    )


def _x(point: Point) -> int | None:
    """Return where a point lies; None for the one that lies nowhere."""
    x, _, z = point
    return x * pow(z, -1, _P) % _P if z else None


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")
