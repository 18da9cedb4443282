"""What would two answers tell together that neither tells alone?

Two sums over cohorts that differ by one enterprise tell that enterprise's value. So of each
cohort that figures were told of, a fingerprint is kept: every contribution, an enterprise with
its value, is turned into a number by a key that only the vault has, and the numbers are added
up in 256 places chosen by the enterprise. In as many places as two fingerprints differ, at
least so many enterprises came, went or changed; fewer than k but not none is refused. Sums of
fingerprints are those of unions, so a cohort is also compared with every union and difference
of two told before: a tracker needs three answers at least.

When an enterprise is erased its contribution must go, and the question without it must not look
like the one with it. Its place's sum is dropped from every cohort told before and the place is
*hidden*: a hidden place may differ and is never counted among those that do. So what was told
before is compared in the places that are left, and a new cohort must differ by k in those.

Not protected: combinations of more than three answers, which the cap on different cohorts makes
few, and parties that pool theirs, for each has its own past. It errs towards refusing: two
enterprises that share a place count once, and a cohort from before hundreds of erasures has so
few places left that nothing can be told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saferoom.core.aggregates import LIMITS, Limits
from saferoom.errors import Refusal

PLACES = 256
Marks = NDArray[np.uint64]
Fingerprint = NDArray[np.uint64]


@dataclass(frozen=True)
class Cohort:
    """What is kept of a cohort that figures were told of."""

    sums: Fingerprint
    hidden: NDArray[np.bool_]  # the places of those that were erased since; their sums are zero

    @classmethod
    def of(cls, sums: Fingerprint) -> Cohort:
        """Keep a new one."""
        return cls(sums, np.zeros(PLACES, np.bool_))


def fingerprint(marks: Marks, values: NDArray[np.float64]) -> Fingerprint:
    """Add up contributions; `marks` are the enterprises' secret numbers."""
    # One zero and one NaN: that a value is missing is a contribution as well.
    plain = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
    sums = np.zeros(PLACES, np.uint64)
    np.add.at(sums, _places_of(marks), _mix(marks ^ _mix(plain)))
    return sums


def without(cohort: Cohort, mark: int) -> Cohort:
    """Drop what an erased enterprise contributed to, whatever its values were."""
    sums, hidden = cohort.sums.copy(), cohort.hidden.copy()
    place = _places_of(np.array([mark], np.uint64))
    sums[place], hidden[place] = 0, True
    return Cohort(sums, hidden)


def check_apart(new: Fingerprint, told: Sequence[Cohort], limits: Limits = LIMITS) -> bool:
    """Refuse a cohort that singles out a few beside what was told; say whether it is new."""
    if any(np.array_equal(new, one.sums) and not one.hidden.any() for one in told):
        return False  # the same question: the same answer
    if len(told) >= limits.most_cohorts:
        raise Refusal("COHORT_CAP")
    before = [Cohort.of(np.zeros(PLACES, np.uint64)), *told]
    sums, hidden = np.array([one.sums for one in before]), np.array([one.hidden for one in before])
    for one in before:  # alone (beside the empty cohort), and with each other
        unknown = hidden | one.hidden
        for rest in (new - one.sums - sums, new - one.sums + sums):
            differing = np.count_nonzero((rest != 0) & ~unknown, axis=1)
            equal = (differing == 0) & ~unknown.any(axis=1)
            if (~equal & (differing < limits.least_cohort)).any():
                raise Refusal("DIFFERENCING")
    return True


def _places_of(marks: Marks) -> NDArray[np.int64]:
    return (marks >> np.uint64(56)).astype(np.int64)


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread each bit over all (Stafford's variant 13 of the 64-bit finaliser)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
