"""Which features exist, computed how, from which columns, at which level?

Declared data, compiled by the vault; the set's digest is what two operators approve
and what every version, grant and log entry names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.record import Record, check_field

SELF_REPORTED = "self"  # the category of views that read what an enterprise says of itself
DTYPE = "float64"  # of every feature: in segments, in a cage, and in mock data


class Level(StrEnum):
    """Sensitivity: public, internal, non-public enterprise data, trade secret."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"


@dataclass(frozen=True, kw_only=True)
class View(Record):
    """One feature column, as the catalogue shows it."""

    name: str
    category: str
    level: Level
    feature_type: str  # continuous, count, ratio, flag, ordinal
    table: str
    also: tuple[str, ...] = ()  # other categories whose tables it reads, sorted
    formula: str  # canonical text of the declaration that the vault compiles
    title_zh: str
    title_en: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.name) <= 64 and self.name.isidentifier(), "name")
        check_field(0 < len(self.category) <= 32, "category")
        check_field(list(self.also) == sorted({*self.also} - {self.category}), "also")


@dataclass(frozen=True, kw_only=True)
class ViewSet(Record):
    """All views of a room at one time, sorted by name."""

    KIND: ClassVar[str] = "saferoom/views/1"
    views: tuple[View, ...]

    def __post_init__(self) -> None:
        """Keep the order canonical."""
        names = [view.name for view in self.views]
        check_field(names == sorted(set(names)), "views")

    def names(self) -> tuple[str, ...]:
        """List the feature names."""
        return tuple(view.name for view in self.views)

    def self_reported(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """Name those of these features that read an enterprise's own word."""
        marked = (one for one in self.views if SELF_REPORTED in {one.category, *one.also})
        return tuple(one.name for one in marked if one.name in features)

    def categories_of(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """Name every category that these features read, sorted: what a grant must cover."""
        chosen = [view for view in self.views if view.name in features]
        return tuple(sorted({name for one in chosen for name in (one.category, *one.also)}))
