"""What do practice rows look like, when nobody may look at a real one?

Stewards type it in, from what they publish anyway: for each feature a range or quantiles (or
values with their shares), how often it is missing and together with what, and rank
correlations. Two operators approve the set's digest, for a figure typed in is a figure told.
Values are decimal text: what is signed holds no floats. What exists as a `MockSet` can be
drawn: its correlations belong to some distribution, or it is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

from saferoom.core.record import Record, check_field
from saferoom.core.views import View, ViewSet
from saferoom.errors import BadInput

WHOLE = 1000  # shares are of a thousand
MOST_COLUMNS = 500
STRONGEST = 99  # hundredths
WHOLE_TYPES = frozenset({"count", "flag", "ordinal"})
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{0,7}[1-9])?")
_SLACK = 1e-9  # of a pivot: what rounding leaves of zero


@dataclass(frozen=True, kw_only=True)
class Stop(Record):
    """So many of a thousand enterprises have at most this value."""

    permille: int
    value: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 <= self.permille <= WHOLE, "permille")
        read_decimal(self.value)


@dataclass(frozen=True, kw_only=True)
class Share(Record):
    """So many of a thousand enterprises have this value."""

    permille: int
    value: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < self.permille <= WHOLE, "permille")
        read_decimal(self.value)


@dataclass(frozen=True, kw_only=True)
class MockColumn(Record):
    """One feature: stops with straight lines between them, or values with their shares.

    Features with the same `missing_with` are missing together: in whoever lacks one, those
    that are missing more often are missing too.
    """

    name: str
    stops: tuple[Stop, ...]
    shares: tuple[Share, ...]
    whole: bool  # between stops only whole numbers lie
    missing_permille: int
    missing_with: str

    def __post_init__(self) -> None:
        """Check that exactly one form is used, in order and complete."""
        check_field(0 < len(self.name) <= 64 and self.name.isidentifier(), "name")
        check_field(0 <= self.missing_permille <= WHOLE, "missing_permille")
        check_field(0 < len(self.missing_with) <= 40, "missing_with")
        check_field(bool(self.stops) != bool(self.shares), "stops")
        if self.stops:
            self._check_stops()
        else:
            self._check_shares()

    def fits(self, view: View) -> bool:
        """Say whether a view of this type could have these values."""
        values = [stop.value for stop in self.stops] + [share.value for share in self.shares]
        whole = not any("." in value for value in values)
        if view.feature_type == "flag":
            return bool(self.shares) and {*values} <= {"0", "1"}
        if view.feature_type in WHOLE_TYPES:
            return whole and (self.whole or bool(self.shares))
        return True

    def _check_stops(self) -> None:
        places = [stop.permille for stop in self.stops]
        values = [read_decimal(stop.value) for stop in self.stops]
        check_field(len(places) > 1 and (places[0], places[-1]) == (0, WHOLE), "stops")
        check_field(all(before < after for before, after in pairwise(places)), "stops")
        check_field(all(before <= after for before, after in pairwise(values)), "stops")

    def _check_shares(self) -> None:
        values = [read_decimal(share.value) for share in self.shares]
        check_field(not self.whole, "whole")  # shares say it themselves
        check_field(all(before < after for before, after in pairwise(values)), "shares")
        check_field(sum(share.permille for share in self.shares) == WHOLE, "shares")


@dataclass(frozen=True, kw_only=True)
class Correlation(Record):
    """Spearman's rank correlation of two features, before either is missing."""

    first: str
    second: str
    hundredths: int

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.first < self.second, "correlations")
        check_field(0 < abs(self.hundredths) <= STRONGEST, "hundredths")


@dataclass(frozen=True, kw_only=True)
class MockSet(Record):
    """What mock data of a room are made of, sorted by name."""

    KIND: ClassVar[str] = "saferoom/mock/1"
    columns: tuple[MockColumn, ...]
    correlations: tuple[Correlation, ...]

    def __post_init__(self) -> None:
        """Keep the order canonical, and the correlations possible."""
        names = [column.name for column in self.columns]
        check_field(names == sorted(set(names)) and len(names) <= MOST_COLUMNS, "columns")
        pairs = [(one.first, one.second) for one in self.correlations]
        check_field(pairs == sorted(set(pairs)), "correlations")
        check_field({name for pair in pairs for name in pair} <= set(names), "correlations")
        assert self.factor is not None  # refused, where there is none

    @cached_property
    def factor(self) -> dict[str, dict[str, float]]:
        """Return the lower triangle L of the normal scores' correlations, L·Lᵀ; zeros left out.

        Row by row in the order of names, each sum from left to right, with nothing but
        + − × ÷ √: the same bits on every machine.
        """
        ranks = {(one.first, one.second): one.hundredths for one in self.correlations}
        rows: dict[str, dict[str, float]] = {}
        for name in (column.name for column in self.columns):
            row: dict[str, float] = {}
            for other, above in rows.items():
                left = normal_correlation(ranks.get((other, name), 0)) - _dot(row, above)
                pivot = above.get(other, 0.0)
                if pivot == 0 and abs(left) > _SLACK:
                    raise _impossible(name)
                if pivot != 0 and left != 0:
                    row[other] = left / pivot
            rest = 1.0 - _dot(row, row)
            if rest < -_SLACK:
                raise _impossible(name)
            if rest > _SLACK:
                row[name] = math.sqrt(rest)
            rows[name] = row
        return rows

    def of(self, views: ViewSet) -> MockSet:
        """Keep what these views need; refuse a view without declaration, or of another type."""
        columns = {column.name: column for column in self.columns}
        for view in views.views:
            if view.name not in columns:
                raise BadInput("MOCK_UNDECLARED", view.name)
            if not columns[view.name].fits(view):
                raise BadInput("MOCK_INVALID", f"{view.name} is of type {view.feature_type}")
        kept = set(views.names())
        return MockSet(
            columns=tuple(column for column in self.columns if column.name in kept),
            correlations=tuple(one for one in self.correlations if {one.first, one.second} <= kept),
        )


def read_decimal(text: str) -> float:
    """Read a number that has one text only."""
    check_field(_DECIMAL.fullmatch(text) is not None and text != "-0", "value")
    return float(text)


def normal_correlation(hundredths: int) -> float:
    """Give normal scores the correlation that their ranks shall have: 2·sin(π·ρ/6).

    By its series, since machines' own sines differ in the last bit.
    """
    angle = 3.141592653589793 * hundredths / 600
    term = total = angle
    for n in (2, 4, 6, 8, 10, 12, 14):
        term = -term * angle * angle / (n * (n + 1))
        total += term
    return 2 * total


def _dot(one: dict[str, float], other: dict[str, float]) -> float:
    total = 0.0
    for name, value in one.items():
        if name in other:
            total += value * other[name]
    return total


def _impossible(name: str) -> BadInput:
    return BadInput("MOCK_INVALID", f"no distribution has the correlations of {name}")
