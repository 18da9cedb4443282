"""Does an account that was set back in the database stop everything?"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app.charges import Charged, load_charged
from tests import factories as f
from tests.app.world import World, code


def code_of(world: World) -> str | None:
    return world.score(world.request(f.ENTERPRISE)).results[0].code


@pytest.mark.parametrize(
    "set_back",
    [
        sa.update(t.account).values(spent_mbit=0),
        sa.update(t.enterprise).values(spent_mbit=0),
        sa.update(t.account).values(spent_mbit=3999),
        sa.delete(t.account),
        sa.update(t.account).values(budget=f.some_digest()),
        sa.update(t.enterprise).values(budget=f.some_digest()),
    ],
)
def test_an_account_that_says_less_than_its_releases_lets_nothing_leave(
    world: World, set_back: sa.Executable
) -> None:
    assert code_of(world) is None
    world.execute(set_back)
    for _ in range(2):
        assert code_of(world) == "LEDGER_INCONSISTENT"
    assert world.vault.evaluated == 1


def test_what_counts_is_the_ceiling_that_was_signed(world: World) -> None:
    current = world.budgets[f.ENTERPRISE, f.BANK].digest
    world.budget(replaces=current, ceiling_mbit=4000)
    assert code_of(world) is None
    world.publish()
    world.execute(sa.update(t.enterprise).values(ceiling_mbit=1_000_000))
    world.execute(sa.update(t.account).values(limit_mbit=1_000_000))
    assert code_of(world) == "CEILING_FULL"


def test_another_s_budget_and_another_s_grant_are_nobody_s(world: World) -> None:
    other = code(8)
    world.enrol_enterprises([other])
    theirs = world.budget(other)
    grant = world.grant(other)
    world.execute(
        sa.update(t.account)
        .where(t.account.c.enterprise == f.ENTERPRISE)
        .values(budget=theirs.digest)
    )
    assert code_of(world) == "LEDGER_INCONSISTENT"
    own = world.budgets[f.ENTERPRISE, f.BANK].digest
    world.execute(
        sa.update(t.account).where(t.account.c.enterprise == f.ENTERPRISE).values(budget=own)
    )
    world.execute(
        sa.update(t.permission)
        .where(t.permission.c.enterprise == f.ENTERPRISE)
        .values(statement=f.sign(grant, other).to_bytes())
    )
    assert code_of(world) == "AUTH_SCOPE"


def test_releases_are_added_up_for_all_and_for_the_group(world: World) -> None:
    world.score()
    world.publish()
    world.score()
    with reading(world.room.database) as connection:
        for group, charged in ((f.BANK, Charged(8000, 8000)), ("bank-b", Charged(8000, 0))):
            assert load_charged(connection, [f.ENTERPRISE, code(9)], group) == {
                f.ENTERPRISE: charged
            }
