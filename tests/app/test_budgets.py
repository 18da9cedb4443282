"""Does the ceiling follow what an enterprise signed last, and nothing that was kept of it?"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import budgets
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import World, bank


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def ceiling(world: World) -> int:
    with reading(world.room.database) as connection:
        return int(connection.scalars(sa.select(t.enterprise.c.ceiling_mbit)).one())


def signed(world: World, **changes: object) -> Statement:
    fixed = {"signed_at": world.now_text, "nonce": world.nonce}
    return f.sign(f.budget(**{**fixed, **changes}), f.ENTERPRISE)


def test_a_budget_that_was_kept_back_does_not_raise_the_ceiling_again(world: World) -> None:
    kept = signed(world, group="bank-z", ceiling_mbit=80_000)
    world.later(seconds=1)
    lower = signed(world, group="bank-y", ceiling_mbit=40_000)
    budgets.sign_budgets(world.room, bank(), [lower])
    assert refused(lambda: budgets.sign_budgets(world.room, bank(), [kept])) == "STATE"
    assert ceiling(world) == 40_000


def test_a_first_budget_of_another_group_never_raises_the_ceiling(world: World) -> None:
    raised = signed(world, group="bank-y", ceiling_mbit=1_000_000)
    assert refused(lambda: budgets.sign_budgets(world.room, bank(), [raised])) == "STATE"
    current = world.budgets[f.ENTERPRISE, f.BANK].digest
    replacing = signed(world, replaces=current, ceiling_mbit=1_000_000)
    budgets.sign_budgets(world.room, bank(), [replacing])
    assert ceiling(world) == 1_000_000


def test_of_one_batch_the_last_signed_says_the_ceiling(world: World) -> None:
    first = signed(world, group="bank-x", ceiling_mbit=50_000)
    world.later(seconds=1)
    last = signed(world, group="bank-w", ceiling_mbit=30_000)
    budgets.sign_budgets(world.room, bank(), [last, first])
    assert ceiling(world) == 30_000


def test_a_budget_of_the_future_is_refused(world: World) -> None:
    future = signed(world, group="bank-x", signed_at="2026-11-21T00:00:00Z")
    assert refused(lambda: budgets.sign_budgets(world.room, bank(), [future])) == "FIELD_INVALID"
