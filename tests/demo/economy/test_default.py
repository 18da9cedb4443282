"""Does joining help, as much as the calibration says, and no more than honestly?"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score, roc_curve  # type: ignore[import-untyped]

from saferoom.demo.economy.features import ROOM_FEATURES, Features, Sample, draw_sample
from saferoom.demo.economy.population import Plan

FIRMS = 40_000


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_sample(Plan(FIRMS, date(2026, 9, 30)))


def woe(x: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64]:
    cuts = np.unique(np.nanquantile(x, np.linspace(0, 1, 9)[1:-1]))
    bins = np.where(np.isnan(x), len(cuts) + 1, np.digitize(x, cuts))
    fit = np.arange(len(x)) < 0.7 * len(x)
    goods = np.bincount(bins[fit & ~bad], minlength=len(cuts) + 2) + 0.5
    bads = np.bincount(bins[fit & bad], minlength=len(cuts) + 2) + 0.5
    return np.asarray(np.log(goods / bads))[bins]


def quality(features: Features, bad: NDArray[np.bool_]) -> tuple[float, float]:
    """KS and AUC of a WOE logistic regression on the last 30 %."""
    x = np.column_stack([woe(column, bad) for column in features.values()])
    split = int(0.7 * len(bad))
    model = LogisticRegression(max_iter=300).fit(x[:split], bad[:split])
    chance, truth = model.predict_proba(x[split:])[:, 1], bad[split:]
    false, true, _ = roc_curve(truth, chance)
    return float((true - false).max()), float(roc_auc_score(truth, chance))


def test_share_of_bad_is_bisected(sample: Sample) -> None:
    assert sample.bad.mean() == pytest.approx(0.035, abs=0.003)


def test_qualities_lie_near_the_calibrated_table(sample: Sample) -> None:
    bank = quality(sample.bank, sample.bad)
    public = quality(sample.public, sample.bad)
    joint = quality(sample.bank | sample.public, sample.bad)
    assert bank == pytest.approx((0.368, 0.746), abs=0.05)
    assert public == pytest.approx((0.437, 0.792), abs=0.05)
    assert joint == pytest.approx((0.502, 0.822), abs=0.05)
    assert joint[0] > bank[0] + 0.08


def test_todays_room_already_adds_to_the_bank(sample: Sample) -> None:
    bank, joint = (
        quality(side, sample.bad)[0] for side in (sample.bank, sample.bank | sample.room)
    )
    assert joint > bank + 0.04


def test_room_features_have_the_catalogues_names(sample: Sample) -> None:
    assert tuple(sorted(sample.room)) == ROOM_FEATURES


def test_same_seed_same_economy_other_seed_another() -> None:
    first, again, other = (draw_sample(Plan(500, date(2026, 9, 30), seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.room["sales_12"], again.room["sales_12"], equal_nan=True)
    assert not np.array_equal(first.room["sales_12"], other.room["sales_12"], equal_nan=True)
