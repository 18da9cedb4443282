"""What may a feature be computed by?

A small closed grammar, written as data (docs/reference/views.md). Aggregates turn one
enterprise's rows of one table into a figure; operations turn figures into a figure. The
reader is `grammar.py`; aggregates become queries in `compiler.py`, operations are NumPy's
in `combining.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

LONGEST_WINDOW = 120  # months
LONGEST_STREAK = 48  # months that one exact float can mark


class Span(StrEnum):
    """How an aggregate's rows are chosen by time."""

    ALL = "all"
    MONTHS = "months"  # calendar months back from the as-of day's; 1 is the last that ended
    WITHIN = "within"  # so many months up to the as-of day
    YEAR = "year"  # the calendar year so many years before the as-of day's
    BEFORE_LAST = "before_last"  # the month so many before the enterprise's last row's


@dataclass(frozen=True)
class Window:
    """A span of time; `first` and `last` are equal but for months."""

    span: Span = Span.ALL
    first: int = 0
    last: int = 0


@dataclass(frozen=True)
class Condition:
    """One test of a row; the value is a constant, or names another column."""

    column: str
    test: str
    value: str | int | bool | None = None
    other: bool = False  # the value is a column's name


@dataclass(frozen=True)
class Cell:
    """What is taken from a row: a number, a day, a coded text, or two columns' sum or gap."""

    column: str
    plus: str | None = None
    minus: str | None = None
    codes: tuple[tuple[str, int], ...] = ()
    prefix: int | None = None  # of the text, before it is coded


@dataclass(frozen=True)
class Aggregate:
    """One figure from an enterprise's rows of one table.

    `among` says which rows are meant: none of them is a missing figure, or zero where that
    is declared. `where` says which of those are counted, summed or looked at.
    """

    table: str
    op: str
    cell: Cell | None
    window: Window
    among: tuple[Condition, ...]
    where: tuple[Condition, ...]
    zero_if_empty: bool


@dataclass(frozen=True)
class Constant:
    """A whole number."""

    number: int


@dataclass(frozen=True)
class Operation:
    """A figure from figures; `numbers` are its declared constants."""

    op: str
    operands: tuple[Formula, ...]
    numbers: tuple[int, ...] = ()
    clip: tuple[int, int] | None = None


Formula = Aggregate | Operation | Constant


def aggregates(formula: Formula) -> Iterator[Aggregate]:
    """Name every aggregate that a formula needs."""
    match formula:
        case Aggregate():
            yield formula
        case Operation():
            for operand in formula.operands:
                yield from aggregates(operand)
        case Constant():
            return


def columns_of(aggregate: Aggregate) -> Iterator[str]:
    """Name the columns of its own that an aggregate reads."""
    if (cell := aggregate.cell) is not None:
        yield from (name for name in (cell.column, cell.plus, cell.minus) if name is not None)
    for condition in (*aggregate.among, *aggregate.where):
        yield condition.column
        if condition.other:
            yield str(condition.value)
