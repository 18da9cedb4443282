"""Do the demo's operators vote for exactly what the vault reads by itself?"""

from __future__ import annotations

from pathlib import Path

import pytest

from saferoom.core.manifest import Purpose
from saferoom.demo import content
from saferoom.demo.economy.features import ROOM_FEATURES
from saferoom.vault.declarations import read_declarations

ROOT = Path(__file__).parents[2]


def test_views_are_the_vaults() -> None:
    assert content.views().digest == read_declarations(ROOT).views.digest


def test_sources_are_the_vaults() -> None:
    ours = {source.name: source.digest for source in content.sources()}
    theirs = {name: source.digest for name, source in read_declarations(ROOT).sources.items()}
    assert ours == theirs


def test_the_views_of_the_connected_sources_are_the_rooms() -> None:
    assert set(ROOM_FEATURES) < set(content.views().names())


@pytest.mark.parametrize("name", ["credit-trees", "plain-scorecard"])
def test_grades_are_bounded_best_first(name: str) -> None:
    model = content.bank_model(name)
    *ends, last = model.grades.values()
    bounds = [bound for bound in ends if bound is not None]
    assert last is None
    assert len(bounds) == len(ends)
    assert bounds == sorted(bounds, reverse=model.direction == "quality")
    assert model.purpose in set(Purpose)
