"""How are many statements read at once, all or none?

Each is checked on its own; what is stored already is skipped, so that a batch may be sent
again. Keys and known digests are read in one query each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.app import loading
from saferoom.core.enrolment import Lookup
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput

MOST_STATEMENTS = 500
R = TypeVar("R")


def check_count(statements: Sequence[Statement]) -> None:
    """Refuse an empty or too long list."""
    if not statements:
        raise BadInput("FIELD_INVALID", "statements")
    if len(statements) > MOST_STATEMENTS:
        raise BadInput("TOO_LARGE", f"at most {MOST_STATEMENTS} statements")


def read_new(
    connection: Connection,
    statements: Sequence[Statement],
    table: sa.Table,
    check: Callable[[Statement, Lookup], R],
) -> list[tuple[Statement, R]]:
    """Check every statement that is not stored yet, in the given order."""
    keys = [mark.key for one in statements for mark in one.signatures]
    find = loading.lookup_among(connection, keys)
    return [(one, check(one, find)) for one in unknown(connection, statements, table)]


def unknown(
    connection: Connection, statements: Sequence[Statement], table: sa.Table
) -> list[Statement]:
    """Leave out what the table has by its digest, and what comes twice."""
    by_digest = {one.digest: one for one in statements}
    query = sa.select(table.c.digest).where(table.c.digest.in_(list(by_digest)))
    known = set(connection.scalars(query))
    return [one for digest, one in by_digest.items() if digest not in known]
