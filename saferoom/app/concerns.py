"""Which parties may have a receipt of an entry?

A line for each party that an entry concerns, written in the entry's own transaction: what the
party may ask about, and how its list of receipts is found. Releases have a table of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.canonical import Json

if TYPE_CHECKING:
    from saferoom.app.entries import Draft

WHOLE_ENTRY = -1
# Kind of entry → its fields that name a party. Who else is concerned, a draft says.
PARTIES: Mapping[str, tuple[str, ...]] = {
    "key_enrolled": ("party",),
    "contact_set": ("party",),
    "party_admitted": ("party",),
    "party_suspended": ("party",),
    "source_connected": ("party",),
    "ingested": ("source",),
    "profiled": ("party",),
    "quality_ticket": ("source",),
    "version_submitted": ("bank",),
    "budget_signed": ("enterprise",),
    "grant_signed": ("enterprise", "bank"),
    "grant_revoked": ("enterprise",),
    "erased": ("enterprise",),
}


def write_concerns(connection: Connection, drafts: Sequence[Draft], ids: Sequence[str]) -> None:
    """Store whom each entry concerns."""
    rows = [
        {"party": party, "kind": draft.kind, "entry": id_, "position": position}
        for id_, draft in zip(ids, drafts, strict=True)
        for party, position in dict.fromkeys(_concerned(draft))
    ]
    if rows:
        connection.execute(sa.insert(t.concern), rows)


def _concerned(draft: Draft) -> Iterator[tuple[str, int]]:
    named: list[Json] = [draft.personal[name] for name in PARTIES.get(draft.kind, ())]
    yield from ((str(party), WHOLE_ENTRY) for party in (*named, *draft.concerns))
    if draft.kind == "refusal":
        for position, enterprise in enumerate(draft.record_subjects):
            yield from ((who, position) for who in (str(draft.personal["bank"]), enterprise))
