"""How does an enterprise's own word about itself reach the vault?

Sealed: the room passes the statement on and reads no figure. That it was given is logged, by
digest and count, and the enterprise finds a notice of it: a stolen key does not speak unnoticed.
"""

from __future__ import annotations

from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.teaching import teach
from saferoom.canonical import Json
from saferoom.core.self_report import check_self_report
from saferoom.crypto.signing import Statement


def report(room: Room, _caller: Caller, statement: Statement) -> dict[str, Json]:
    """Pass a report on; whoever brings it adds no authority, its own key does."""
    with reading(room.database) as connection:
        checked = check_self_report(statement, loading.lookup(connection), room.clock())
    teach(room)
    counts = dict(room.steward.report(statement))
    personal: dict[str, Json] = {
        "enterprise": checked.enterprise,
        "table": checked.table,
        "statement": statement.digest,
        "rows": counts.get("rows", 0),
        "quarantined": counts.get("quarantined", 0),
    }
    with writing(room.database) as connection:
        write_entry(connection, room, Draft("self_reported", checked.enterprise, personal))
    return counts
