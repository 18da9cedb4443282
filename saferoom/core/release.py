"""May this one answer leave, and if not, which rule refuses first?

Code refuses first and runs whatever Cedar says. The order below is literal: who asks,
what was approved, what was asked, what the enterprise agreed to, what it may still cost.
An earlier refusal never tells about a later one, so a stranger learns nothing of grants
and a bank without a grant learns nothing of budgets.

Facts come from rows locked in the releasing transaction and from `check_…` of the
neighbouring modules; each is a plain value, so that this table can be read on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from saferoom.core.ledger import affordable
from saferoom.core.state import GrantState, PartyState, VersionState
from saferoom.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """Everything that decides, as of now and under lock."""

    party_state: PartyState | None
    contract_live: bool  # admission.active
    contract_covers: bool  # admission.contract_covers: purpose and categories
    version_state: VersionState | None
    approvals_complete: bool  # approval.state is "approved", from checked signatures
    request_signed: bool  # request.check_request passed for this caller and version
    purpose_matches: bool  # the request's purpose is the version's
    grant_state: GrantState | None  # None: there is no grant for this version
    grant_confirmed: bool  # closing.confirmed: signed since the last log was closed
    grant_live: bool  # grant.live
    grant_covers: bool  # grant.first_mismatch is None
    charge_mbit: int
    spent_group_mbit: int
    limit_mbit: int | None  # None: no budget was ever signed
    spent_all_mbit: int
    ceiling_mbit: int | None
    charged_group_mbit: int  # what the releases to this group say; no less must be spent
    charged_all_mbit: int


def _bears(charge: int, spent: int, limit: int | None) -> bool:
    return limit is not None and affordable(charge, spent, limit)


def _adds_up(facts: ReleaseFacts) -> bool:
    of_group = facts.charged_group_mbit <= facts.spent_group_mbit
    return of_group and facts.charged_all_mbit <= facts.spent_all_mbit


_GRANTED_ONCE = frozenset({GrantState.GRANTED, GrantState.EXPIRED, GrantState.REVOKED})

ORDER: tuple[tuple[str, Callable[[ReleaseFacts], bool]], ...] = (
    ("ORG_INACTIVE", lambda f: f.party_state is PartyState.ADMITTED and f.contract_live),
    ("CONTRACT_SCOPE", lambda f: f.contract_covers),
    ("MODEL_UNFILED", lambda f: f.version_state is VersionState.APPROVED),
    ("APPROVAL_MISSING", lambda f: f.approvals_complete),
    ("SIGNATURE_INVALID", lambda f: f.request_signed),
    ("PURPOSE", lambda f: f.purpose_matches),
    ("AUTH_MISSING", lambda f: f.grant_state in _GRANTED_ONCE),
    ("AUTH_REVOKED", lambda f: f.grant_state is not GrantState.REVOKED),
    ("AUTH_UNCONFIRMED", lambda f: f.grant_confirmed),
    ("AUTH_EXPIRED", lambda f: f.grant_state is GrantState.GRANTED and f.grant_live),
    ("AUTH_SCOPE", lambda f: f.grant_covers),
    ("LEDGER_INCONSISTENT", _adds_up),
    ("BUDGET_FULL", lambda f: _bears(f.charge_mbit, f.spent_group_mbit, f.limit_mbit)),
    ("CEILING_FULL", lambda f: _bears(f.charge_mbit, f.spent_all_mbit, f.ceiling_mbit)),
)


def check_release(facts: ReleaseFacts) -> None:
    """Refuse with the first rule that does not hold."""
    for code, holds in ORDER:
        if not holds(facts):
            raise Refusal(code)
