"""What may a page of who looked say, and when does an export concern an enterprise?"""

from __future__ import annotations

import pytest

from saferoom.canonical import Json
from saferoom.core.looks import LooksPage, covers, place_name
from saferoom.errors import BadInput


@pytest.mark.parametrize(
    ("entries", "own", "holds"),
    [
        ([0, 10], {3}, True),
        ([0, 10], {10}, False),  # its end is not of it
        ([4, 10], {3, 11}, False),
        ([0, 10], set(), False),
        (None, {3}, False),  # shredded
        ("0-10", {3}, False),
    ],
)
def test_an_export_concerns_whoever_it_opened(entries: Json, own: set[int], holds: bool) -> None:
    assert covers(entries, frozenset(own)) is holds


def test_a_place_is_an_entry_or_one_record_of_it() -> None:
    assert (place_name(7, None), place_name(7, 0)) == ("7", "7.0")


@pytest.mark.parametrize(
    "changes",
    [{"first": 3}, {"until": 9}, {"first": -1}, {"places": ("1", "1")}],
)
def test_a_page_has_an_order_and_each_place_once(changes: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "origin": "room.test/log",
        "enterprise": "x",
        "first": 0,
        "until": 2,
        "size": 5,
        "places": ("1",),
    }
    LooksPage(**fields)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        LooksPage(**{**fields, **changes})  # type: ignore[arg-type]
