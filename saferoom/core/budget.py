"""How many bits may ever be learnt about this enterprise?

The budget is its own signed object (enterprise × bank group); the ceiling counts
over all groups. Raising says from, to, and what is already revealed. The newest budget of
all groups says the ceiling, so nothing older is taken: what an enterprise signed and kept
back, or what somebody kept of it, cannot undo what it signed since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.enrolment import Lookup, check_enterprise
from saferoom.core.moment import check_not_ahead, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Conflict

DEFAULT_BUDGET_MBIT = 40_000
DEFAULT_CEILING_MBIT = 80_000


@dataclass(frozen=True, kw_only=True)
class Budget(Record):
    """Limits in milli-bits, signed by the enterprise."""

    KIND: ClassVar[str] = "saferoom/budget/1"
    enterprise: str
    group: str
    limit_mbit: int
    ceiling_mbit: int
    replaces: Digest | None
    revealed_mbit: int  # what the text said was already revealed to the group
    signed_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(len(self.enterprise) == 18, "enterprise")
        check_field(0 < len(self.group) <= 64, "group")
        check_field(0 < self.limit_mbit <= 1_000_000, "limit_mbit")
        check_field(0 < self.ceiling_mbit <= 1_000_000, "ceiling_mbit")
        check_field(0 <= self.revealed_mbit <= 1_000_000, "revealed_mbit")
        if self.replaces is not None:
            hex_bytes(self.replaces, 32)
        read_instant(self.signed_at)
        hex_bytes(self.nonce, 16)


def check_budget(statement: Statement, lookup: Lookup) -> Budget:
    """Accept a budget signed by the enterprise's own key, and by nothing else."""
    budget = Budget.from_body(statement.body)
    check_enterprise(statement, budget.enterprise, lookup)
    return budget


def check_replacement(
    new: Budget, current: Budget | None, spent_group: int, spent_all: int
) -> None:
    """Refuse unless the text that was signed tells the truth about what it replaces.

    A lower limit is welcome, even below what is spent: it stops further releases and
    gives nothing back.
    """
    if not 0 <= spent_group <= spent_all:
        raise ValueError("what a group learnt is part of what all groups learnt")
    if new.replaces != (None if current is None else current.digest):
        raise Conflict("STATE", "the budget to replace is not the one in force")
    if current is not None and (new.enterprise, new.group) != (current.enterprise, current.group):
        raise Conflict("STATE", "a budget is replaced for the same enterprise and group")
    if new.revealed_mbit != spent_group:
        raise Conflict("STATE", "more or less is revealed than the signed text says")


def check_order(new: Budget, newest: Budget | None, now: datetime) -> None:
    """Refuse what is older than the enterprise's newest budget, of whichever group.

    A first budget of a group says nothing about what the others learnt, so it may lower the
    ceiling and never raise it.
    """
    check_not_ahead(new.signed_at, now, "signed_at")
    if newest is None:
        return
    if read_instant(new.signed_at) < read_instant(newest.signed_at):
        raise Conflict("STATE", "the enterprise has signed a newer budget")
    if new.replaces is None and new.ceiling_mbit > newest.ceiling_mbit:
        raise Conflict("STATE", "a higher ceiling needs a budget that replaces one")
