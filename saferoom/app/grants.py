"""What have enterprises granted, and what did they take back?

Whoever brings the statements (the enterprise, or a portal for it) adds no authority:
each is signed by the enterprise's own key. Nor does whoever brings one late: grants for one
version are a chain, and what was signed before a revocation is void.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading
from saferoom.app.batches import check_count, read_new
from saferoom.app.budgets import ledger, read_budgets, sign_budgets
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entries
from saferoom.app.locking import lock_enterprises
from saferoom.app.lookups import SEES_ALL, note_lookup
from saferoom.app.revocations import load_revocations
from saferoom.app.revoking import revoke, revoke_all
from saferoom.app.templates import standing_template
from saferoom.app.terms import load_offer
from saferoom.canonical import Digest, Json
from saferoom.core.budget import Budget
from saferoom.core.closing import confirmed
from saferoom.core.enrolment import Role
from saferoom.core.grant import (
    Grant,
    check_grant,
    check_renewal,
    first_mismatch,
    live,
    revoked,
)
from saferoom.core.grant_text import check_text
from saferoom.core.moment import check_not_ahead
from saferoom.core.state import GRANT, GrantState, check_transition
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, Refusal

__all__ = ["ledger", "list_grants", "revoke", "revoke_all", "sign_budgets", "sign_grants"]


def sign_grants(room: Room, _caller: Caller, statements: Sequence[Statement]) -> tuple[Digest, ...]:
    """Store signed grants, all or none; at most 500."""
    check_count(statements)
    with writing(room.database) as connection:
        new = read_new(connection, statements, t.permission, check_grant)
        if new:
            for _, grant in new:
                check_not_ahead(grant.signed_at, room.clock(), "signed_at")
            _check_fit(connection, room, [grant for _, grant in new])
            _store(connection, room, new)
    return tuple(statement.digest for statement in statements)


def list_grants(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """List grants: an enterprise's own, a bank's own, or all for operators and auditors."""
    query = sa.select(t.permission).order_by(t.permission.c.enterprise, t.permission.c.number)
    match caller.role:
        case Role.ENTERPRISE:
            query = query.where(t.permission.c.enterprise == caller.party)
        case role if role not in SEES_ALL:
            query = query.where(t.permission.c.bank == caller.party)
    note_lookup(room, caller, "grants")
    now = room.clock()
    with reading(room.database) as connection:
        rows = connection.execute(query).all()
    listed: list[dict[str, Json]] = []
    for row in rows:
        grant = loading.read(Grant, row.statement)
        expired = row.state == GrantState.GRANTED and not live(grant, now)
        state = str(GrantState.EXPIRED) if expired else row.state
        listed.append({"digest": row.digest, "state": state, "grant": grant.to_body()})
    return listed


def _check_fit(connection: Connection, room: Room, grants: Sequence[Grant]) -> None:
    """Refuse a grant that could never be scored under: it would mislead its signer."""
    template = standing_template(connection, room)
    known = {version: load_offer(connection, version) for version in {g.version for g in grants}}
    budgets = read_budgets(connection, [grant.budget for grant in grants])
    for grant in grants:
        offer = known[grant.version]
        field = first_mismatch(grant, offer.manifest, offer.categories, grant.purpose, grant.bank)
        field = field or offer.first_misnamed(grant)
        if field is not None:
            raise Refusal("AUTH_SCOPE", field)
        check_text(template, grant)
        _check_budget(budgets.get(grant.budget), grant)


def _check_budget(budget: Budget | None, grant: Grant) -> None:
    if budget is None:
        raise NotFound("NOT_FOUND", "budget")
    drawn = (budget.enterprise, budget.group, budget.limit_mbit)
    if drawn != (grant.enterprise, grant.group, grant.budget_mbit):
        raise Refusal("AUTH_SCOPE", "budget")


def _store(connection: Connection, room: Room, new: Sequence[tuple[Statement, Grant]]) -> None:
    """Store under locks, so that two grants for one version take their numbers in turn."""
    codes = sorted({grant.enterprise for _, grant in new})
    lock_enterprises(connection, codes)
    _check_chains(connection, room, codes, [grant for _, grant in new])
    numbers = _last_numbers(connection, codes)
    rows = []
    for statement, grant in new:
        place = (grant.enterprise, grant.version)
        numbers[place] = numbers.get(place, 0) + 1
        rows.append(
            {
                "digest": statement.digest,
                "enterprise": grant.enterprise,
                "bank": grant.bank,
                "version": grant.version,
                "state": str(check_transition(GRANT, GRANT.start, "grant")),
                "valid_until": grant.valid_until,
                "number": numbers[place],
                "statement": statement.to_bytes(),
            }
        )
    connection.execute(sa.insert(t.permission), rows)
    write_entries(connection, room, [_draft(grant) for _, grant in new])


def _check_chains(
    connection: Connection, room: Room, codes: Sequence[str], new: Sequence[Grant]
) -> None:
    """Refuse what is not the next grant of its chain, or was signed before a revocation."""
    query = sa.select(t.permission.c.statement).where(
        t.permission.c.enterprise.in_(codes),
        t.permission.c.version.in_(sorted({grant.version for grant in new})),
    )
    stored = connection.scalars(query.order_by(t.permission.c.number))
    known = [loading.read(Grant, statement) for statement in stored]
    latest = {(grant.enterprise, grant.version): grant for grant in known}
    revocations = load_revocations(connection, codes)
    for grant in new:
        place = (grant.enterprise, grant.version)
        if revoked(grant, revocations.get(grant.enterprise, ())):
            raise Refusal("AUTH_REVOKED", "signed before a revocation")
        if not confirmed(grant.signed_at, room.closings):
            raise Refusal("AUTH_UNCONFIRMED")
        check_renewal(grant, latest.get(place))
        latest[place] = grant


def _last_numbers(connection: Connection, codes: Sequence[str]) -> dict[tuple[str, Digest], int]:
    query = (
        sa.select(
            t.permission.c.enterprise,
            t.permission.c.version,
            sa.func.max(t.permission.c.number).label("last"),
        )
        .where(t.permission.c.enterprise.in_(codes))
        .group_by(t.permission.c.enterprise, t.permission.c.version)
    )
    return {(r.enterprise, Digest(r.version)): int(r.last) for r in connection.execute(query)}


def _draft(grant: Grant) -> Draft:
    return Draft(
        "grant_signed",
        grant.enterprise,
        {
            "enterprise": grant.enterprise,
            "bank": grant.bank,
            "version": grant.version,
            "statement": grant.digest,
        },
    )
