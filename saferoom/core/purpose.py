"""Does a model read more than its purpose needs (最小必要)?

The list for each purpose is part of the policy set, so two operators agreed to it; a set
without lists asks nothing, a set with lists and none for a purpose allows it nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.manifest import Purpose
from saferoom.core.record import Record, check_field
from saferoom.core.views import ViewSet
from saferoom.errors import Refusal


class Beyond(StrEnum):
    """What happens to a version that reads more."""

    REFUSE = "refuse"
    FLAG = "flag"


@dataclass(frozen=True, kw_only=True)
class Necessary(Record):
    """What one purpose needs."""

    purpose: Purpose
    categories: tuple[str, ...]
    views: tuple[str, ...]  # besides
    beyond: Beyond


@dataclass(frozen=True, kw_only=True)
class Purposes(Record):
    """The lists of all purposes."""

    KIND: ClassVar[str] = "saferoom/purposes/1"
    purpose: tuple[Necessary, ...]

    def __post_init__(self) -> None:
        """Refuse two lists for one purpose."""
        names = [one.purpose for one in self.purpose]
        check_field(len(set(names)) == len(names), "purpose")


def check_necessary(
    purposes: Purposes | None, purpose: Purpose, views: ViewSet, features: Sequence[str]
) -> tuple[str, ...]:
    """Name the views beyond what the purpose needs; refuse them where the list says so."""
    if purposes is None:
        return ()
    needed = next((one for one in purposes.purpose if one.purpose is purpose), None)
    category = {view.name: view.category for view in views.views}
    surplus = tuple(
        name
        for name in features
        if needed is None or not (category.get(name) in needed.categories or name in needed.views)
    )
    if surplus and (needed is None or needed.beyond is Beyond.REFUSE):
        raise Refusal("MIN_NECESSARY", ", ".join(surplus[:5]))
    return surplus
