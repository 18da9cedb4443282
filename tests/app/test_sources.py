"""Is what the vault published or told on the room's record, whatever ends in between?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import health, sources
from saferoom.app.context import Caller
from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank


def _vault_went_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the vault publish for a call that nobody recorded."""
    world.vault.materialise(world.snapshot_order())
    told: dict[str, Json] = {**world.vault.describe()}

    def describe() -> Mapping[str, Json]:
        return {**told, "snapshot": {**dataclasses.asdict(world.vault.snapshot)}}

    monkeypatch.setattr(world.vault, "describe", describe)


def test_a_snapshot_that_was_never_recorded_is_published_by_the_next_score(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _vault_went_on(world, monkeypatch)
    assert world.score().results[0].status == "released"
    assert health.describe(world.room)["snapshot"] == world.vault.snapshot.digest
    assert world.count(t.entry, kind="snapshot_published") == 2
    assert (world.vault.evaluated, world.spent()) == (1, 4000)
    assert world.score().results[0].stored


def test_a_snapshot_of_other_views_is_not_published(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _vault_went_on(world, monkeypatch)
    before = health.describe(world.room)["snapshot"]
    world.vault.views = Digest("00" * 32)
    with pytest.raises(Exception, match="MOVED"):
        world.score()
    assert health.describe(world.room)["snapshot"] == before
    assert world.spent() == 0


def _profile_order(world: World, by: str) -> Statement:
    fields = {"asked_at": world.now_text, "nonce": world.nonce}
    return f.sign(f.profile_order(**fields), by)


STEWARD = Caller("tax.steward", "tax", Role.STEWARD, f.signing_key("tax.steward").public.id)


@pytest.fixture
def stewarded(world: World) -> World:
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    world.enrol("power.steward", party="power", role=Role.STEWARD)
    return world


@pytest.mark.parametrize(("caller", "by"), [(STEWARD, "tax.steward"), (OPERATOR, "zhao")])
def test_figures_are_told_once_the_sinks_hold_that_they_were(
    stewarded: World, caller: Caller, by: str
) -> None:
    before = len(stewarded.sink.held)
    told = sources.profile(stewarded.room, caller, _profile_order(stewarded, by))
    assert told["features"] == [{"view": "tax_grade", "refused": "K_ANON"}]
    assert stewarded.count(t.entry, kind="profiled") == 1
    assert len(stewarded.sink.held) > before


def test_figures_wait_for_a_sink_that_is_away(stewarded: World) -> None:
    stewarded.sink.away = True
    with pytest.raises(Unavailable, match="NOT_DELIVERED"):
        sources.profile(stewarded.room, STEWARD, _profile_order(stewarded, "tax.steward"))
    assert stewarded.count(t.entry, kind="profiled") == 1


@pytest.mark.parametrize(
    ("caller", "by"),
    [
        (bank(), "tax.steward"),
        (AUDITOR, "zhao"),
        (STEWARD, "power.steward"),
        (STEWARD, f"{f.BANK}.modeller"),
    ],
)
def test_no_one_else_is_told_figures(stewarded: World, caller: Caller, by: str) -> None:
    with pytest.raises(Refusal, match="ROLE"):
        sources.profile(stewarded.room, caller, _profile_order(stewarded, by))
    assert stewarded.count(t.entry, kind="profiled") == 0


def test_a_vault_that_is_away_tells_nothing(stewarded: World) -> None:
    stewarded.vault.away = True
    with pytest.raises(Unavailable, match="VAULT_UNAVAILABLE"):
        sources.profile(stewarded.room, STEWARD, _profile_order(stewarded, "tax.steward"))
    assert stewarded.count(t.entry, kind="profiled") == 0
