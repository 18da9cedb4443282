"""How can the log forget a person and still prove itself?

The openings of a subject's commitments are encrypted under one random key per subject,
and that key is wrapped by the room's subject key. Deleting the row destroys the key:
the tree and its proofs stay, the values are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.writing import insert_missing
from saferoom.app.context import Room
from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import hex_bytes
from saferoom.tlog.commitments import Opening

_KEYS = sa.select(t.subject_key).where(
    t.subject_key.c.subject.in_(sa.bindparam("subjects", expanding=True))
)
_NONCE = 12  # NIST SP 800-38D §5.2.1.1: 96 bits


def subject_keys(connection: Connection, room: Room, subjects: Iterable[str]) -> dict[str, bytes]:
    """Load the keys of these subjects, making those that are not there yet."""
    wanted = sorted(set(subjects))
    found = load_keys(connection, room, wanted)
    missing = [subject for subject in wanted if subject not in found]
    if missing:
        rows = [
            {"subject": s, "wrapped": _encrypt(room, room.subject_key, room.random_bytes(32), s)}
            for s in missing
        ]
        insert_missing(connection, t.subject_key, rows)
        found |= load_keys(connection, room, missing)  # another writer may have been first
    return found


def load_keys(connection: Connection, room: Room, subjects: Iterable[str]) -> dict[str, bytes]:
    """Load the keys that are still there."""
    return {
        row.subject: _decrypt(room.subject_key, row.wrapped, row.subject)
        for row in connection.execute(_KEYS, {"subjects": list(subjects)})
    }


def shred(connection: Connection, subject: str) -> None:
    """Destroy a subject's key, and with it every opening of theirs."""
    connection.execute(sa.delete(t.subject_key).where(t.subject_key.c.subject == subject))


def seal_openings(
    room: Room, key: bytes, openings: Mapping[str, Opening], entry: str, position: int
) -> bytes:
    """Encrypt one leaf's or record's openings, bound to their place."""
    body: dict[str, Json] = {
        name: {"nonce": opening.nonce.hex(), "value": opening.value}
        for name, opening in openings.items()
    }
    return _encrypt(room, key, canonical_bytes(body), f"{entry}/{position}")


def open_openings(key: bytes, sealed: bytes, entry: str, position: int) -> dict[str, Opening]:
    """Decrypt what `seal_openings` wrote."""
    body = parse_object(_decrypt(key, sealed, f"{entry}/{position}"))
    openings = {}
    for name, fields in body.items():
        assert isinstance(fields, dict)
        openings[name] = Opening(hex_bytes(fields["nonce"], 32), fields["value"])
    return openings


def _encrypt(room: Room, key: bytes, data: bytes, place: str) -> bytes:
    nonce = room.random_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, place.encode())


def _decrypt(key: bytes, data: bytes, place: str) -> bytes:
    return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], place.encode())
