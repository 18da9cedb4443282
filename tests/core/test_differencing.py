"""Is an attack that combines answers refused, and honest use not?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from saferoom.core.differencing import Cohort, Fingerprint, check_apart, fingerprint, without
from saferoom.errors import Refusal

RANDOM = np.random.default_rng(20)
MARKS = RANDOM.integers(0, 2**64, 4000, dtype=np.uint64)
SALES = RANDOM.lognormal(12, 1, 4000)
Chosen = NDArray[np.bool_]


def of(chosen: Chosen, values: NDArray[np.float64] = SALES) -> Fingerprint:
    return fingerprint(MARKS[chosen], values[chosen])


def firms(first: int, last: int) -> Chosen:
    chosen = np.zeros(4000, np.bool_)
    chosen[first:last] = True
    return chosen


class Teller:
    """Keeps what was told, as the vault does."""

    def __init__(self) -> None:
        self.told: list[Cohort] = []

    def ask(self, chosen: Chosen, values: NDArray[np.float64] = SALES) -> str:
        new = of(chosen, values)
        try:
            if check_apart(new, self.told):
                self.told.append(Cohort.of(new))
        except Refusal as error:
            return error.code
        return "told"

    def erase(self, firm: int) -> None:
        self.told = [without(one, int(MARKS[firm])) for one in self.told]


@pytest.fixture
def teller() -> Teller:
    return Teller()


def test_the_planted_pair_is_refused(teller: Teller) -> None:
    """All firms of an industry, and all but one: their sums' difference is one firm's sales."""
    assert teller.ask(firms(0, 500)) == "told"
    assert teller.ask(firms(0, 499)) == "DIFFERENCING"
    assert teller.ask(firms(0, 501)) == "DIFFERENCING"


@pytest.mark.parametrize("few", [1, 2, 10, 19])
def test_fewer_than_k_are_never_singled_out(teller: Teller, few: int) -> None:
    assert teller.ask(firms(0, 500)) == "told"
    assert teller.ask(firms(0, 500 + few)) == "DIFFERENCING"


def test_cohorts_that_differ_by_many_are_told(teller: Teller) -> None:
    assert teller.ask(firms(0, 500)) == "told"
    assert teller.ask(firms(0, 540)) == "told"
    assert teller.ask(firms(1000, 1500)) == "told"


def test_the_same_question_is_told_again_and_costs_nothing(teller: Teller) -> None:
    for _ in range(200):
        assert teller.ask(firms(0, 500)) == "told"
    assert len(teller.told) == 1


def test_a_tracker_is_refused(teller: Teller) -> None:
    """Women who are professors, less women who are professors but not this one (Denning)."""
    someone = firms(250, 251)
    assert teller.ask(firms(0, 500) | someone) == "told"
    assert teller.ask(firms(0, 500) & ~someone) == "DIFFERENCING"


def test_a_general_tracker_is_refused(teller: Teller) -> None:
    """q(C ∨ T) + q(C ∨ ¬T) − q(T) − q(¬T) is q(C), with T large."""
    target, tracker = firms(3000, 3001), firms(0, 2000)
    assert teller.ask(tracker) == "told"
    assert teller.ask(~tracker) == "told"
    assert teller.ask(tracker | target) == "DIFFERENCING"
    assert teller.ask(~tracker | target) == "told"  # the same as ¬T: it is in there


def test_a_whole_less_its_parts_is_refused(teller: Teller) -> None:
    """Two halves and a whole: pairwise far apart, together one firm."""
    assert teller.ask(firms(0, 1000)) == "told"
    assert teller.ask(firms(1000, 2000)) == "told"
    assert teller.ask(firms(0, 2001)) == "DIFFERENCING"
    assert teller.ask(firms(0, 2000)) == "told"  # tells nothing that the halves do not


def test_a_part_less_what_is_known_of_the_whole_is_refused(teller: Teller) -> None:
    assert teller.ask(firms(0, 2001)) == "told"
    assert teller.ask(firms(1000, 2000)) == "told"
    assert teller.ask(firms(0, 1000)) == "DIFFERENCING"


def test_one_changed_value_between_snapshots_is_refused(teller: Teller) -> None:
    """The same firms, and one whose sales became known since."""
    later = SALES.copy()
    later[77] += 1
    assert teller.ask(firms(0, 500)) == "told"
    assert teller.ask(firms(0, 500), later) == "DIFFERENCING"
    later[:100] += 1
    assert teller.ask(firms(0, 500), later) == "told"


def test_different_cohorts_are_capped(teller: Teller) -> None:
    for number in range(50):
        assert teller.ask(firms(number * 79, number * 79 + 79)) == "told"
    assert teller.ask(firms(3950, 4000)) == "COHORT_CAP"
    assert teller.ask(firms(0, 79)) == "told"


def test_what_is_missing_contributes_as_missing(teller: Teller) -> None:
    later = SALES.copy()
    later[5] = np.nan
    assert teller.ask(firms(0, 500), later) == "told"
    later[6] = np.nan
    assert teller.ask(firms(0, 500), later) == "DIFFERENCING"


def test_zero_has_one_contribution() -> None:
    zeros = np.zeros(4000)
    assert (of(firms(0, 30), zeros) == of(firms(0, 30), -zeros)).all()


@given(st.sets(st.integers(0, 3999), max_size=60), st.sets(st.integers(0, 3999), max_size=60))
def test_it_never_counts_more_than_truly_differ(one: set[int], other: set[int]) -> None:
    chosen = [np.isin(np.arange(4000), list(each)) for each in (one, other)]
    differing = np.count_nonzero(of(chosen[0]) - of(chosen[1]))
    assert (differing == 0) == (one == other)
    assert differing <= len(one ^ other)


def test_a_fingerprint_is_the_sum_of_its_parts() -> None:
    assert (of(firms(0, 90)) == of(firms(0, 40)) + of(firms(40, 90))).all()


def but(chosen: Chosen, *gone: int) -> Chosen:
    left = chosen.copy()
    left[list(gone)] = False
    return left


def test_the_question_without_an_erased_firm_is_refused(teller: Teller) -> None:
    """Figures with it and without it would tell its value; the sums no longer know of it."""
    assert teller.ask(firms(0, 500)) == "told"
    teller.erase(77)
    assert teller.ask(but(firms(0, 500), 77)) == "DIFFERENCING"
    assert teller.ask(firms(0, 500)) == "DIFFERENCING"  # nobody can ask this: it is gone


def test_after_an_erasure_what_differs_by_many_others_is_told(teller: Teller) -> None:
    assert teller.ask(firms(0, 500)) == "told"
    teller.erase(77)
    assert teller.ask(but(firms(0, 519), 77)) == "DIFFERENCING"  # 19 and the erased one
    assert teller.ask(but(firms(0, 560), 77)) == "told"
    assert teller.ask(but(firms(0, 560), 77)) == "told"  # the same question
    assert teller.ask(but(firms(0, 561), 77)) == "DIFFERENCING"


def test_an_erased_firm_is_not_told_by_a_tracker_either(teller: Teller) -> None:
    assert teller.ask(firms(0, 1000)) == "told"
    assert teller.ask(firms(1000, 2000)) == "told"
    teller.erase(77)
    assert teller.ask(but(firms(0, 2000), 77)) == "DIFFERENCING"


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_what_is_kept_is_the_same_whatever_the_erased_firm_s_value_was(value: float) -> None:
    other = SALES.copy()
    other[77] = value
    mark = int(MARKS[77])
    kept = [without(Cohort.of(of(firms(0, 500), one)), mark) for one in (SALES, other)]
    kept.append(without(Cohort.of(of(but(firms(0, 500), 77))), mark))
    for one in kept[1:]:
        assert (one.sums == kept[0].sums).all()
        assert (one.hidden == kept[0].hidden).all()


def test_after_hundreds_of_erasures_nothing_is_told_beside_what_was(teller: Teller) -> None:
    assert teller.ask(firms(0, 2000)) == "told"
    for firm in range(1200):
        teller.erase(firm)
    assert teller.ask(firms(2000, 4000)) == "DIFFERENCING"


FIRMS = st.sets(st.integers(0, 3999), max_size=60)


@given(before=FIRMS, after=FIRMS, gone=st.sets(st.integers(0, 3999), max_size=8))
def test_whatever_is_erased_fewer_than_k_are_never_singled_out(
    before: set[int], after: set[int], gone: set[int]
) -> None:
    teller = Teller()
    places = np.arange(4000)
    if teller.ask(np.isin(places, list(before))) != "told":
        return
    for firm in gone:
        teller.erase(firm)
    if teller.ask(np.isin(places, list(after - gone))) == "told":
        differing = len(before ^ (after - gone))
        assert differing >= 20 or (differing == 0 and not gone)
