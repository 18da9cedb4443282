"""Where do a party's notices go?

A change is told to the old address as well as to the new one: whoever stole a key cannot lead
the warnings away unseen.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.database.writing import insert_or_update
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.notices import WHOLE_ENTRY, Notice, write_notices
from saferoom.canonical import Digest
from saferoom.core.contact import Contact, check_contact, check_newer_contact
from saferoom.core.moment import check_not_ahead, write_instant
from saferoom.crypto.signing import Statement


def set_contact(room: Room, _caller: Caller, statement: Statement) -> Digest:
    """Take an address that the party signed; the same again changes nothing."""
    with writing(room.database) as connection:
        contact, _ = check_contact(statement, loading.lookup(connection))
        check_not_ahead(contact.set_at, room.clock(), "set_at")
        current = _current(connection, contact.party)
        if current is not None and current.digest == contact.digest:
            return contact.digest
        check_newer_contact(contact, current)
        row = {
            "party": contact.party,
            "address": contact.address,
            "statement": statement.to_bytes(),
        }
        insert_or_update(connection, t.contact, [row])
        personal = {"party": contact.party, "statement": contact.digest}
        entry = write_entry(connection, room, Draft("contact_set", contact.party, personal))
        if current is not None:
            now = write_instant(room.clock())
            old = Notice(contact.party, "contact_changed", entry, WHOLE_ENTRY, now, current.address)
            write_notices(connection, [old])
    return contact.digest


def _current(connection: Connection, party: str) -> Contact | None:
    query = sa.select(t.contact.c.statement).where(t.contact.c.party == party)
    stored = connection.scalar(query.with_for_update())
    return None if stored is None else loading.read(Contact, stored)
