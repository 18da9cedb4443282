"""Which keys does the vault hold, and where?

`keys/ring` holds every data key by name, each wrapped (AES-256-GCM, its name as additional data)
by a key-encryption key, `keys/kek-<id>`, that the ring names. `keys/sealing` is what models and
batches are sealed to, `keys/answer` signs what leaves. The folder lies apart from the data, so a
backup of the data opens nothing; what drops a key from the ring destroys what it encrypted.

The ring is replaced whole. A new key-encryption key is written before the ring that needs it, and
the old one removed after, so whatever a crash leaves, one of them opens the ring.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.record import check_field
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import SigningKey, hex_bytes
from saferoom.errors import NotFound, Tampered
from saferoom.vault.durable import sync, write_file
from saferoom.vault.marks import Marker

RandomBytes = Callable[[int], bytes]
BUCKETS = 16  # whose rows are computed together
WRAPPED = 12 + 32 + 16
PLACEMENT = "placement"
KIND = "saferoom/key-ring/1"


class Keys:
    """The vault's keys, in memory while it runs."""

    def __init__(self, folder: Path, random_bytes: RandomBytes) -> None:
        """Read the folder that `create_keys` made."""
        self.folder, self.random = folder, random_bytes
        self._lock = threading.RLock()
        try:
            self.sealing = SealingKey((folder / "sealing").read_bytes())
            self.answer = SigningKey((folder / "answer").read_bytes())
            self._name, self._kek, self._ring = _read_ring(folder)
        except FileNotFoundError as error:
            raise NotFound("HOME_MISSING", "the vault's keys") from error

    def key(self, name: str) -> bytes:
        """Return a data key; one that was dropped is gone."""
        found = self._ring.get(name)
        if found is None:
            raise Tampered("CONTENT_CHANGED", "a key of the vault that is not there")
        return found

    def names(self, prefix: str = "") -> set[str]:
        """Name the keys of one use."""
        return {name for name in self._ring if name.startswith(prefix)}

    def add(self, names: Iterable[str]) -> None:
        """Draw the keys that are not there yet; durable when this returns."""
        with self._lock:
            new = {name: self.new_key() for name in names if name not in self._ring}
            if new:
                self._replace({**self._ring, **new})

    def keep_only(self, prefix: str, names: Collection[str]) -> None:
        """Destroy every other key of this use; durable when this returns."""
        with self._lock:
            gone = self.names(prefix) - set(names)
            if gone:
                self._replace({name: key for name, key in self._ring.items() if name not in gone})

    def rewrap(self) -> None:
        """Wrap everything by a new key-encryption key, and destroy the old one."""
        with self._lock:
            _write_ring(self.folder, self._ring, self.random)
            self._name, self._kek, self._ring = _read_ring(self.folder)
            self.clear()

    def new_key(self) -> bytes:
        """Draw a data key."""
        return self.random(32)

    def mark_of(self, enterprise: str) -> bytes:
        """Mark an enterprise; keyed, so that nobody finds whose mark it is by trying codes."""
        return self._marker.mark(enterprise.encode())

    @cached_property
    def _marker(self) -> Marker:
        return Marker(self._ring[PLACEMENT])  # drawn once and never renewed

    def bucket_of(self, enterprise: str) -> int:
        """Place an enterprise, so that file sizes do not tell whose rows they hold."""
        return bucket_of(self.mark_of(enterprise))

    def contents(self) -> dict[str, bytes]:
        """Return all that a backup of the keys must hold."""
        with self._lock:
            return dict(self._ring)

    def clear(self) -> None:
        """Remove wrapping keys that wrap nothing: what a crash left."""
        for path in self.folder.glob("kek-*"):
            if path.name != f"kek-{self._name}":
                path.unlink()
                sync(self.folder)

    def _replace(self, ring: dict[str, bytes]) -> None:
        write_file(self.folder / "ring", _wrapped(self._name, self._kek, ring, self.random))
        self._ring = ring


def bucket_of(mark: bytes) -> int:
    """Place a mark in a bucket."""
    return mark[0] % BUCKETS


def cell_of(mark: bytes, cells: int) -> int:
    """Place a mark in one of its bucket's cells, whose rows share a key."""
    return int.from_bytes(mark[1:5], "big") % cells


def wrap(by: bytes, key: bytes, use: str, random_bytes: RandomBytes) -> bytes:
    """Encrypt a key for one use."""
    nonce = random_bytes(12)
    return nonce + AESGCM(by).encrypt(nonce, key, use.encode())


def unwrap(by: bytes, wrapped: bytes, use: str) -> bytes:
    """Decrypt a key; another use's does not open."""
    try:
        return AESGCM(by).decrypt(wrapped[:12], wrapped[12:], use.encode())
    except (InvalidTag, ValueError) as error:
        raise Tampered("CONTENT_CHANGED", "a wrapped key of the vault") from error


def create_keys(folder: Path, random_bytes: RandomBytes) -> SealingKey:
    """Make a new vault's keys, the sealing key last: where it is, all are."""
    sealing, answer = random_bytes(32), random_bytes(32)
    place_keys(folder, {PLACEMENT: random_bytes(32)}, answer, sealing, random_bytes)
    return SealingKey(sealing)


def place_keys(
    folder: Path,
    ring: Mapping[str, bytes],
    answer: bytes,
    sealing: bytes,
    random_bytes: RandomBytes,
) -> None:
    """Write a folder of keys, new or from a backup."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_ring(folder, ring, random_bytes)
    write_file(folder / "answer", answer)
    write_file(folder / "sealing", sealing)


def _write_ring(folder: Path, ring: Mapping[str, bytes], random_bytes: RandomBytes) -> None:
    kek, name = random_bytes(32), random_bytes(8).hex()
    write_file(folder / f"kek-{name}", kek)
    write_file(folder / "ring", _wrapped(name, kek, ring, random_bytes))


def _wrapped(name: str, kek: bytes, ring: Mapping[str, bytes], random_bytes: RandomBytes) -> bytes:
    keys: dict[str, Json] = {
        use: wrap(kek, key, f"ring/{use}", random_bytes).hex() for use, key in ring.items()
    }
    return canonical_bytes({"kind": KIND, "kek": name, "keys": keys})


def _read_ring(folder: Path) -> tuple[str, bytes, dict[str, bytes]]:
    body = parse_object((folder / "ring").read_bytes())
    match body:
        case {"kind": str(kind), "kek": str(name), "keys": dict(keys)} if len(body) == 3:
            check_field(kind == KIND and name.isalnum(), "the ring of keys")
        case _:
            raise Tampered("CONTENT_CHANGED", "the vault's ring of keys")
    kek = (folder / f"kek-{name}").read_bytes()
    return (
        name,
        kek,
        {
            use: unwrap(kek, hex_bytes(wrapped, WRAPPED), f"ring/{use}")
            for use, wrapped in keys.items()
        },
    )
