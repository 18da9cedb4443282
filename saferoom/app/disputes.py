"""What do enterprises say is wrong, and who is told?

The vault marks the record, by the enterprise's own statement; the source's stewards get a note that
the vault sealed to them, for the room may not know which record it is. Nothing is decided here.
"""

from __future__ import annotations

import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.lineage import catch_up
from saferoom.app.lookups import SEES_ALL, note_lookup
from saferoom.app.teaching import teach
from saferoom.canonical import Digest, Json
from saferoom.core.dispute import check_dispute
from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal


def dispute(room: Room, caller: Caller, statement: Statement) -> Digest:
    """Let a record of the caller's own count as disputed from the next snapshot on."""
    if caller.role is not Role.ENTERPRISE:
        raise Refusal("ROLE", "an enterprise's own record")
    with reading(room.database) as connection:
        checked = check_dispute(statement, loading.lookup(connection), room.clock())
    if checked.enterprise != caller.party:
        raise Refusal("ROLE", "another enterprise's record")
    teach(room)
    told = room.steward.dispute(statement)
    row = {
        "digest": statement.digest,
        "enterprise": caller.party,
        "party": told.party,
        "facts": told.table,
        "statement": statement.to_bytes(),
        "note": told.note or b"",
        "stored_at": write_instant(room.clock()),
    }
    personal: dict[str, Json] = {
        "enterprise": caller.party,
        "source": told.party,
        "statement": statement.digest,
    }
    with writing(room.database) as connection:
        if insert_new(connection, t.dispute, row):
            write_entry(connection, room, Draft("record_disputed", caller.party, personal))
    catch_up(room)
    return statement.digest


def list_disputes(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """List one's own: an enterprise what it disputed, a steward what of its source was."""
    query = sa.select(t.dispute).order_by(t.dispute.c.stored_at, t.dispute.c.digest)
    match caller.role:
        case Role.ENTERPRISE:
            query = query.where(t.dispute.c.enterprise == caller.party)
        case role if role not in SEES_ALL:
            query = query.where(t.dispute.c.party == caller.party)
    note_lookup(room, caller, "disputes")
    with reading(room.database) as connection:
        rows = connection.execute(query).all()
    steward = caller.role is Role.STEWARD
    return [
        {
            "digest": row.digest,
            "party": row.party,
            "table": row.facts,
            "stored_at": row.stored_at,
            "statement": None if steward else Statement.from_bytes(row.statement).to_json(),
            "note": row.note.hex() if steward else None,
        }
        for row in rows
    ]
