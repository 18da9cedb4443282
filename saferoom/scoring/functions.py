"""What may be done to one number on its way from a column to a score?

A closed list. Each function takes one value of one row and gives one value, in float64, by
exactly the operations written here: so it can never look at another row. NaN means missing.
A function may refuse a value: that enterprise's outcome is then `refused`.

`slope` says which way it goes as its value grows: 1 never falls, −1 never rises, 0 is
constant, None neither. What it says of a missing value is not part of that.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from saferoom.errors import BadInput
from saferoom.scoring.numbers import LARGEST_POINT, check_ascending

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_ENTRIES = 10_000  # of one table
_LARGEST_EXPONENT = math.log(float(np.finfo(np.float64).max))


@dataclass(frozen=True)
class Function(ABC):
    """What all have in common."""

    kind: ClassVar[str]
    exact: ClassVar[bool] = True  # IEEE 754 alone decides every bit of the answer

    @abstractmethod
    def apply(self, values: Floats) -> Floats:
        """Compute each value's answer."""

    def refused(self, _values: Floats) -> Flags | None:
        """Name the values that have no answer."""
        return None

    @property
    def slope(self) -> int | None:
        """Say which way it goes."""
        return 1

    @property
    def turns(self) -> tuple[float, ...]:
        """Name the values at which the answer jumps or bends."""
        return ()

    def check(self) -> None:
        """Refuse numbers that are not of this function."""
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, float):
                _check_finite((value,), f"{self.kind}: {one.name}")


@dataclass(frozen=True)
class Impute(Function):
    """Put a value where one is missing."""

    kind: ClassVar[str] = "impute"
    value: float

    def apply(self, values: Floats) -> Floats:
        """Keep what is there."""
        return np.where(np.isnan(values), self.value, values)


@dataclass(frozen=True)
class IsMissing(Function):
    """Give 1 where the value is missing, else 0."""

    kind: ClassVar[str] = "is-missing"

    def apply(self, values: Floats) -> Floats:
        """Ask for NaN."""
        return np.isnan(values).astype(np.float64)

    @property
    def slope(self) -> int:
        """Every number gives 0."""
        return 0


@dataclass(frozen=True)
class Add(Function):
    """Add a number."""

    kind: ClassVar[str] = "add"
    number: float

    def apply(self, values: Floats) -> Floats:
        """Round once."""
        return values + self.number


@dataclass(frozen=True)
class Multiply(Function):
    """Multiply by a number."""

    kind: ClassVar[str] = "multiply"
    number: float

    def apply(self, values: Floats) -> Floats:
        """Round once."""
        return values * self.number

    @property
    def slope(self) -> int:
        """Have the number's sign."""
        return (self.number > 0) - (self.number < 0)


@dataclass(frozen=True)
class Divide(Function):
    """Divide by a number."""

    kind: ClassVar[str] = "divide"
    number: float

    def apply(self, values: Floats) -> Floats:
        """Round once."""
        return values / self.number

    @property
    def slope(self) -> int:
        """Have the number's sign."""
        return 1 if self.number > 0 else -1

    def check(self) -> None:
        """Refuse zero too."""
        super().check()
        if self.number == 0:
            raise BadInput("MODEL_MALFORMED", "divide: number")


@dataclass(frozen=True)
class Clip(Function):
    """Hold a value between two bounds."""

    kind: ClassVar[str] = "clip"
    low: float
    high: float

    def apply(self, values: Floats) -> Floats:
        """Missing stays missing."""
        return np.clip(values, self.low, self.high)

    @property
    def turns(self) -> tuple[float, ...]:
        """Bend at both bounds."""
        return (self.low, self.high)

    def check(self) -> None:
        """Refuse bounds in the wrong order."""
        super().check()
        if not self.low <= self.high:
            raise BadInput("MODEL_MALFORMED", "clip: low is above high")


@dataclass(frozen=True)
class Bin(Function):
    """Count the edges that are ≤ the value; missing stays missing."""

    kind: ClassVar[str] = "bin"
    edges: tuple[float, ...]

    def apply(self, values: Floats) -> Floats:
        """Search each value's bin."""
        bins = np.searchsorted(np.array(self.edges), values, side="right").astype(np.float64)
        return np.where(np.isnan(values), np.nan, bins)

    @property
    def turns(self) -> tuple[float, ...]:
        """Jump at each edge."""
        return self.edges

    def check(self) -> None:
        """Refuse edges that do not ascend."""
        _check_table(self.edges, "bin: edges")


@dataclass(frozen=True)
class Lookup(Function):
    """Look a value up among exact keys; NaN in the table means missing.

    `missing` stands for a missing value, `unknown` for one that is no key, unless unknown
    values are refused.
    """

    kind: ClassVar[str] = "lookup"
    keys: tuple[float, ...]
    values: tuple[float, ...]
    missing: float
    unknown: float
    refuses_unknown: bool

    def apply(self, values: Floats) -> Floats:
        """Search each value's key."""
        keys, table = np.array(self.keys), np.array(self.values)
        places = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
        found = np.where(keys[places] == values, table[places], self.unknown)
        return np.where(np.isnan(values), self.missing, found)

    def refused(self, values: Floats) -> Flags | None:
        """Refuse what is no key, where that was said."""
        if not self.refuses_unknown:
            return None
        return ~(np.isin(values, np.array(self.keys)) | np.isnan(values))

    @property
    def slope(self) -> int | None:
        """Keys are names, not sizes: among other values than the keys nothing ascends."""
        return None

    @property
    def turns(self) -> tuple[float, ...]:
        """Jump at each key."""
        return self.keys

    def check(self) -> None:
        """Refuse keys that do not ascend, and a table of another length."""
        _check_table(self.keys, "lookup: keys")
        if not self.keys or len(self.values) != len(self.keys):
            raise BadInput("MODEL_MALFORMED", "lookup: one value per key")
        numbers = (*self.values, self.missing, self.unknown)
        if any(abs(number) > LARGEST_POINT for number in numbers):  # NaN is allowed here
            raise BadInput("MODEL_MALFORMED", "lookup: values")


@dataclass(frozen=True)
class Log1p(Function):
    """Take log(1 + x); below −1 there is none, and the value is refused."""

    kind: ClassVar[str] = "log1p"
    exact: ClassVar[bool] = False

    def apply(self, values: Floats) -> Floats:
        """Use the C library's function, one value at a time: never its vector twin."""
        return np.array([math.log1p(x) if x > -1 else math.nan for x in values.tolist()])

    def refused(self, values: Floats) -> Flags:
        """Refuse what has no logarithm."""
        return values <= -1

    @property
    def turns(self) -> tuple[float, ...]:
        """End at −1."""
        return (-1.0,)


@dataclass(frozen=True)
class Single(Function):
    """Round to float32, as a library that holds its columns so; beyond its range is refused."""

    kind: ClassVar[str] = "single"

    def apply(self, values: Floats) -> Floats:
        """Round to nearest, ties to even."""
        with np.errstate(over="ignore"):
            return values.astype(np.float32).astype(np.float64)

    def refused(self, values: Floats) -> Flags:
        """Refuse what becomes infinite."""
        return np.isinf(self.apply(values))


@dataclass(frozen=True)
class Logistic(Function):
    """Give 1 / (1 + exp(−slope · x)), with the C library's `exp`."""

    kind: ClassVar[str] = "logistic"
    steepness: float

    def apply(self, values: Floats) -> Floats:
        """Go one by one: numpy's own `exp` differs in the last bit."""
        exponents = (-self.steepness * values).tolist()
        powers = [math.inf if each > _LARGEST_EXPONENT else math.exp(each) for each in exponents]
        chances: Floats = 1.0 / (1.0 + np.array(powers, np.float64))
        return chances

    @property
    def slope(self) -> int:
        """Have the steepness's sign."""
        return 1 if self.steepness > 0 else -1

    def check(self) -> None:
        """Refuse a flat or an endless one."""
        if not 0 < abs(self.steepness) <= 1000:
            raise BadInput("MODEL_MALFORMED", "objective")


@dataclass(frozen=True)
class Interpolate(Function):
    """Join points by straight lines, flat before the first and after the last."""

    kind: ClassVar[str] = "interpolate"
    exact: ClassVar[bool] = False
    at: tuple[float, ...]
    values: tuple[float, ...]

    def apply(self, values: Floats) -> Floats:
        """Missing stays missing."""
        joined: Floats = np.interp(values, np.array(self.at), np.array(self.values))
        return joined

    @property
    def slope(self) -> int | None:
        """Go as all its points do."""
        steps = {(after > before) - (after < before) for before, after in pairwise(self.values)}
        steps.discard(0)
        return None if len(steps) > 1 else next(iter(steps), 0)

    @property
    def turns(self) -> tuple[float, ...]:
        """Bend at each point."""
        return self.at

    def check(self) -> None:
        """Refuse points that do not ascend."""
        _check_table(self.at, "interpolate: points")
        if not self.at or len(self.values) != len(self.at):
            raise BadInput("MODEL_MALFORMED", "interpolate: one value per point")
        _check_finite(self.values, "interpolate: values")


FUNCTIONS: dict[str, type[Function]] = {
    one.kind: one
    for one in (
        *(Impute, IsMissing, Add, Multiply, Divide, Clip, Bin, Lookup),
        *(Log1p, Single, Logistic, Interpolate),
    )
}


def slope_of(functions: Sequence[Function]) -> int | None:
    """Say which way a chain goes: a constant ends the question, two turns undo each other."""
    way: int | None = 1
    for function in functions:
        if function.slope == 0:
            return 0
        way = None if way is None or function.slope is None else way * function.slope
    return way


def _check_table(values: Sequence[float], field: str) -> None:
    if len(values) > MOST_ENTRIES:
        raise BadInput("MODEL_MALFORMED", f"{field}: too many")
    _check_finite(values, field)
    check_ascending(values, field)


def _check_finite(values: Sequence[float], field: str) -> None:
    if not all(math.isfinite(value) for value in values):
        raise BadInput("MODEL_MALFORMED", field)
