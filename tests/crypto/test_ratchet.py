"""Later keys follow from earlier ones, and never the reverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.crypto.ratchet import MOST_DAYS, Ratchet
from saferoom.errors import BadInput

FIRST = Ratchet(739_000, bytes(range(32)))


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_day_s_key_is_one_however_it_was_reached(first: int, then: int) -> None:
    halfway = FIRST.at(FIRST.day + first)
    assert halfway is not None
    late, direct = halfway.at(halfway.day + then), FIRST.at(FIRST.day + first + then)
    assert late is not None
    assert direct is not None
    assert (late.key, late.seed) == (direct.key, direct.seed)


def test_each_day_has_its_own_key_and_the_key_is_not_the_next_seed() -> None:
    days = [FIRST.at(FIRST.day + n) for n in range(40)]
    keys = {one.key for one in days if one}
    seeds = {one.seed for one in days if one}
    assert len(keys) == len(seeds) == 40
    assert keys.isdisjoint(seeds)


def test_what_lies_behind_is_gone() -> None:
    assert FIRST.at(FIRST.day - 1) is None
    assert FIRST.at(FIRST.day) == FIRST
    with pytest.raises(BadInput):
        FIRST.at(FIRST.day + MOST_DAYS + 1)


def test_a_seed_is_never_printed() -> None:
    assert FIRST.seed.hex() not in repr(FIRST)
    assert str(FIRST.seed) not in repr(FIRST)
