"""Which keys does the vault hold, and where?

`keys/kek` wraps every data key (AES-256-GCM, the key's use as additional data), `keys/sealing`
is what models and batches are sealed to, `keys/answer` signs what leaves, `keys/buckets` holds
the wrapped keys of the facts' buckets. The folder lies apart from the data so that a backup of
the data opens nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import SigningKey, hex_bytes
from saferoom.errors import NotFound, Tampered
from saferoom.vault.durable import write_file

RandomBytes = Callable[[int], bytes]
BUCKETS = 16
WRAPPED = 12 + 32 + 16
_PLACEMENT = "placement"


class Keys:
    """The vault's keys, in memory while it runs."""

    def __init__(self, folder: Path, random_bytes: RandomBytes) -> None:
        """Read the folder that `create_keys` made."""
        self._random = random_bytes
        try:
            self._kek = AESGCM((folder / "kek").read_bytes())
            self.sealing = SealingKey((folder / "sealing").read_bytes())
            self.answer = SigningKey((folder / "answer").read_bytes())
            stored = parse_object((folder / "buckets").read_bytes())
        except FileNotFoundError as error:
            raise NotFound("HOME_MISSING", "the vault's keys") from error
        self._buckets = [self._stored(stored, str(number)) for number in range(BUCKETS)]
        self._placement = self._stored(stored, _PLACEMENT)

    def wrap(self, key: bytes, use: str) -> bytes:
        """Encrypt a data key for one use."""
        return _wrap(self._kek, key, use, self._random)

    def unwrap(self, wrapped: bytes, use: str) -> bytes:
        """Decrypt a data key; another use's key does not open."""
        try:
            return self._kek.decrypt(wrapped[:12], wrapped[12:], use.encode())
        except (InvalidTag, ValueError) as error:
            raise Tampered("CONTENT_CHANGED", "a wrapped key of the vault") from error

    def new_key(self) -> bytes:
        """Draw a data key."""
        return self._random(32)

    def bucket_key(self, bucket: int) -> bytes:
        """Return the data key of one bucket of facts."""
        return self._buckets[bucket]

    def bucket_of(self, enterprise: str) -> int:
        """Place an enterprise; keyed, so that file sizes do not tell whose rows they hold."""
        mark = hmac.digest(self._placement, enterprise.encode(), "sha256")
        return mark[0] % BUCKETS

    def _stored(self, stored: dict[str, Json], name: str) -> bytes:
        return self.unwrap(hex_bytes(stored.get(name), WRAPPED), f"bucket/{name}")


def create_keys(folder: Path, random_bytes: RandomBytes) -> SealingKey:
    """Make a new vault's keys, the sealing key last: where it is, all are."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kek, sealing = random_bytes(32), SealingKey(random_bytes(32))
    names = [*(str(number) for number in range(BUCKETS)), _PLACEMENT]
    wrapped: dict[str, Json] = {
        name: _wrap(AESGCM(kek), random_bytes(32), f"bucket/{name}", random_bytes).hex()
        for name in names
    }
    write_file(folder / "kek", kek)
    write_file(folder / "buckets", canonical_bytes(wrapped))
    write_file(folder / "answer", random_bytes(32))
    write_file(folder / "sealing", sealing.seed)
    return sealing


def _wrap(kek: AESGCM, key: bytes, use: str, random_bytes: RandomBytes) -> bytes:
    nonce = random_bytes(12)
    return nonce + kek.encrypt(nonce, key, use.encode())
