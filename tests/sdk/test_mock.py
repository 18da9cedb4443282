"""Does a modeller practise on the shape that the room has, and may what was fitted be submitted?"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import httpx2
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import (  # type: ignore[import-untyped]  # no stubs are published
    LogisticRegression,
)

from saferoom.canonical import Json
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.transport import Transport
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Manifest
from saferoom.core.views import DTYPE
from saferoom.crypto.sealing import SealingKey
from saferoom.demo import content
from saferoom.errors import BadInput
from saferoom.sdk.room import Room
from tests.sdk.test_room import PAGES, TRUST

NAMES = ["tax_grade", "sales_12", "late_file_n12"]


class TwinRoom:
    """Shows the house's own catalogue and mock declarations; keeps what is submitted."""

    def __init__(self) -> None:
        self.manifest: dict[str, Json] = {}
        self.asked: list[str] = []
        self.pages = {
            **PAGES,
            "/v1/catalogue": content.views().to_body(),
            "/v1/mock": content.mock().to_body(),
        }

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.method == "POST":
            statement = json.loads(request.content)["statement"]
            self.manifest = statement["body"]
            digest = Manifest.from_body(self.manifest).digest
            return httpx2.Response(200, json={"digest": digest, "findings": {}})
        return httpx2.Response(200, json=self.pages[request.url.path])


@pytest.fixture
def twin() -> TwinRoom:
    return TwinRoom()


@pytest.fixture
def room(twin: TwinRoom, tmp_path: Path) -> Room:
    keys: KeyFolder = keyfolder.create(
        tmp_path / "li.na",
        holder="li.na",
        party="bank-a",
        role=Role.MODELLER,
        url="https://room.example",
        random_bytes=secrets.token_bytes,
        delivery=SealingKey(b"d" * 32),
    )
    keys = keyfolder.keep_token(keys, "token")
    transport = Transport("https://room.example", transport=httpx2.MockTransport(twin))
    return Room(RoomClient("https://room.example", keys, transport=transport), TRUST)


def labels(table: pd.DataFrame) -> NDArray[np.int64]:
    """Make up who turned bad: practice needs a target, and the room has none."""
    risk = table["late_file_n12"].fillna(1) - table["tax_grade"].fillna(3)
    noise = 40 * np.random.default_rng(0).random(len(table))
    return (risk.rank().to_numpy() + noise > 360).astype(np.int64)


def test_the_table_has_the_columns_asked_for_in_that_order(room: Room) -> None:
    table = room.mock(NAMES, 400, seed=3)
    assert list(table.columns) == NAMES
    assert set(table.dtypes.astype(str)) == {DTYPE}
    assert len(table) == 400
    assert table["sales_12"].isna().any()


def test_the_same_seed_gives_the_same_table(room: Room) -> None:
    one, again, other = (room.mock(NAMES, 50, seed=seed) for seed in (1, 1, 2))
    assert one.to_numpy().tobytes() == again.to_numpy().tobytes() != other.to_numpy().tobytes()


def test_without_names_it_is_the_whole_catalogue(room: Room) -> None:
    assert list(room.mock(rows=2).columns) == room.catalogue()["name"].tolist()


def test_only_what_was_declared_is_asked_of_the_room(room: Room, twin: TwinRoom) -> None:
    """Neither `/v1/room` nor anything else for which the API turns to its vault."""
    room.mock(NAMES, 5)
    assert sorted(twin.asked) == ["/v1/catalogue", "/v1/mock"]


@pytest.mark.parametrize("names", [["profit"], ["sales_12", "x" * 200]])
def test_a_feature_that_is_not_in_the_catalogue_is_refused(room: Room, names: list[str]) -> None:
    with pytest.raises(BadInput, match="MOCK_UNDECLARED"):
        room.mock(names, 5)


def test_lightgbm_fitted_on_mock_data_is_submitted_unchanged(room: Room, twin: TwinRoom) -> None:
    table = room.mock(NAMES, 500, seed=1)
    model = lgb.LGBMClassifier(n_estimators=40, n_jobs=1, verbosity=-1)
    model.fit(table, labels(table))
    scores = np.asarray(model.predict_proba(table))[:, 1]
    version = room.submit(model, name="practice", grades=4, scores=scores.tolist())
    manifest = Manifest.from_body(twin.manifest)
    assert manifest.digest == version.digest
    assert set(manifest.features) <= set(NAMES)
    assert len(manifest.grades) == 4


def test_a_scorecard_fitted_on_mock_data_is_submitted_unchanged(room: Room, twin: TwinRoom) -> None:
    """Bins of the table's quantiles, points by scikit-learn's logistic regression."""
    table = room.mock(NAMES, 500, seed=1)
    edges = {name: np.unique(table[name].quantile([0.3, 0.6, 0.9])) for name in NAMES}
    bins = [
        pd.get_dummies(
            pd.Categorical(
                np.where(table[n].isna(), -1, np.searchsorted(edges[n], table[n], side="right")),
                categories=range(-1, len(edges[n]) + 1),
            ),
            dtype=float,
        )
        for n in NAMES
    ]
    fitted = LogisticRegression().fit(np.hstack(bins), labels(table))
    weights = np.split(-20 * fitted.coef_[0], np.cumsum([b.shape[1] for b in bins])[:-1])
    card = {
        "base": 600,
        "characteristics": [
            {"feature": n, "edges": edges[n], "points": w[1:], "missing": w[0]}
            for n, w in zip(NAMES, weights, strict=True)
        ],
    }
    version = room.submit(card, name="plain", grades={"A": 600, "B": None}, direction="quality")
    assert Manifest.from_body(twin.manifest).digest == version.digest
    assert set(Manifest.from_body(twin.manifest).features) == set(NAMES)
