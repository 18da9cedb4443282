"""What if the room ends between the vault's new snapshot and its own record of it?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import health
from saferoom.canonical import Digest, Json
from tests.app.world import World


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
