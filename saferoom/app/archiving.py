"""What happens to openings when their time on line, and then their time at all, is over?

The worker looks now and then. Openings of whole months that are old enough go into a signed
archive: the leaf, the records and what opens them, sealed under a key of this archive alone.
Only when that stands are they deleted here, with the keys of subjects that have none left. An
archive whose time is over loses its key. Both are entries of the log, by the archive's digest.
A crash between the two is healed: the newest archive is looked at first.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app.context import Archives, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.shredding import load_keys, open_openings, shred
from saferoom.app.tailing import today
from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.errors import Tampered

KIND = "saferoom/archive/1"
MOST_ENTRIES = 5_000  # to an archive
MOST_AT_ONCE = 20  # archives
_NONCE = 12  # NIST SP 800-38D §5.2.1.1: 96 bits
_Entries = Sequence[Row[*tuple[object, ...]]]


@dataclass(frozen=True)
class Said:
    """What an archive's signed statement says of it."""

    month: str
    first: int
    last: int
    digest: Digest  # of the statement


def keep(room: Room) -> int:
    """Archive what is old, destroy what is older; return how many archives were touched."""
    if room.tail_keys is not None:
        room.tail_keys.forget_before(today(room) - room.tail_days)
    if room.archives is None:
        return 0
    names = room.archives.names()
    if names:
        _leave_line(room, read_said(room.archives.read(names[-1])), names[-1])
    done = 0
    while done < MOST_AT_ONCE and _archive_next(room, room.archives):
        done += 1
    return done + sum(_destroy(room, room.archives, name) for name in names)


def read_said(data: bytes) -> Said:
    """Read an archive's own words; who signed them is the reader's affair."""
    body = parse_object(data)
    statement = Statement.from_json(body["statement"])
    said = statement.body
    first, last = said["first"], said["last"]
    if said["kind"] != KIND or type(first) is not int or type(last) is not int:
        raise Tampered("CONTENT_CHANGED", "an archive")
    return Said(str(said["month"]), first, last, statement.digest)


def _archive_next(room: Room, archives: Archives) -> bool:
    names = archives.names()
    begin = read_said(archives.read(names[-1])).last + 1 if names else 0
    with reading(room.database) as connection:
        entries = _of_one_month(connection, begin)
        if not entries or not room.retention.archives(_month(entries[0]), room.clock()):
            return False
        lines = _lines(connection, room, entries)
    month, first, last = _month(entries[0]), entries[0].leaf_index, entries[-1].leaf_index
    name = f"{month}-{first:012d}"
    key, nonce = room.random_bytes(32), room.random_bytes(_NONCE)
    plain = zlib.compress(canonical_bytes({"lines": [*lines]}))
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, f"{KIND} {room.origin} {name}".encode())
    body: dict[str, Json] = {
        "kind": KIND,
        "origin": room.origin,
        "month": month,
        "first": first,
        "last": last,
        "entries": len(entries),
        "sealed": digest_bytes(sealed),
    }
    statement = sign_statement(body, [room.log_key])
    whole: dict[str, Json] = {"statement": statement.to_json(), "sealed": sealed.hex()}
    archives.put(name, canonical_bytes(whole), key)
    _leave_line(room, Said(month, first, last, statement.digest), name)
    return True


def _of_one_month(connection: Connection, begin: int) -> _Entries:
    """Take the next entries, in their order, as long as they are of one month."""
    query = sa.select(t.entry).where(t.entry.c.leaf_index >= begin)
    query = query.order_by(t.entry.c.leaf_index).limit(MOST_ENTRIES)
    entries = connection.execute(query).all()
    same = 0
    while same < len(entries) and _month(entries[same]) == _month(entries[0]):
        same += 1
    return entries[:same]


def _month(entry: Row[*tuple[object, ...]]) -> str:
    return str(entry.written_at)[:7]


def _lines(connection: Connection, room: Room, entries: _Entries) -> list[Json]:
    lines: list[Json] = []
    for entry in entries:
        found = sa.select(t.opening).where(t.opening.c.entry == entry.id)
        rows = connection.execute(found.order_by(t.opening.c.position)).all()
        keys = load_keys(connection, room, {row.subject for row in rows})
        opened: dict[str, Json] = {}
        for row in rows:
            if row.subject in keys:  # what was shredded stays closed
                parts = open_openings(keys[row.subject], row.sealed, row.entry, row.position)
                opened[str(row.position)] = {
                    name: {"nonce": one.nonce.hex(), "value": one.value}
                    for name, one in parts.items()
                }
        records = sa.select(t.record.c.record).where(t.record.c.entry == entry.id)
        data = connection.scalars(records.order_by(t.record.c.position))
        lines.append(
            {
                "index": entry.leaf_index,
                "leaf": entry.leaf.hex(),
                "openings": opened,
                "records": [one.hex() for one in data],
            }
        )
    return lines


def _leave_line(room: Room, said: Said, name: str) -> None:
    """Delete here what the archive has, and say so; once."""
    of = sa.select(t.entry.c.id).where(t.entry.c.leaf_index.between(said.first, said.last))
    mine = t.opening.c.entry.in_(of)
    with writing(room.database) as connection:
        subjects = set(connection.scalars(sa.select(t.opening.c.subject).where(mine).distinct()))
        if not subjects:
            return
        connection.execute(sa.delete(t.opening).where(mine))
        for subject in subjects:
            left = sa.select(t.opening.c.entry).where(t.opening.c.subject == subject).limit(1)
            if connection.scalar(left) is None:
                shred(connection, subject)
        personal: dict[str, Json] = {"name": name, "entries": [said.first, said.last]}
        draft = Draft("archived", room.origin, personal, {"archive": said.digest})
        write_entry(connection, room, draft)


def _destroy(room: Room, archives: Archives, name: str) -> bool:
    """Close an archive whose time is over; what was destroyed is said after it is done."""
    if not room.retention.destroys(name[:7], room.clock()) or not archives.destroy(name):
        return False
    said = read_said(archives.read(name))
    draft = Draft("archive_closed", room.origin, {"name": name}, {"archive": said.digest})
    with writing(room.database) as connection:
        write_entry(connection, room, draft)
    return True
