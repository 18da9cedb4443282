"""What may be known of the data without seeing any?

A modeller practises on mock data, a steward sees figures of many of its own features, and
nobody sees another source's.
"""

from __future__ import annotations

from saferoom.canonical import Json
from saferoom.demo import content
from saferoom.demo.cast import STEWARDS
from saferoom.demo.opening import Stage
from saferoom.demo.steps import Told, check, refused_with
from saferoom.demo.submitting import MODELLER
from saferoom.sdk.room import Room

ROWS = 500


def practise(stage: Stage) -> Told:
    """Make practice rows twice; they are the same, of the catalogue's shape."""
    room = Room(stage.client(MODELLER))
    first, again = room.mock(rows=ROWS, seed=1), room.mock(rows=ROWS, seed=1)
    check(list(first.columns) == list(content.views().names()), "mock data have the room's columns")
    same = first.to_numpy().tobytes() == again.to_numpy().tobytes()
    check(same, "the same seed gives the same bytes")
    return Told(f"{ROWS} mock rows of {len(first.columns)} features, made from declarations alone")


def profile(stage: Stage) -> Told:
    """Let the tax steward ask about its own features, then about the register's."""
    name = STEWARDS["tax"].name
    client, author = stage.client(name), stage.author(name)
    told = client.profile(author.profile_order(["late_file_n12", "sales_12"]))
    lines: Json = told["features"]
    check(isinstance(lines, list) and len(lines) == 2, "a line for each feature")
    check(not any(code in str(told) for code in stage.codes), "no enterprise is named")
    check(client.quality()["closed"] == [], "the data are good enough to compute from")
    with refused_with("CONTRACT_SCOPE") as codes:
        client.profile(author.profile_order(["reg_age_m"]))
    text = "figures of 20 enterprises or more, rounded; another source's are refused"
    return Told(text, refused=1, code=codes[0])
