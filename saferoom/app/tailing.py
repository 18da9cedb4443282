"""What must a sink hold, so that a room which was set back can go on from it?

A leaf says nothing about a person, so leaves alone bring back no revocation. Beside them each
sink that is a tail keeps the rows that the entries led to (app/images.py), sealed under the
key of their day; and, once the sequencer has given places, which entry got which. The keys
follow from one another and the old ones are destroyed (crypto/ratchet.py), so a sink that can
never be rewritten does not keep a person's data readable for ever.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app.context import Room
from saferoom.app.images import Images, read_images, take, write_images
from saferoom.app.shredding import load_keys, open_openings
from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Tampered
from saferoom.ports import PLACES, TAIL, Tail

MOST_TOGETHER = 500  # entries to a line
MOST_SCORES = 20  # of them: a chunk of a batch has hundreds of records
MOST_PLACES = 2_000
_SCORES = frozenset({"release", "refusal"})
_DIGEST = re.compile("[0-9a-f]{64}")
_CODE = 18  # characters of a unified social credit code (GB 32100-2015)
_NONCE = 12  # NIST SP 800-38D §5.2.1.1: 96 bits


@dataclass(frozen=True)
class Line:
    """One line of a tail: of which entries, how far the database was, and the sealed rows."""

    entries: tuple[str, ...]
    at: int
    day: int
    rows: bytes


def keep_rows(room: Room, entries: Sequence[tuple[str, str]]) -> None:
    """Give every tail the rows of (entry, kind), before the entries themselves are given."""
    if not room.tails or room.tail_keys is None:
        return
    lines = [_seal(room, some) for some in _together(entries)]
    for tail in room.tails:
        tail.keep(TAIL, lines)


def keep_places(room: Room) -> int:
    """Tell every tail the places that it was not told yet; return how many they were."""
    told = 0
    for tail in room.tails:
        if tail.name not in room.placed:
            last = tail.last(PLACES)
            room.placed[tail.name] = 0 if last is None else _end(read_places(last))
        while ids := _ids(room, first := room.placed[tail.name]):
            tail.keep(PLACES, [_write_places(first, ids)])
            room.placed[tail.name] = first + len(ids)
            told += len(ids)
    return told


def read_tail(line: bytes) -> Line:
    """Read a line strictly."""
    body = _fields(line, {"at", "day", "entries", "rows"})
    entries, at, day = body["entries"], body["at"], body["day"]
    if not isinstance(entries, list) or type(at) is not int or type(day) is not int:
        raise Tampered("CONTENT_CHANGED", "a line of a tail")
    return Line(tuple(map(str, entries)), at, day, base64.b64decode(str(body["rows"])))


def open_rows(room: Room, line: Line) -> Images | None:
    """Open a line's rows; None where its day's key was destroyed."""
    key = None if room.tail_keys is None else room.tail_keys.key(line.day)
    if key is None:
        return None
    try:
        data = AESGCM(key).decrypt(
            line.rows[:_NONCE], line.rows[_NONCE:], _place(room, line.entries)
        )
    except InvalidTag as error:
        raise Tampered("CONTENT_CHANGED", "a line of a tail") from error
    return read_images(data)


def read_places(line: bytes) -> tuple[int, tuple[str, ...]]:
    """Read a first place, and the entries from it on."""
    body = _fields(line, {"first", "entries"})
    first, entries = body["first"], body["entries"]
    if type(first) is not int or not isinstance(entries, list):
        raise Tampered("CONTENT_CHANGED", "a line of a tail")
    return first, tuple(hex_bytes(one, 32).hex() for one in entries)


def all_places(tail: Tail) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield what a tail knows of places."""
    return map(read_places, tail.kept(PLACES))


def today(room: Room) -> int:
    """Name the day whose key seals now."""
    return room.clock().astimezone(UTC).toordinal()


def _together(entries: Sequence[tuple[str, str]]) -> Iterator[list[str]]:
    """Part entries into lines; a line is read and sealed in one piece."""
    for scores, most in ((True, MOST_SCORES), (False, MOST_TOGETHER)):
        some = [entry for entry, kind in entries if (kind in _SCORES) is scores]
        yield from (some[first : first + most] for first in range(0, len(some), most))


def _seal(room: Room, entries: Sequence[str]) -> bytes:
    assert room.tail_keys is not None
    day = today(room)
    key = room.tail_keys.key(day)
    if key is None:  # the clock went back behind a day whose key was destroyed
        raise Tampered("CONTENT_CHANGED", "the clock is behind the tail's keys")
    with reading(room.database) as connection:
        at = int(connection.scalar(sa.select(sa.func.max(t.entry.c.number))) or 0)
        images = _take(connection, room, entries)
    nonce = room.random_bytes(_NONCE)
    data = AESGCM(key).encrypt(nonce, write_images(images), _place(room, entries))
    rows = base64.b64encode(nonce + data).decode()
    return canonical_bytes({"at": at, "day": day, "entries": [*entries], "rows": rows})


def _take(connection: Connection, room: Room, entries: Sequence[str]) -> Images:
    found = connection.execute(
        sa.select(t.entry.c.id, t.entry.c.kind, t.entry.c.leaf).where(t.entry.c.id.in_(entries))
    ).all()
    openings = connection.execute(sa.select(t.opening).where(t.opening.c.entry.in_(entries))).all()
    names = {row.subject for row in openings}
    seldom = {row.id: row.leaf for row in found if row.kind not in _SCORES}
    artefacts = {
        text for leaf in seldom.values() for text in _texts(parse_object(leaf)["artefacts"])
    }
    said = set(artefacts)
    keys = load_keys(connection, room, {r.subject for r in openings if r.entry in seldom})
    for row in openings:
        if row.entry in seldom and row.subject in keys:
            opened = open_openings(keys[row.subject], row.sealed, row.entry, row.position)
            said |= {text for one in opened.values() for text in _texts(one.value)}
    digests = {text for text in said if _DIGEST.fullmatch(text)}
    names |= said - digests
    named = {
        "entry": [*entries],
        "name": sorted(names),
        "code": sorted(name for name in names if len(name) == _CODE),
        "digest": sorted(digests),
        "artefact": sorted(artefacts),
    }
    return take(connection, named, seldom=bool(seldom))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from _texts(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _texts(inner)


def _ids(room: Room, first: int) -> list[str]:
    query = (
        sa.select(t.entry.c.id)
        .where(t.entry.c.leaf_index >= first)
        .order_by(t.entry.c.leaf_index)
        .limit(MOST_PLACES)
    )
    with reading(room.database) as connection:
        return list(connection.scalars(query))


def _write_places(first: int, ids: Sequence[str]) -> bytes:
    return canonical_bytes({"first": first, "entries": [*ids]})


def _end(places: tuple[int, tuple[str, ...]]) -> int:
    first, entries = places
    return first + len(entries)


def _fields(line: bytes, names: set[str]) -> dict[str, Json]:
    body = parse_object(line)
    if set(body) != names:
        raise Tampered("CONTENT_CHANGED", "a line of a tail")
    return body


def _place(room: Room, entries: Sequence[str]) -> bytes:
    return canonical_bytes({"origin": room.origin, "entries": [*entries]})
