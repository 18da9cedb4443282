"""Which rows belong to an entry of the log, and how are they written so that they can come back?

The table is literal: by the entry's id, by the names that it is about, and by the digests that
it names. What a test finds in neither list fails it, so no new table is forgotten. Rows are
taken as they are now, which is at least what the entry's own transaction made of them.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import sqlalchemy as sa
from sqlalchemy import Column, Connection

from saferoom.adapters.database import tables as t
from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import Tampered

Row = dict[str, object]
Images = dict[str, list[Row]]
Found = Mapping[str, Sequence[str]]  # what entries name: "entry", "name" and so on

# In the order in which foreign keys let them be inserted.
BY_ENTRY = (t.entry.c.id, t.release.c.entry, t.refusal.c.entry, t.record.c.entry,
            t.opening.c.entry, t.notice.c.entry, t.concern.c.entry,
            t.verification.c.entry)  # fmt: skip  # a table
BY_NAME = (t.subject_key.c.subject,)
BY_CODE = (t.enterprise.c.code, t.account.c.enterprise)
BY_REQUEST = (t.request.c.digest,)
# Of entries that are no scores; there are few of them.
SELDOM_BY_NAME = (t.party.c.party, t.contact.c.party)
SELDOM_BY_CODE = (t.permission.c.enterprise,)
SELDOM_BY_DIGEST = (
    t.enrolment.c.key, t.enrolment.c.digest, t.subject.c.digest, t.vote.c.subject,
    t.suspension.c.digest, t.version.c.digest, t.snapshot.c.digest, t.budget.c.digest,
    t.permission.c.digest, t.revocation.c.digest, t.erasure.c.digest, t.lesson.c.digest,
    t.dispute.c.digest, t.paper.c.digest,
)  # fmt: skip  # a table
SELDOM_WHOLE = (t.standing,)  # where an artefact is named
NOT_KEPT: Mapping[str, str] = {
    "token": "whoever was logged in logs in again",
    "idempotency": "a retry is answered anew; a request's own key stands in its row",
    "lease": "taken again by whoever runs",
    "learnt": "the vault says how far it came",
}
_MOST_NAMED = 500


def take(connection: Connection, named: Found, *, seldom: bool) -> Images:
    """Read the rows that these entries, names and digests lead to."""
    images: Images = {}
    _collect(connection, images, BY_ENTRY, named["entry"])
    _collect(connection, images, BY_NAME, named["name"])
    _collect(connection, images, BY_CODE, named["code"])
    requests = {str(row["request"]) for n in ("release", "refusal") for row in images.get(n, ())}
    _collect(connection, images, BY_REQUEST, sorted(requests))
    if seldom:
        _collect(connection, images, SELDOM_BY_NAME, named["name"])
        _collect(connection, images, SELDOM_BY_CODE, named["code"])
        _collect(connection, images, SELDOM_BY_DIGEST, named["digest"])
        for table in SELDOM_WHOLE if named["artefact"] else ():
            images[table.name] = [dict(r) for r in connection.execute(sa.select(table)).mappings()]
    return images


def write_images(images: Images) -> bytes:
    """Write rows as bytes, packed."""
    body: dict[str, Json] = {
        name: [{key: _write(value) for key, value in row.items()} for row in rows]
        for name, rows in images.items()
    }
    return zlib.compress(canonical_bytes(body), 1)


def read_images(data: bytes) -> Images:
    """Read what `write_images` wrote, by names that this program knows."""
    body = parse_object(zlib.decompress(data))
    images: Images = {}
    for name, rows in body.items():
        table = t.metadata.tables.get(name)
        if table is None or not isinstance(rows, list):
            raise Tampered("CONTENT_CHANGED", "rows of a table that is not known")
        known = {column.name for column in table.columns}
        images[name] = [_read_row(row, known) for row in rows]
    return images


def tables_kept() -> set[str]:
    """Name every table that the lists above lead to."""
    often = (*BY_ENTRY, *BY_NAME, *BY_CODE, *BY_REQUEST)
    columns = (*often, *SELDOM_BY_NAME, *SELDOM_BY_CODE, *SELDOM_BY_DIGEST)
    return {column.table.name for column in columns} | {table.name for table in SELDOM_WHOLE}


def _collect(
    connection: Connection, images: Images, columns: Iterable[Column[str]], values: Sequence[str]
) -> None:
    for column in columns:
        rows = images.setdefault(column.table.name, [])
        had = {_key(column.table, row) for row in rows}
        for first in range(0, len(values), _MOST_NAMED):
            some = values[first : first + _MOST_NAMED]
            found = map(dict, connection.execute(_query(column), {"some": some}).mappings())
            rows += [row for row in found if _key(column.table, row) not in had]


@cache
def _query(column: Column[str]) -> sa.Select[tuple[object, ...]]:
    """Build each query once: it is asked at every delivery."""
    return sa.select(column.table).where(column.in_(sa.bindparam("some", expanding=True)))


def _key(table: sa.Table, row: Row) -> tuple[object, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _write(value: object) -> Json:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    assert value is None or isinstance(value, str | int | bool)
    return value


def _read_row(row: Json, known: set[str]) -> Row:
    if not isinstance(row, dict) or not set(row) <= known:
        raise Tampered("CONTENT_CHANGED", "rows of a table that is not known")
    return {
        key: base64.b64decode(str(value["b"])) if isinstance(value, dict) else value
        for key, value in row.items()
    }
