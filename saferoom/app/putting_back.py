"""How do rows that a sink kept come back into the database, whatever is there already?

Row by row, later images over earlier ones, in the order of the foreign keys. Spent bits and
epochs only grow. Numbers that the database gives are left to it. At the end accounts are held
against the releases that came back, and what must happen again in the vault waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.writing import insert_missing, insert_or_update
from saferoom.app.images import Images, Row
from saferoom.core.erasure import ORDERED

_WAITING = "waiting"
_NUMBERED = frozenset({"vote", "notice", "lesson", "concern"})  # the database gives their keys
_GROWS = ("spent_mbit", "epoch")
_ORDER = (
    t.enrolment, t.party, t.contact, t.subject, t.version, t.vote, t.suspension, t.standing,
    t.snapshot, t.enterprise, t.account, t.budget, t.permission, t.revocation, t.request,
    t.release, t.refusal, t.erasure, t.record, t.opening, t.subject_key, t.dispute,
    t.paper, t.notice, t.lesson, t.concern, t.verification,
)  # fmt: skip  # a table


def put_back(connection: Connection, images: Images) -> None:
    """Write one line's rows."""
    for table in _ORDER:
        rows = images.get(table.name, [])
        if table.name in _NUMBERED:
            for row in rows:
                _insert_unless_there(connection, table, row)
        elif any(name in table.c for name in _GROWS):
            for row in rows:
                _grow(connection, table, row)
        else:
            for row in rows:
                _put(connection, table, row)


def settle(connection: Connection, opened: Sequence[Images]) -> None:
    """Hold accounts against releases; let erasures and lessons reach the vault again."""
    accounts = {
        (row["enterprise"], row["bank_group"]) for one in opened for row in one.get("release", ())
    }
    for enterprise, group in accounts:
        _charge(connection, t.account, enterprise, t.release.c.bank_group == group,
                t.account.c.enterprise == enterprise, t.account.c.bank_group == group)  # fmt: skip
        _charge(connection, t.enterprise, enterprise, sa.true(), t.enterprise.c.code == enterprise)
    erasures = [row for one in opened for row in one.get("erasure", ())]
    for digest, code in {(row["digest"], row["enterprise"]) for row in erasures}:
        again = sa.update(t.erasure).where(t.erasure.c.digest == digest)
        connection.execute(again.values(state=ORDERED, certificate=None))
        hidden = sa.update(t.release).where(t.release.c.enterprise == code)
        connection.execute(hidden.values(answer=b""))


def _charge(
    connection: Connection,
    table: Table,
    enterprise: object,
    of: sa.ColumnElement[bool],
    *where: sa.ColumnElement[bool],
) -> None:
    query = sa.select(sa.func.coalesce(sa.func.sum(t.release.c.charge_mbit), 0))
    charged = connection.scalar(query.where(t.release.c.enterprise == enterprise, of))
    less = table.c.spent_mbit < charged
    connection.execute(sa.update(table).where(*where, less).values(spent_mbit=charged))


def _put(connection: Connection, table: Table, row: Row) -> None:
    if len(row) == len(table.primary_key):
        insert_missing(connection, table, [row])
    else:
        insert_or_update(connection, table, [row])


def _grow(connection: Connection, table: Table, row: Row) -> None:
    where = [column == row[column.name] for column in table.primary_key]
    had = connection.execute(sa.select(table).where(*where)).mappings().one_or_none()
    grown = {
        name: max(_number(row[name]), _number(had[name]))
        for name in _GROWS
        if had is not None and name in row
    }
    _put(connection, table, {**row, **grown})


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _insert_unless_there(connection: Connection, table: Table, row: Row) -> None:
    """Compare all but the number; a lesson waits again, for the vault may have forgotten it."""
    said = {name: value for name, value in row.items() if name != "number"}
    if table is t.lesson:
        said["state"] = _WAITING
        same = [t.lesson.c.digest == said["digest"]]
    elif table is t.notice:
        names = ("entry", "recipient", "kind", "position")
        same = [t.notice.c[name] == said[name] for name in names]
    elif table is t.concern:
        same = [t.concern.c[name] == value for name, value in said.items()]
    else:
        same = [t.vote.c[name] == said[name] for name in ("subject", "key")]
    if connection.execute(sa.select(table.c.number).where(*same).limit(1)).first() is None:
        connection.execute(sa.insert(table).values(said))
