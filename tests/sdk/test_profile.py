"""Is what the vault told shown as it was told, also where it was not?"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import httpx2
import pytest
from inline_snapshot import snapshot

from saferoom.canonical import Json
from saferoom.cli import profile as command
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.transport import Transport
from saferoom.core.enrolment import Role
from saferoom.core.orders import ProfileOrder
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import Statement
from saferoom.sdk.profile import COLUMNS, profile_table
from saferoom.sdk.room import Room
from tests import factories as make
from tests.sdk.test_room import PAGES

TOLD: dict[str, Json] = {
    "snapshot": "cd" * 32,
    "views": "ab" * 32,
    "enterprises": 60,
    "features": [
        {
            "view": "sales_12",
            "refused": None,
            "present": 60,
            "missing": None,
            "mean": "40500",
            "mean_refused": None,
            "quantiles": [{"percent": 50, "value": "40000"}],
            "histogram": [{"starts": None, "count": 35}, {"starts": "46000", "count": 25}],
        },
        {"view": "tax_grade", "refused": "K_ANON"},
    ],
}


def test_a_line_for_each_feature_with_what_may_be_told() -> None:
    table = profile_table(TOLD)
    assert tuple(table.columns) == COLUMNS
    assert table["refused"].isna().tolist() == [True, False]
    assert table["refused"].tolist()[1] == "K_ANON"
    assert table["mean"].tolist()[0] == 40500
    assert table["p50"].tolist()[0] == 40000
    assert table["p5"].isna().all()
    assert table["histogram"].tolist() == [[(None, 35), ("46000", 25)], []]


def test_a_person_reads_the_same() -> None:
    lines = TOLD["features"]
    assert isinstance(lines, list)
    rows = [command._row(line) for line in lines if isinstance(line, dict)]
    assert rows == snapshot(
        [
            ["sales_12", "60", "–", "40500", "–", "–", "40000", "–", "–", ""],
            ["tax_grade", "–", "–", "–", "–", "–", "–", "–", "–", "K_ANON"],
        ]
    )


@pytest.mark.parametrize("names", [None, ["reg_age_m"]])
def test_the_order_is_signed_and_names_the_features(names: list[str] | None) -> None:
    asked: list[dict[str, Json]] = []

    def twin(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            asked.append(json.loads(request.content)["statement"])
            return httpx2.Response(200, json=TOLD)
        return httpx2.Response(200, json=PAGES[request.url.path])

    signing, sealing = make.signing_key("tax.steward"), SealingKey(make.sealing_seed("tax.steward"))
    keys = KeyFolder("tax.steward", "tax", Role.STEWARD, "", signing, sealing, token="token")
    transport = Transport("https://room.example", transport=httpx2.MockTransport(twin))
    room = Room(RoomClient("https://room.example", keys, transport=transport))
    assert len(room.profile(names)) == 2
    assert ProfileOrder.from_body(asked[0]["body"]).views == ("reg_age_m",)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_asks_for_all_features_or_some(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    keyfolder.create(
        tmp_path / "wu",
        holder="wu",
        party="tax",
        role=Role.STEWARD,
        url="https://room.example",
        random_bytes=secrets.token_bytes,
    )
    asked: list[tuple[str, ...]] = []

    def tell(_: RoomClient, order: Statement) -> dict[str, Json]:
        asked.append(ProfileOrder.from_body(order.body).views)
        return TOLD

    monkeypatch.setattr(RoomClient, "catalogue", lambda _: PAGES["/v1/catalogue"])
    monkeypatch.setattr(RoomClient, "profile", tell)
    for view in ([], ["sales_12"]):
        command.profile(key=tmp_path / "wu", view=view, as_json=as_json)
    assert asked == [("reg_age_m",), ("sales_12",)]
    assert "K_ANON" in capsys.readouterr().out
