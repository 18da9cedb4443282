"""Who hears that data are not good enough?

The vault counts before each snapshot; a source whose batches fall below a rule gets a ticket: an
entry in the log and a notice, with numbers and reasons, never a row. Its steward reads which
rules and batches; everybody may read which tables are closed, for their features are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from saferoom.adapters.database.engine import writing
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entries
from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.source import SourceManifest

ALL = frozenset({Role.OPERATOR, Role.AUDITOR})


def quality(room: Room, caller: Caller) -> dict[str, Json]:
    """Show closed tables, and the tickets of the caller's own tables; operators see all."""
    told = room.vault.describe()
    closed, tickets = _findings(told)
    if caller.role not in ALL:
        own = _tables(told).get(caller.party, set()) if caller.role is Role.STEWARD else set()
        tickets = [ticket for ticket in tickets if ticket.get("table") in own]
    return {"closed": [*closed], "tickets": [*tickets]}


def send_tickets(room: Room) -> int:
    """Tell each source what its steward should see to; how many sources were told."""
    told = room.vault.describe()
    closed, tickets = _findings(told)
    drafts = []
    for party, tables in sorted(_tables(told).items()):
        mine = [ticket for ticket in tickets if ticket.get("table") in tables]
        if mine:
            personal: dict[str, Json] = {
                "source": party,
                "tickets": len(mine),
                "closed": len(tables & set(closed)),
            }
            drafts.append(Draft("quality_ticket", party, personal))
    with writing(room.database) as connection:
        write_entries(connection, room, drafts)
    return len(drafts)


def _findings(told: Mapping[str, Json]) -> tuple[list[str], Sequence[dict[str, Json]]]:
    match told.get("quality"):
        case {"closed": list(closed), "tickets": list(tickets)}:
            return [str(one) for one in closed], [one for one in tickets if isinstance(one, dict)]
        case _:
            return [], []


def _tables(told: Mapping[str, Json]) -> dict[str, set[str]]:
    """Name the tables that each source party brings."""
    found: dict[str, set[str]] = {}
    sources = told.get("sources")
    for body in sources.values() if isinstance(sources, dict) else []:
        manifest = SourceManifest.from_body(body)
        tables = {table.table for table in manifest.tables}
        found.setdefault(manifest.party, set()).update(tables)
    return found
