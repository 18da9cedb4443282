"""How many bits have enterprises allowed, and how many are spent?

A budget is signed by the enterprise's own key; whoever brings it adds no authority.
Accounts are locked in enterprise order, as the gate locks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_or_update
from saferoom.app import loading
from saferoom.app.batches import check_count, read_new
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entries
from saferoom.app.lookups import SEES_ALL, note_lookup
from saferoom.canonical import Digest, Json
from saferoom.core.budget import Budget, check_budget, check_order, check_replacement
from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound


def sign_budgets(
    room: Room, _caller: Caller, statements: Sequence[Statement]
) -> tuple[Digest, ...]:
    """Store signed budgets, all or none; at most 500."""
    check_count(statements)
    with writing(room.database) as connection:
        new = read_new(connection, statements, t.budget, check_budget)
        new.sort(key=lambda pair: (pair[1].enterprise, pair[1].signed_at))
        places = [(budget.enterprise, budget.group) for _, budget in new]
        if len(set(places)) != len(places):
            raise BadInput("FIELD_INVALID", "one budget for each enterprise and group")
        if new:
            _check_replacements(connection, room, [budget for _, budget in new])
            _store(connection, room, new)
    return tuple(statement.digest for statement in statements)


def read_budgets(connection: Connection, digests: Sequence[str]) -> dict[str, Budget]:
    """Read stored budgets by their digests."""
    query = sa.select(t.budget.c.digest, t.budget.c.statement).where(
        t.budget.c.digest.in_(sorted(set(digests)))
    )
    return {row.digest: loading.read(Budget, row.statement) for row in connection.execute(query)}


def ledger(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """State the accounts that this caller may see: limit and spent, in milli-bits."""
    query = sa.select(
        t.account, t.enterprise.c.ceiling_mbit, t.enterprise.c.spent_mbit.label("spent_all")
    ).join(t.enterprise, t.enterprise.c.code == t.account.c.enterprise)
    query = query.order_by(t.account.c.enterprise, t.account.c.bank_group)
    note_lookup(room, caller, "ledger")
    with reading(room.database) as connection:
        if caller.role is Role.ENTERPRISE:
            query = query.where(t.account.c.enterprise == caller.party)
        elif caller.role not in SEES_ALL:
            admission = loading.admission_of(connection, caller.party)
            group = "" if admission is None else admission.group
            query = query.where(t.account.c.bank_group == group)
        rows = connection.execute(query).all()
    return [_state(row, caller) for row in rows]


def _state(row: Row[*tuple[object, ...]], caller: Caller) -> dict[str, Json]:
    stated: dict[str, Json] = {
        "enterprise": row.enterprise,
        "group": row.bank_group,
        "budget": row.budget,
        "limit_mbit": row.limit_mbit,
        "spent_mbit": row.spent_mbit,
    }
    if caller.role in {*SEES_ALL, Role.ENTERPRISE}:  # one bank learns nothing of the others
        stated |= {"ceiling_mbit": row.ceiling_mbit, "spent_all_mbit": row.spent_all}
    return stated


def _check_replacements(connection: Connection, room: Room, new: Sequence[Budget]) -> None:
    """Lock the accounts, and hold each text to what they say, in the order of signing."""
    codes = sorted({budget.enterprise for budget in new})
    query = sa.select(t.enterprise).where(t.enterprise.c.code.in_(codes))
    locked = connection.execute(query.order_by(t.enterprise.c.code).with_for_update())
    everything = {row.code: row for row in locked}
    accounts = _accounts(connection, codes)
    known = [row.budget for row in (*accounts.values(), *everything.values()) if row.budget]
    stored = read_budgets(connection, known)
    newest = {code: stored.get(row.budget) for code, row in everything.items()}
    for budget in new:
        if budget.enterprise not in everything:
            raise NotFound("NOT_FOUND", "enterprise")
        check_order(budget, newest[budget.enterprise], room.clock())
        newest[budget.enterprise] = budget
        account = accounts.get((budget.enterprise, budget.group))
        check_replacement(
            budget,
            None if account is None else stored[account.budget],
            0 if account is None else account.spent_mbit,
            everything[budget.enterprise].spent_mbit,
        )


def _accounts(
    connection: Connection, codes: Sequence[str]
) -> Mapping[tuple[str, str], Row[*tuple[object, ...]]]:
    query = sa.select(t.account).where(t.account.c.enterprise.in_(codes))
    query = query.order_by(t.account.c.enterprise, t.account.c.bank_group).with_for_update()
    return {(row.enterprise, row.bank_group): row for row in connection.execute(query)}


def _store(connection: Connection, room: Room, new: Sequence[tuple[Statement, Budget]]) -> None:
    now = write_instant(room.clock())
    rows = [
        {
            "digest": statement.digest,
            "enterprise": budget.enterprise,
            "bank_group": budget.group,
            "statement": statement.to_bytes(),
            "stored_at": now,
        }
        for statement, budget in new
    ]
    connection.execute(sa.insert(t.budget), rows)
    accounts = [
        {
            "enterprise": budget.enterprise,
            "bank_group": budget.group,
            "budget": budget.digest,
            "limit_mbit": budget.limit_mbit,
            "spent_mbit": 0,
        }
        for _, budget in new
    ]
    insert_or_update(connection, t.account, accounts, keep=["spent_mbit"])
    newest = {one.enterprise: one for _, one in new}  # the last of each, as they are sorted
    ceilings = [
        {"who": who, "ceiling": one.ceiling_mbit, "newest": one.digest}
        for who, one in newest.items()
    ]
    change = sa.update(t.enterprise).where(t.enterprise.c.code == sa.bindparam("who"))
    values: dict[str, object] = {
        "ceiling_mbit": sa.bindparam("ceiling"),
        "budget": sa.bindparam("newest"),
    }
    connection.execute(change.values(values), ceilings)
    write_entries(connection, room, [_draft(budget) for _, budget in new])


def _draft(budget: Budget) -> Draft:
    return Draft(
        "budget_signed",
        budget.enterprise,
        {
            "enterprise": budget.enterprise,
            "group": budget.group,
            "limit_mbit": budget.limit_mbit,
            "ceiling_mbit": budget.ceiling_mbit,
            "statement": budget.digest,
        },
    )
