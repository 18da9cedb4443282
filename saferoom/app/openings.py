"""What may an auditor read of the log in clear, and who knows that it was read?

Openings, records and the signed papers that entries rest on, page by page, for auditors
alone. Each page is a log entry of its own, which every mandatory sink holds before the page is
given out. What was shredded stays closed. The monitor (saferoom/monitor) checks all of it
against the tiles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft
from saferoom.app.log import acknowledge
from saferoom.app.shredding import load_keys, open_openings
from saferoom.app.together import write_together
from saferoom.canonical import Json, parse_object
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, Unavailable
from saferoom.tlog.commitments import Opening

PAGE = 1_000
_LEAF = -1
# Kind of entry → where the paper stands whose digest it commits to.
_PAPERS: Mapping[str, sa.Table] = {
    "key_enrolled": t.enrolment,
    "budget_signed": t.budget,
    "grant_signed": t.permission,
    "grant_revoked": t.revocation,
    "vote_cast": t.vote,
}
_Rows = Sequence[Row[*tuple[object, ...]]]


def export(room: Room, caller: Caller, first: int, size: int | None) -> dict[str, Json]:
    """Open at most a page of entries below `size`; unset: below what is published now."""
    if caller.role is not Role.AUDITOR:
        raise Refusal("ROLE")
    published = room.log.size
    until = published if size is None else size
    if not 0 <= first <= until <= published:
        raise BadInput("FIELD_INVALID", "first, size")
    last = min(first + PAGE, until)
    personal: dict[str, Json] = {"auditor": caller.holder, "entries": [first, last]}
    entry = write_together(room, Draft("openings_exported", caller.holder, personal))
    try:
        acknowledge(room, [entry])
    except Unavailable as error:
        raise Unavailable("NOT_DELIVERED") from error
    with reading(room.database) as connection:
        lines = _lines(connection, room, first, last)
    return {"origin": room.origin, "size": until, "next": last, "lines": [*lines]}


def _lines(connection: Connection, room: Room, first: int, last: int) -> list[dict[str, Json]]:
    place = t.entry.c.leaf_index
    query = sa.select(t.entry).where(place >= first, place < last).order_by(place)
    entries = connection.execute(query).all()
    ids = [entry.id for entry in entries]
    records: defaultdict[str, list[bytes]] = defaultdict(list)
    found = sa.select(t.record).where(t.record.c.entry.in_(ids)).order_by(t.record.c.position)
    for row in connection.execute(found):
        records[row.entry].append(row.record)
    opened = _openings(connection, room, ids)
    papers = _papers(connection, entries, opened)
    return [
        {
            "index": entry.leaf_index,
            "leaf": _write(opened.get((entry.id, _LEAF), {})),
            "records": [
                {"record": parse_object(record), "openings": _write(opened.get((entry.id, at), {}))}
                for at, record in enumerate(records[entry.id])
            ],
            "statements": [one.to_json() for one in papers.get(entry.id, ())],
        }
        for entry in entries
    ]


def _openings(
    connection: Connection, room: Room, ids: Sequence[str]
) -> dict[tuple[str, int], dict[str, Opening]]:
    rows = connection.execute(sa.select(t.opening).where(t.opening.c.entry.in_(ids))).all()
    keys = load_keys(connection, room, {row.subject for row in rows})
    return {
        (row.entry, row.position): open_openings(
            keys[row.subject], row.sealed, row.entry, row.position
        )
        for row in rows
        if row.subject in keys
    }


def _papers(
    connection: Connection, entries: _Rows, opened: Mapping[tuple[str, int], dict[str, Opening]]
) -> dict[str, list[Statement]]:
    wanted: defaultdict[str, dict[str, str]] = defaultdict(dict)  # kind → entry → digest
    for entry in entries:
        paper = opened.get((entry.id, _LEAF), {}).get("statement")
        if entry.kind in _PAPERS and paper is not None:
            wanted[entry.kind][entry.id] = str(paper.value)
    found: dict[str, list[Statement]] = {}
    for kind, digests in wanted.items():
        stored = _stored(connection, _PAPERS[kind], digests.values())
        found |= {id_: stored.get(digest, []) for id_, digest in digests.items()}
    return found


def _stored(
    connection: Connection, table: sa.Table, digests: Iterable[str]
) -> dict[str, list[Statement]]:
    query = sa.select(table.c.digest, table.c.statement).where(table.c.digest.in_(list(digests)))
    stored: defaultdict[str, list[Statement]] = defaultdict(list)
    for row in connection.execute(query):
        stored[row.digest].append(Statement.from_bytes(row.statement))
    return stored


def _write(openings: Mapping[str, Opening]) -> dict[str, Json]:
    return {
        name: {"nonce": opening.nonce.hex(), "value": opening.value}
        for name, opening in openings.items()
    }
