"""What do enterprises take back, and from when on?

Effective at once, one or up to 500 in one transaction, all or none. Locks are taken in the
room's one order (locking.py): all grants first, then the enterprises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.app import loading
from saferoom.app.batches import check_count
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entries
from saferoom.app.locking import lock_enterprises
from saferoom.app.revocations import load_revocations
from saferoom.app.teaching import queue, teach_now
from saferoom.app.verifying import is_question
from saferoom.canonical import Digest
from saferoom.core.grant import Grant, Revocation, check_revocation, check_revokes, revoked
from saferoom.core.moment import check_not_ahead, read_instant
from saferoom.core.state import GRANT, GrantState, check_transition
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal

_Stored = Mapping[Digest, tuple[Grant, str]]  # an enterprise's grants, and their states


@dataclass(frozen=True)
class _Taken:
    statement: Statement
    revocation: Revocation
    ended: Sequence[Digest]


def revoke(room: Room, caller: Caller, statement: Statement) -> Digest:
    """Revoke a grant and all that was signed before for its version, at once."""
    return revoke_all(room, caller, [statement])[0]


def revoke_all(room: Room, _caller: Caller, statements: Sequence[Statement]) -> tuple[Digest, ...]:
    """Revoke all or none; whoever brings the statements adds no authority.

    A grant need not have been brought yet: then it never can be. Whoever holds the rows'
    locks first, this or a release, is before or after, never between.
    """
    check_count(statements)
    with writing(room.database) as connection:
        keys = [mark.key for one in statements for mark in one.signatures]
        find = loading.lookup_among(connection, keys)
        new = [(one, check_revocation(one, find)) for one in statements]
        for _, revocation in new:
            check_not_ahead(revocation.revoked_at, room.clock(), "revoked_at")
        answered, taken = _take(connection, new)
        _store(connection, room, taken)
        queue(connection, [one.statement for one in taken])
    teach_now(room)
    return answered


def _take(
    connection: Connection, new: Sequence[tuple[Statement, Revocation]]
) -> tuple[tuple[Digest, ...], list[_Taken]]:
    """Lock, and say which statement answers each; an earlier one where it has the same effect."""
    codes = sorted({revocation.enterprise for _, revocation in new})
    grants = _lock_grants(connection, codes)
    lock_enterprises(connection, codes)
    earlier = {code: [*found] for code, found in load_revocations(connection, codes).items()}
    answered, taken = [], []
    for statement, revocation in new:
        stored = grants.get(revocation.enterprise, {})
        _check_named(connection, revocation, stored)
        before = earlier.setdefault(revocation.enterprise, [])
        same = next((one for one in before if _says_no_more(revocation, one)), None)
        answered.append(statement.digest if same is None else same.digest)
        if same is None:
            before.append(revocation)
            taken.append(_Taken(statement, revocation, _ended(revocation, stored)))
    return tuple(answered), taken


def _lock_grants(connection: Connection, codes: Sequence[str]) -> dict[str, _Stored]:
    columns = (t.permission.c.digest, t.permission.c.state, t.permission.c.statement)
    query = sa.select(t.permission.c.enterprise, *columns)
    query = query.where(t.permission.c.enterprise.in_(codes))
    query = query.order_by(t.permission.c.enterprise, t.permission.c.number).with_for_update()
    found: dict[str, dict[Digest, tuple[Grant, str]]] = {}
    for row in connection.execute(query):
        of_enterprise = found.setdefault(row.enterprise, {})
        of_enterprise[Digest(row.digest)] = (loading.read(Grant, row.statement), row.state)
    return dict(found)


def _check_named(connection: Connection, revocation: Revocation, stored: _Stored) -> None:
    """Hold the revocation to the grant that it names, or at least to a version that exists."""
    if revocation.grant in stored:
        check_revokes(revocation, stored[revocation.grant][0])
        return
    query = sa.select(t.permission.c.enterprise).where(t.permission.c.digest == revocation.grant)
    if connection.scalar(query) is not None:
        raise Refusal("AUTH_SCOPE", "grant")
    if not is_question(connection, revocation.version):
        loading.manifest_of(connection, revocation.version)


def _says_no_more(revocation: Revocation, earlier: Revocation) -> bool:
    """Say whether an earlier revocation has the same effect: then it is answered again."""
    same = (earlier.grant, earlier.version) == (revocation.grant, revocation.version)
    return same and read_instant(revocation.revoked_at) <= read_instant(earlier.revoked_at)


def _ended(revocation: Revocation, stored: _Stored) -> list[Digest]:
    return [
        digest
        for digest, (grant, state) in stored.items()
        if state == GrantState.GRANTED and revoked(grant, [revocation])
    ]


def _store(connection: Connection, room: Room, taken: Sequence[_Taken]) -> None:
    if not taken:
        return
    rows = [
        {
            "digest": one.statement.digest,
            "enterprise": one.revocation.enterprise,
            "statement": one.statement.to_bytes(),
        }
        for one in taken
    ]
    connection.execute(sa.insert(t.revocation), rows)
    ended = [digest for one in taken for digest in one.ended]
    state = check_transition(GRANT, GrantState.GRANTED, "revoke")
    change = sa.update(t.permission).where(t.permission.c.digest.in_(ended))
    connection.execute(change.values(state=str(state)))
    versions = {one.revocation.version for one in taken}
    query = sa.select(t.version.c.digest, t.version.c.bank).where(t.version.c.digest.in_(versions))
    banks = {row.digest: row.bank for row in connection.execute(query)}  # a question has no bank
    drafts = [_draft(one, banks.get(one.revocation.version)) for one in taken]
    write_entries(connection, room, drafts)


def _draft(one: _Taken, bank: str | None) -> Draft:
    return Draft(
        "grant_revoked",
        one.revocation.enterprise,
        {
            "enterprise": one.revocation.enterprise,
            "grant": one.revocation.grant,
            "statement": one.statement.digest,
        },
        concerns=[] if bank is None else [bank],
    )
