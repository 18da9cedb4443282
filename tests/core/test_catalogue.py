"""Does the sharing list refuse what it does not say, and allow only what it says?"""

from __future__ import annotations

import pytest

from saferoom.core.catalogue import Access, Catalogue, Group, Item, Mode, check_listed
from saferoom.core.facts import CellType, Column
from saferoom.core.views import Level
from saferoom.errors import BadInput
from tests import factories as make


def item(**changes: object) -> Item:
    fields: dict[str, object] = {
        "id": "tax.grade",
        "zh": "纳税信用级别",
        "en": "Tax grades",
        "provider": "tax bureau",
        "mode": Mode.CALL,
        "access": Access.MODEL_ONLY,
        "level": Level.L2,
        "cycle": "yearly",
    }
    return Item(**{**fields, **changes})  # type: ignore[arg-type]


def group(*items: Item, **changes: object) -> Group:
    fields: dict[str, object] = {"id": "tax", "zh": "纳税", "en": "Taxes", "items": items}
    return Group(**{**fields, **changes})  # type: ignore[arg-type]


def catalogue(*items: Item, **changes: object) -> Catalogue:
    fields: dict[str, object] = {"version": 1, "groups": (group(*items),)}
    return Catalogue(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_catalogue_reads_what_it_writes() -> None:
    made = catalogue(item(), item(id="tax.filing"))
    assert Catalogue.from_body(made.to_body()) == made
    assert list(made.items()) == ["tax.grade", "tax.filing"]


def test_a_changed_word_changes_the_digest() -> None:
    assert catalogue(item()).digest != catalogue(item(en="Grades")).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"zh": ""},
        {"cycle": ""},
        {"mode": Mode.VERIFY},
        {"access": Access.VERIFY},
    ],
)
def test_an_item_says_everything_and_shows_no_more_than_its_mode(
    changes: dict[str, object],
) -> None:
    with pytest.raises(BadInput):
        item(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"id": "taxes"}, {"id": "t x"}, {"zh": ""}, {"items": ()}],
)
def test_a_group_holds_items_of_its_name(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        group(item(), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"groups": (group(item()), group(item(id="tax.filing")))},
        {"groups": (group(item(), item()),)},
    ],
)
def test_each_group_and_item_stands_once(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        catalogue(item(), **changes)


def test_a_listed_table_is_allowed() -> None:
    check_listed(make.fact_table(), catalogue(item()))


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (item(id="tax.filing"), "items"),
        (item(mode=Mode.VERIFY, access=Access.VERIFY), "mode"),
        (item(level=Level.L3), "level"),
    ],
)
def test_an_unlisted_a_verified_or_a_closer_guarded_table_is_not(listed: Item, name: str) -> None:
    with pytest.raises(BadInput, match=name):
        check_listed(make.fact_table(), catalogue(listed))


def test_a_table_is_as_closely_guarded_as_the_closest_of_its_items() -> None:
    both = catalogue(item(), item(id="tax.filing", level=Level.L3))
    year = Column(name="year", type=CellType.YEAR, level=Level.L3)
    table = make.fact_table(items=("tax.grade", "tax.filing"))
    with pytest.raises(BadInput, match="level"):
        check_listed(table, both)
    check_listed(make.fact_table(items=table.items, columns=(year,)), both)


def test_a_table_names_an_item() -> None:
    with pytest.raises(BadInput, match="items"):
        make.fact_table(items=())
