"""What did each enterprise grant, and what may still be learnt of it?

The same code loads without locks for the pre-check and with them for the release. A
signature that was checked over the same bytes a moment ago, by a key that is still in
force, is not computed again: `Checked` remembers within one request only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.app import loading, locking
from saferoom.app.charges import Charged, load_charged
from saferoom.app.frames import Frame
from saferoom.app.revocations import load_revocations
from saferoom.canonical import Digest
from saferoom.core.budget import Budget, check_budget
from saferoom.core.closing import confirmed
from saferoom.core.enrolment import Lookup
from saferoom.core.grant import Grant, Revocation, check_grant, first_mismatch, live, revoked
from saferoom.core.grant_text import GrantTemplate, check_text
from saferoom.core.release import check_release
from saferoom.core.state import GrantState
from saferoom.crypto.signing import KeyId, Statement
from saferoom.errors import Refusal

_Rows = Mapping[str, Row[*tuple[object, ...]]]
_CODES: sa.BindParameter[str] = sa.bindparam("codes", expanding=True)
_PERMISSIONS = locking.lockable_shared(
    sa.select(t.permission.c.enterprise, t.permission.c.state, t.permission.c.statement)
    .where(
        t.permission.c.enterprise.in_(_CODES),
        t.permission.c.version == sa.bindparam("version"),
    )
    .order_by(t.permission.c.enterprise, t.permission.c.number)
)
_EVERYTHING = locking.lockable_exclusive(
    sa.select(t.enterprise).where(t.enterprise.c.code.in_(_CODES)).order_by(t.enterprise.c.code)
)
_ACCOUNTS = locking.lockable_exclusive(
    sa.select(t.account)
    .where(t.account.c.enterprise.in_(_CODES), t.account.c.bank_group == sa.bindparam("group"))
    .order_by(t.account.c.enterprise)
)
_BUDGETS = sa.select(t.budget.c.digest, t.budget.c.statement).where(
    t.budget.c.digest.in_(sa.bindparam("digests", expanding=True))
)
_IN_FORCE = sa.select(t.enrolment.c.key).where(
    t.enrolment.c.key.in_(sa.bindparam("keys", expanding=True)),
    t.enrolment.c.replaced_by.is_(None),
)


@dataclass(frozen=True)
class Holding:
    """One enterprise's side of a release, as of now."""

    enterprise: str
    epoch: int
    spent_all_mbit: int
    ceiling_mbit: int
    spent_group_mbit: int
    charged: Charged  # what its releases say: never more than is spent
    budget: Budget | None
    grant: Grant | None
    statement: Statement | None  # the grant's
    state: GrantState | None
    broken: Refusal | None  # a signature that does not hold


@dataclass
class Checked:
    """Statements whose signatures held, by their bytes, with the key that signed."""

    grants: dict[bytes, tuple[Statement, Grant]] = field(default_factory=dict)
    budgets: dict[bytes, tuple[Statement, Budget]] = field(default_factory=dict)


def load_holdings(
    connection: Connection,
    frame: Frame,
    enterprises: Collection[str],
    checked: Checked,
    *,
    lock: bool,
) -> dict[str, Holding]:
    """Load these enterprises, in the fixed order of locks; unknown ones are absent."""
    codes = sorted(enterprises)
    charged = load_charged(connection, codes, frame.manifest.group)
    named = {"codes": codes, "version": frame.manifest.digest, "group": frame.manifest.group}
    permissions = _latest(connection.execute(_PERMISSIONS[lock], named).all())
    everything = connection.execute(_EVERYTHING[lock], named).all()
    accounts = {row.enterprise: row for row in connection.execute(_ACCOUNTS[lock], named)}
    drawn_on = [row.budget for row in (*everything, *accounts.values()) if row.budget]
    found = connection.execute(_BUDGETS, {"digests": drawn_on})
    budgets: _Rows = {row.digest: row for row in found}
    revocations = load_revocations(connection, codes)
    find = _in_force(connection, [*permissions.values(), *budgets.values()], checked)
    holdings = {}
    for row in everything:
        papers = _Papers(row.code, budgets, find, checked, partial(frame.find_template, connection))
        holding = _hold(row, permissions.get(row.code), accounts.get(row.code), papers)
        holding = replace(holding, charged=charged.get(row.code, Charged()))
        holdings[row.code] = _taken_back(holding, revocations.get(row.code, ()))
    return holdings


def _taken_back(holding: Holding, revocations: Sequence[Revocation]) -> Holding:
    """Let the stored revocations decide, whatever the grant's state says."""
    if holding.grant is None or not revoked(holding.grant, revocations):
        return holding
    return replace(holding, state=GrantState.REVOKED)


def check_holding(frame: Frame, holding: Holding | None, charge_mbit: int) -> None:
    """Refuse with the first rule that does not hold for this enterprise and charge."""
    if holding is None:
        raise Refusal("AUTH_MISSING")
    if holding.broken is not None:
        raise holding.broken
    grant, budget = holding.grant, holding.budget
    check_release(
        frame.release_facts(
            grant_state=holding.state,
            grant_confirmed=grant is not None and confirmed(grant.signed_at, frame.closings),
            grant_live=grant is not None and live(grant, frame.now),
            grant_covers=grant is not None and _covers(frame, grant),
            charge_mbit=charge_mbit,
            spent_group_mbit=holding.spent_group_mbit,
            limit_mbit=None if budget is None else budget.limit_mbit,
            spent_all_mbit=holding.spent_all_mbit,
            ceiling_mbit=holding.ceiling_mbit,
            charged_group_mbit=holding.charged.to_group,
            charged_all_mbit=holding.charged.to_all,
        )
    )


def _covers(frame: Frame, grant: Grant) -> bool:
    purpose, bank = frame.asked.request.purpose, frame.manifest.bank
    return first_mismatch(grant, frame.manifest, frame.categories, purpose, bank) is None


def _latest(rows: Sequence[Row[*tuple[object, ...]]]) -> dict[str, Row[*tuple[object, ...]]]:
    """Of several grants for one version the latest counts, even if it was revoked."""
    return {row.enterprise: row for row in rows}  # in the order of their numbers


def _in_force(
    connection: Connection, rows: Sequence[Row[*tuple[object, ...]]], checked: Checked
) -> Lookup:
    """Find the signers in one query each: who was checked already only by key."""
    known = {**checked.grants, **checked.budgets}
    seen = {known[r.statement][0].signatures[0].key for r in rows if r.statement in known}
    new = [
        mark.key
        for row in rows
        if row.statement not in known
        for mark in Statement.from_bytes(row.statement).signatures
    ]
    replaced = _replaced(connection, seen)
    for memory in (checked.grants, checked.budgets):
        for stored in [s for s, (one, _) in memory.items() if one.signatures[0].key in replaced]:
            del memory[stored]
    return loading.lookup_among(connection, [*new, *replaced])


def _replaced(connection: Connection, keys: Collection[KeyId]) -> set[KeyId]:
    if not keys:
        return set()
    in_force = connection.scalars(_IN_FORCE, {"keys": sorted(keys)})
    return set(keys) - {KeyId(key) for key in in_force}


@dataclass(frozen=True)
class _Papers:
    """What one enterprise signed, as the rows name it; each paper must be its own."""

    enterprise: str
    budgets: _Rows
    find: Lookup
    checked: Checked
    find_template: Callable[[Digest], GrantTemplate | None]  # if it was approved

    def budget(self, digest: str, group: str | None = None) -> Budget:
        row = self.budgets.get(digest)
        if row is None:
            raise Refusal("LEDGER_INCONSISTENT", "a budget is missing")
        if row.statement not in self.checked.budgets:
            statement = Statement.from_bytes(row.statement)
            self.checked.budgets[row.statement] = (statement, check_budget(statement, self.find))
        budget = self.checked.budgets[row.statement][1]
        named = (digest, self.enterprise, group or budget.group)
        if named != (budget.digest, budget.enterprise, budget.group):
            raise Refusal("LEDGER_INCONSISTENT", "a budget is another's")
        return budget

    def grant(self, stored: bytes) -> tuple[Statement, Grant]:
        if stored not in self.checked.grants:
            statement = Statement.from_bytes(stored)
            grant = check_grant(statement, self.find)
            check_text(self.find_template(grant.template), grant)
            self.checked.grants[stored] = (statement, grant)
        statement, grant = self.checked.grants[stored]
        if grant.enterprise != self.enterprise:
            raise Refusal("AUTH_SCOPE", "enterprise")
        return statement, grant


def _hold(
    row: Row[*tuple[object, ...]],
    permission: Row[*tuple[object, ...]] | None,
    account: Row[*tuple[object, ...]] | None,
    papers: _Papers,
) -> Holding:
    statement, grant, budget, broken, ceiling_mbit = None, None, None, None, 0
    try:
        if row.budget is not None:  # the column beside it is for the ledger's readers only
            ceiling_mbit = papers.budget(row.budget).ceiling_mbit
        if account is not None:
            budget = papers.budget(account.budget, account.bank_group)
        if permission is not None:
            statement, grant = papers.grant(permission.statement)
    except Refusal as error:
        broken = error
    return Holding(
        enterprise=row.code,
        epoch=row.epoch,
        spent_all_mbit=row.spent_mbit,
        ceiling_mbit=ceiling_mbit,
        spent_group_mbit=0 if account is None else account.spent_mbit,
        charged=Charged(),
        budget=budget,
        grant=grant,
        statement=statement,
        state=None if permission is None else GrantState(permission.state),
        broken=broken,
    )
