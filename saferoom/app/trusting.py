"""Which witnesses does this room listen to now, after what two founders signed?

Whoever runs the room puts the newer trust file in the place of the older one. The worker reads
it, asks of each new change what the file itself cannot (is it young enough, are the founders'
keys still theirs?), and logs it. From then on it counts, in every process: what counts stands
in the database as signed, and is judged anew by the founders' keys whenever it differs. A row
that they did not sign so stops releases until it is gone.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import loading
from saferoom.app.context import Room
from saferoom.app.entries import Draft, write_entry
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.trust import Trust
from saferoom.core.witnesses import LATEST
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, Tampered

_KIND = "witness_set"


def current(room: Room) -> Trust | None:
    """Return the trust file with every change that this process knows to be logged."""
    return room.cosigning.trust or room.trust


def refresh(connection: Connection, room: Room) -> Trust | None:
    """Return it with every change that is logged."""
    if room.trust is None:
        return None
    query = sa.select(t.subject.c.statement).where(t.subject.c.kind == _KIND)
    rows = tuple(connection.scalars(query.order_by(t.subject.c.proposed_at, t.subject.c.digest)))
    if rows != room.cosigning.changes:
        room.cosigning.trust = _with(room.trust, rows)
        room.cosigning.changes, room.cosigning.checked = rows, None
    return current(room)


def take(room: Room) -> int:
    """Log the changes that the trust file brings; what does not follow is refused."""
    with reading(room.database) as connection:
        held = refresh(connection, room)
    if held is None or room.read_trust is None:
        return 0
    found = room.read_trust()
    if held.follows(found):
        return 0
    if not found.follows(held):
        raise Refusal("WITNESSES_UNFIT", "another trust file")
    new = found.changes[len(held.changes) :]
    for statement in new:
        _log(room, held, statement)
        with reading(room.database) as connection:
            held = refresh(connection, room) or held
    return len(new)


def _log(room: Room, held: Trust, statement: Statement) -> None:
    now = room.clock()
    begins = read_instant(statement.body.get("valid_from"))
    if begins + LATEST <= now:
        raise Refusal("REPLAY", "the change began too long ago")
    row = {
        "digest": statement.digest,
        "kind": _KIND,
        "party": "",
        "submitter": statement.signers()[0],
        "state": "signed",
        "statement": statement.to_bytes(),
        "proposed_at": write_instant(now),
    }
    with writing(room.database) as connection:
        find = loading.lookup(connection)
        if any(find(key) is None for key in statement.signers()):
            raise Refusal("APPROVAL_MISSING", "an operator's key was replaced")
        if insert_new(connection, t.subject, row):
            write_entry(connection, room, _draft(room, held, statement))


def _draft(room: Room, held: Trust, statement: Statement) -> Draft:
    by = [str(one.body.get("holder")) for one in held.operators]
    told = {name: statement.body[name] for name in ("reason", "valid_from")}
    return Draft(
        "witnesses_changed", room.origin, {**told, "by": [*by], "statement": statement.digest}
    )


def _with(trust: Trust, rows: tuple[bytes, ...]) -> Trust:
    """Put the changes in the order in which each names the one before."""
    try:
        papers = map(Statement.from_bytes, rows)
        waiting = [one for one in papers if one.body.get("origin") == trust.origin]  # not closed
        while waiting:
            before = trust.changes[-1].digest if trust.changes else None
            (following,) = (one for one in waiting if one.body.get("previous") == before)
            trust = trust.changed(following)
            waiting.remove(following)
    except (BadInput, Refusal, ValueError) as error:
        raise Tampered("CONTENT_CHANGED", "a change of the witnesses") from error
    return trust
