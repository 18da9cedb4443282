"""Does somebody who is no party to this log say by when it existed?

Every hour, when the log grew, each pinned authority is asked for a stamp over the checkpoint that
is published; whichever answer rightly are published together. Nothing waits for them: without a
stamp the room goes on, and its receipts are what they were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from saferoom.app.context import Room
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.stamped import AuthorityStamp, Stamped
from saferoom.crypto.timestamps import check_response, read_certificate, write_request
from saferoom.errors import BadInput, Tampered, Unavailable
from saferoom.ports import TimestampAuthority
from saferoom.tlog.checkpoint import read_note

EVERY = timedelta(hours=1)


def stamp(room: Room) -> int:
    """Ask every authority if it is time; publish what came; return how many stamps.

    TIMESTAMP_UNAVAILABLE when any was silent or answered wrongly: the others' count all the same.
    """
    now = room.clock()
    if not room.authorities or not room.stamping.due(now, EVERY):
        return 0
    note = read_note(room.log.cosigned() or room.log.checkpoint())
    if note.checkpoint.size <= _stamped_size(room):
        return 0
    room.stamping.asked_at = now
    message = note.checkpoint.text().encode()
    stamps, silent = [], []
    for authority in room.authorities:
        try:
            stamps.append(_ask(room, authority, message, now))
        except (Unavailable, Tampered):
            silent.append(authority.pinned.name)
    if stamps:
        made = Stamped(checkpoint=note.text(), stamps=tuple(stamps))
        room.log.keep_stamped(canonical_bytes(made.to_body()))
    if silent:
        raise Unavailable("TIMESTAMP_UNAVAILABLE", ", ".join(silent))
    return len(stamps)


def _ask(
    room: Room, authority: TimestampAuthority, message: bytes, now: datetime
) -> AuthorityStamp:
    """Ask for a stamp, and take it only if it answers this very request, of about now."""
    nonce = int.from_bytes(room.random_bytes(8), "big")
    response = authority.ask(write_request(message, nonce))
    made = check_response(response, message, read_certificate(authority.pinned.der))
    if made.nonce != nonce or abs(made.by - now) > EVERY:
        raise Tampered("TIMESTAMP_INVALID", "an answer to another request")
    return AuthorityStamp(authority=authority.pinned.name, response=response.hex())


def _stamped_size(room: Room) -> int:
    data = room.log.stamped()
    try:
        return 0 if data is None else Stamped.from_body(parse_object(data)).note.checkpoint.size
    except BadInput:  # damaged: it is made anew
        return 0
