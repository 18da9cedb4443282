"""How are the vault's keys kept elsewhere, and for how long?

Two operators order a copy, sealed to a custodian, for so many days. The vault notes it before it
hands it out, so an erasure can say until when a copy may still open what it erased. A copy that
has expired is not restored. That is this program's word: a custodian who keeps an old copy and
its own key could write another program, so custodians destroy copies on their day.

File: `SRKEYS1` and a line feed, u32 length (little-endian), header (canonical JSON, in clear),
and the keys (canonical JSON) sealed to the custodian, with the header as additional data.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.orders import MOST_KEPT_DAYS, KeyBackupOrder
from saferoom.core.record import Record
from saferoom.crypto.sealing import SealingKey, SealingPublicKey, seal, unseal
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Conflict, Refusal, SaferoomError, Tampered
from saferoom.vault.durable import write_file
from saferoom.vault.keys import Keys, RandomBytes, place_keys

MAGIC = b"SRKEYS1\n"
LARGEST_HEADER = 4096


@dataclass(frozen=True, kw_only=True)
class Copy(Record):
    """When a copy of the keys was made, and when it ends."""

    KIND: ClassVar[str] = "saferoom/key-backup/1"
    made_at: str
    not_after: str

    def __post_init__(self) -> None:
        """Check ranges."""
        read_instant(self.made_at)
        read_instant(self.not_after)


@dataclass(frozen=True, kw_only=True)
class Copies(Record):
    """Every copy that may still be opened."""

    KIND: ClassVar[str] = "saferoom/key-backups/1"
    copies: tuple[Copy, ...] = ()


class KeyBackups:
    """The list of copies, beside the keys."""

    def __init__(self, keys: Keys) -> None:
        """Read the list."""
        self._keys, self._path = keys, keys.folder / "backups"
        self._copies = read_copies(self._path)

    def everywhere_from(self, now: datetime) -> datetime:
        """Say from when on no copy that was made by now may be opened any more."""
        return max([now, *(read_instant(one.not_after) for one in self._copies.copies)])

    def make(self, order: KeyBackupOrder, now: datetime) -> bytes:
        """Note a copy, and seal it."""
        until = now + timedelta(days=order.kept_days)
        copy = Copy(made_at=write_instant(now), not_after=write_instant(until))
        kept = tuple(one for one in self._copies.copies if read_instant(one.not_after) > now)
        copies = Copies(copies=(*kept, copy))
        write_file(self._path, canonical_bytes(copies.to_body()))
        self._copies = copies
        head = canonical_bytes(copy.to_body())
        to = [SealingPublicKey.from_hex(order.custodian)]
        sealed = seal(_contents(self._keys, copies), to, head, self._keys.random)
        return MAGIC + struct.pack("<I", len(head)) + head + sealed


def restore_keys(
    folder: Path, data: bytes, custodian: SealingKey, now: datetime, random_bytes: RandomBytes
) -> Copy:
    """Make a folder of keys from a copy that is still in its time, under a new wrapping key.

    What the lost vault copied after this copy nobody here knows: a copy that lasts as long as one
    may from today is noted beside those that are known, so no certificate says too early a day.
    """
    if (folder / "sealing").exists():
        raise Conflict("DUPLICATE", "this home has its keys")
    copy, head, sealed = _split(data)
    if now >= read_instant(copy.not_after):
        raise Refusal("KEY_BACKUP_EXPIRED")
    contents = parse_object(unseal(sealed, custodian, head))
    match contents:
        case {
            "ring": dict(ring),
            "answer": answer,
            "sealing": sealing,
            "copies": copies,
        } if len(contents) == 4:
            known = Copies.from_body(copies).copies
            keys = {name: hex_bytes(key, 32) for name, key in ring.items()}
            seeds = hex_bytes(answer, 32), hex_bytes(sealing, 32)
        case _:
            raise _changed()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    longest = write_instant(now + timedelta(days=MOST_KEPT_DAYS))
    unknown = Copy(made_at=write_instant(now), not_after=longest)
    outstanding = Copies(copies=(*known, unknown))
    write_file(folder / "backups", canonical_bytes(outstanding.to_body()))
    place_keys(folder, keys, *seeds, random_bytes)
    return copy


def read_copies(path: Path) -> Copies:
    """Read the list; none: no copy was made."""
    if not path.exists():
        return Copies()
    return Copies.from_body(parse_object(path.read_bytes()))


def _contents(keys: Keys, copies: Copies) -> bytes:
    ring: Mapping[str, Json] = {name: key.hex() for name, key in keys.contents().items()}
    return canonical_bytes(
        {
            "ring": dict(ring),
            "answer": keys.answer.seed.hex(),
            "sealing": keys.sealing.seed.hex(),
            "copies": copies.to_body(),
        }
    )


def _split(data: bytes) -> tuple[Copy, bytes, bytes]:
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or len(data) < start:
        raise _changed()
    (length,) = struct.unpack_from("<I", data, len(MAGIC))
    head = data[start : start + min(length, LARGEST_HEADER)]
    try:
        return Copy.from_body(parse_object(head)), head, data[start + length :]
    except SaferoomError as error:
        raise _changed() from error


def _changed() -> Tampered:
    return Tampered("CONTENT_CHANGED", "a backup of the vault's keys")
