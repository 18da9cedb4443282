"""No sequence of requests overspends: a machine against an oracle of a few lines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import open_database
from saferoom.core.grant import Grant
from saferoom.errors import Conflict, Unavailable
from tests import factories as f
from tests.app.world import ready_world

CHARGE = 4000
LIMITS = st.sampled_from([3999, 4000, 8000, 12_000, 40_000])


class Ledger(RuleBasedStateMachine):
    """One enterprise and one bank; what is spent only grows, by what was released."""

    fresh: Callable[[], str]

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.engine = open_database(self.fresh())
        self.world = ready_world(self.engine, self.folder)
        self.limit = self.ceiling = 80_000
        self.limit = 40_000
        self.spent = 0
        self.known: set[int] = set()  # snapshots that were answered for
        self.grant: Grant | None = self.world.grant()
        self.tries: list[tuple[object, str]] = []

    def expected(self) -> tuple[str | None, int]:
        if self.grant is None:
            return "AUTH_REVOKED", 0
        charge = 0 if self.world.vault.days in self.known else CHARGE
        if charge and self.spent + charge > self.limit:
            return "BUDGET_FULL", 0
        if charge and self.spent + charge > self.ceiling:
            return "CEILING_FULL", 0
        return None, charge

    @rule()
    def score(self) -> None:
        code, charge = self.expected()
        asked, key = self.world.request(), self.world.key()
        (line,) = self.world.score(asked, key).results
        assert (line.code, line.charge_mbit) == (code, charge)
        self.count(charge, code)
        self.tries.append((asked, key))

    @rule()
    def score_while_a_sink_is_away(self) -> None:
        code, charge = self.expected()
        asked, key = self.world.request(), self.world.key()
        self.world.sink.away = True
        if code is None:
            with pytest.raises(Unavailable):
                self.world.score(asked, key)
        else:
            self.world.score(asked, key)
        self.world.sink.away = False
        self.count(charge, code)
        self.tries.append((asked, key))

    @rule(pick=st.integers(0, 20))
    def retry(self, pick: int) -> None:
        if self.tries:
            asked, key = self.tries[pick % len(self.tries)]
            self.world.score(asked, key)  # type: ignore[arg-type]

    @rule()
    def publish(self) -> None:
        self.world.publish()

    @rule(limit=LIMITS, ceiling=LIMITS, honest=st.booleans())
    def replace_budget(self, limit: int, ceiling: int, honest: bool) -> None:
        current = self.world.budgets[f.ENTERPRISE, f.BANK].digest
        said = self.spent if honest else self.spent + 1
        changes: dict[str, object] = {
            "limit_mbit": limit,
            "ceiling_mbit": ceiling,
            "revealed_mbit": said,
        }
        try:
            self.world.budget(f.ENTERPRISE, f.BANK, replaces=current, **changes)
        except Conflict:
            assert not honest
            return
        assert honest
        self.limit, self.ceiling = limit, ceiling

    @rule()
    def revoke(self) -> None:
        if self.grant is not None:
            self.world.revoke(self.grant)
            self.grant = None

    @rule()
    def grant_again(self) -> None:
        self.grant = self.world.grant()

    @invariant()
    def ledger_is_what_was_released(self) -> None:
        if hasattr(self, "world"):
            assert self.world.spent() == self.spent

    def count(self, charge: int, code: str | None) -> None:
        if code is None:
            self.spent += charge
            self.known.add(self.world.vault.days)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            assert self.world.count(t.release, source="evaluated") * CHARGE == self.spent
            self.engine.dispose()
            shutil.rmtree(self.folder)


def test_no_sequence_overspends(fresh_database: Callable[[], str]) -> None:
    machine = type("OnThisDatabase", (Ledger,), {"fresh": staticmethod(fresh_database)})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=5, stateful_step_count=15, deadline=None, suppress_health_check=checks
        ),
    )


@pytest.mark.long
def test_no_long_sequence_overspends(fresh_database: Callable[[], str]) -> None:
    machine = type("OnThisDatabase", (Ledger,), {"fresh": staticmethod(fresh_database)})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=checks
        ),
    )
