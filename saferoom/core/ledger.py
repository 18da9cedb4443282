"""What does one answer cost, and does the account bear it?

Costs are maximal leakage in integer milli-bits, rounded up: K distinct complete answers
cost log₂ K. Accounts only ever grow: nothing here gives a bit back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from saferoom.errors import Refusal


@lru_cache(maxsize=2048)
def charge_mbit(outcomes: int) -> int:
    """Return the least m with 2^(m/1000) ≥ K, in exact integers: log₂ K rounded up."""
    if outcomes < 1:
        raise ValueError("an answer has at least one outcome")
    return int(outcomes**1000 - 1).bit_length()


def affordable(charge: int, spent: int, limit: int) -> bool:
    """Say whether the account bears the charge; what reveals nothing new always passes."""
    if charge < 0 or spent < 0:
        raise ValueError("neither charges nor what is spent can be negative")
    return charge == 0 or spent + charge <= limit


def check_debit(
    charge: int, spent: int, limit: int, code: Literal["BUDGET_FULL", "CEILING_FULL"]
) -> int:
    """Return what is spent afterwards, or refuse with the account's own code."""
    if not affordable(charge, spent, limit):
        raise Refusal(code)
    return spent + charge
