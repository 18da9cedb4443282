"""What may a feature be computed by?

A small closed grammar, written as data (docs/reference/views.md). Every name is compared
with the declared columns and every constant with its column's type, so nothing that a
person typed reaches a query as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from saferoom.canonical import Json
from saferoom.core.facts import CellType, Table
from saferoom.errors import BadInput

_NUMBERS = {CellType.NUMBER, CellType.WHOLE}
LONGEST_WINDOW = 120


@dataclass(frozen=True)
class Condition:
    """One test of a row: column equals a value, is after another day, or is empty."""

    column: str
    test: str
    value: str | int | None


@dataclass(frozen=True)
class Aggregate:
    """One figure from an enterprise's rows within months 1 (the last ended) to n."""

    op: str  # sum, count, last
    column: str | None
    months: tuple[int, int] | None
    where: tuple[Condition, ...]
    zero_if_empty: bool
    codes: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Growth:
    """Top over bottom, less one; missing when the bottom is zero or missing."""

    top: Aggregate
    bottom: Aggregate
    clip: tuple[int, int] | None


@dataclass(frozen=True)
class Ln1p:
    """The natural logarithm of one plus a figure."""

    of: Aggregate


@dataclass(frozen=True)
class MonthsSince:
    """Whole months from a day to the as-of day."""

    of: Aggregate


Formula = Aggregate | Growth | Ln1p | MonthsSince


def read_formula(body: Json, table: Table) -> Formula:
    """Read a declaration strictly, against its table's columns."""
    fields = _fields(body, {"op"}, {"top", "bottom", "clip", "of", *_AGGREGATE})
    match fields.get("op"):
        case "growth":
            _fields(body, {"op", "top", "bottom"}, {"clip"})
            top, bottom = (_numeric(fields[name], table) for name in ("top", "bottom"))
            return Growth(top, bottom, _pair(fields.get("clip")))
        case "ln1p":
            _fields(body, {"op", "of"}, set())
            return Ln1p(_numeric(fields["of"], table))
        case "months_since":
            _fields(body, {"op", "of"}, set())
            inner = _aggregate(fields["of"], table)
            _check(inner.op == "last" and _type(table, inner.column) is CellType.DAY)
            return MonthsSince(inner)
        case _:
            return _numeric(body, table)


_AGGREGATE = {"column", "months", "where", "empty", "codes"}


def _numeric(body: Json, table: Table) -> Aggregate:
    """Read an aggregate whose result is a number."""
    aggregate = _aggregate(body, table)
    if aggregate.op == "last":
        _check(bool(aggregate.codes) or _type(table, aggregate.column) in _NUMBERS)
    return aggregate


def _aggregate(body: Json, table: Table) -> Aggregate:
    fields = _fields(body, {"op"}, _AGGREGATE)
    op, column, where = fields["op"], fields.get("column"), fields.get("where", [])
    _check(op in ("sum", "count", "last") and isinstance(where, list))
    assert isinstance(op, str)
    assert isinstance(where, list)
    _check(column is None if op == "count" else isinstance(column, str))
    kind = _type(table, column) if isinstance(column, str) else None
    _check(op != "sum" or kind in _NUMBERS)
    months = _pair(fields.get("months"))
    _check(months is None or 1 <= months[0] <= months[1] <= LONGEST_WINDOW)
    _check(fields.get("empty", "missing") in ("missing", "zero"))
    return Aggregate(
        op=op,
        column=column if isinstance(column, str) else None,
        months=months,
        where=tuple(_condition(one, table) for one in where),
        zero_if_empty=fields.get("empty") == "zero",
        codes=_codes(fields.get("codes"), op, kind),
    )


def _condition(body: Json, table: Table) -> Condition:
    fields = _fields(body, {"column", "test"}, {"value"})
    column, test, value = fields["column"], fields["test"], fields.get("value")
    _check(isinstance(column, str) and isinstance(test, str))
    kind = _type(table, str(column))
    match test:
        case "is_empty":
            _check(value is None)
        case "after":
            _check(isinstance(value, str))
            _check(kind is CellType.DAY and _type(table, str(value)) is CellType.DAY)
        case "equals" if kind is CellType.TEXT:
            _check(isinstance(value, str) and str(value).isidentifier())
        case "equals":
            _check(kind in _NUMBERS and type(value) is int)
        case _:
            raise _invalid()
    assert value is None or isinstance(value, (str, int))
    return Condition(str(column), str(test), value)


def _codes(value: Json, op: str, kind: CellType | None) -> tuple[tuple[str, int], ...]:
    if value is None:
        return ()
    _check(op == "last" and kind is CellType.TEXT and isinstance(value, dict))
    assert isinstance(value, dict)
    pairs = []
    for name, code in value.items():
        _check(name.isidentifier() and type(code) is int)
        pairs.append((name, int(str(code))))
    return tuple(sorted(pairs))


def _pair(value: Json) -> tuple[int, int] | None:
    match value:
        case None:
            return None
        case [int(low), int(high)] if low <= high:
            return (low, high)
        case _:
            raise _invalid()


def _fields(body: Json, needed: set[str], allowed: set[str]) -> dict[str, Json]:
    _check(isinstance(body, dict))
    assert isinstance(body, dict)
    _check(needed <= set(body) <= needed | allowed)
    return body


def _type(table: Table, name: str | None) -> CellType:
    column = table.column(name) if name is not None else None
    if column is None:
        raise _invalid()
    return column.type


def _check(holds: bool) -> None:  # noqa: FBT001  # reads as: check that it holds
    if not holds:
        raise _invalid()


def _invalid() -> BadInput:
    return BadInput("POLICY_INVALID", "a formula")
