"""Does each feature equal what an independent reference says, as of any day?"""

from __future__ import annotations

import math
from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest

from tests.vault.drawn import DECLARED, compute, draw_facts, expect
from tests.vault.reference import FEATURES

SEEDS = range(4)
MORE_SEEDS = range(4, 104)
Found = list[tuple[float, float]]  # what was computed, what was expected


@cache
def rooms(seeds: range) -> dict[str, Found]:
    """Compute rooms of random facts both ways."""
    found: dict[str, Found] = {name: [] for name in FEATURES}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        as_of = date(2026, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
        facts = draw_facts(rng, as_of)
        rows, expected = compute(facts, as_of), expect(facts, as_of)
        assert rows.codes == sorted(expected)
        for code, values in zip(rows.codes, rows.matrix.tolist(), strict=True):
            for name, value in zip(DECLARED.views.names(), values, strict=True):
                found[name].append((value, expected[code][name]))
    return found


def test_every_declared_view_has_a_reference() -> None:
    assert set(FEATURES) == set(DECLARED.views.names())


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_feature_equals_its_reference(name: str) -> None:
    check(rooms(SEEDS)[name])


@pytest.mark.long
def test_every_feature_equals_its_reference_over_many_rooms() -> None:
    for found in rooms(MORE_SEEDS).values():
        check(found)


def check(found: Found) -> None:
    """Compare; a comparison of nothing but missing values would prove nothing."""
    for computed, expected in found:
        assert computed == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    assert any(not math.isnan(expected) for _, expected in found)
