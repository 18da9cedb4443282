"""What may be shared at all, by whom, in which way, and how closely is it guarded?

Declared by the operator in `policies/catalogue.toml`: groups of items. A table of facts
names the items that allow it; an item that a source only verifies allows none, no column may
be guarded less closely than its items, and what an enterprise says of itself has its own tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.facts import Table
from saferoom.core.record import Record, check_field
from saferoom.core.views import Level

THE_ENTERPRISE = "the enterprise"  # the provider of what an enterprise says of itself


class Mode(StrEnum):
    """How an item reaches the room: 物理归集, 接口调用, 数据核验."""

    COLLECT = "collect"
    CALL = "call"
    VERIFY = "verify"


class Access(StrEnum):
    """Who may see what of an item: anyone, the granted, a yes or no, models only."""

    OPEN = "OPEN"
    DETAIL = "DETAIL"
    VERIFY = "VERIFY"
    MODEL_ONLY = "MODEL_ONLY"


@dataclass(frozen=True, kw_only=True)
class Item(Record):
    """One item of the sharing list."""

    id: str  # its group's, a dot, its own
    zh: str
    en: str
    provider: str
    mode: Mode
    access: Access
    level: Level
    cycle: str

    def __post_init__(self) -> None:
        """Check that nothing is empty, and that what is only verified is shown to nobody."""
        check_field(all((self.zh, self.en, self.provider, self.cycle)), "item")
        check_field((self.mode is Mode.VERIFY) == (self.access is Access.VERIFY), "access")


@dataclass(frozen=True, kw_only=True)
class Group(Record):
    """Items that one kind of department brings."""

    id: str
    zh: str
    en: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        """Check that the items are this group's."""
        check_field(bool(self.zh and self.en and self.items), "group")
        own = [item.id.removeprefix(f"{self.id}.") for item in self.items]
        check_field(all(name.isidentifier() for name in (self.id, *own)), "id")


@dataclass(frozen=True, kw_only=True)
class Catalogue(Record):
    """The sharing list of a room at one time."""

    KIND: ClassVar[str] = "saferoom/catalogue/1"
    version: int
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        """Check that each group and each item stands once."""
        check_field(self.version > 0, "version")
        groups = [group.id for group in self.groups]
        items = [item.id for group in self.groups for item in group.items]
        check_field(len(set(groups)) == len(groups), "groups")
        check_field(len(set(items)) == len(items), "items")

    def items(self) -> Mapping[str, Item]:
        """Find items by their names."""
        return {item.id: item for group in self.groups for item in group.items}


def check_listed(table: Table, catalogue: Catalogue) -> None:
    """Refuse a table whose items are not listed, only verified, or guarded more closely."""
    listed = catalogue.items()
    check_field(all(name in listed for name in table.items), "items")
    items = [listed[name] for name in table.items]
    check_field(all(item.mode is not Mode.VERIFY for item in items), "mode")
    own = {item.provider == THE_ENTERPRISE for item in items}
    check_field(own == {table.self_reported}, "self_reported")
    least = max(item.level for item in items)  # L1 … L4 sort as they read
    check_field(all(column.level >= least for column in table.columns), "level")
