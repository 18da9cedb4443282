"""How is a declared formula read?

Strictly: every name is compared with the declared tables and columns and every constant
with its column's type, so nothing that a person typed reaches a query as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from saferoom.canonical import Json
from saferoom.core.facts import CellType, Table
from saferoom.errors import BadInput
from saferoom.vault.formula import (
    LONGEST_STREAK,
    LONGEST_WINDOW,
    Aggregate,
    Cell,
    Condition,
    Constant,
    Formula,
    Operation,
    Span,
    Window,
)

NUMBERS = {CellType.NUMBER, CellType.WHOLE}
WITH_CELL = {"sum", "avg", "min", "max", "std", "last"}
WITHOUT_CELL = {"count", "any", "streak"}
OPERATIONS = {  # op → the fields that hold its operands
    "ratio": ("top", "bottom"),
    "growth": ("top", "bottom"),
    "difference": ("of", "minus"),
    "ln": ("of",),
    "ln1p": ("of",),
    "or_else": ("of", "otherwise"),
}
CLIPPED = {"ratio", "growth", "difference"}
SPANS = {span.value for span in Span} - {Span.ALL}
AGGREGATE = {"table", "column", "plus", "minus", "codes", "prefix", "among", "where", "empty"}
FEWEST_PAIRS = 3  # months that a correlation needs at least, whatever is declared


def read_formula(body: Json, tables: Mapping[str, Table], home: str) -> Formula:
    """Read a declaration; aggregates that name no table read the home table."""
    reader = Reader(tables, home)
    return reader.formula(body)


class Reader:
    """The tables that names are compared with."""

    def __init__(self, tables: Mapping[str, Table], home: str) -> None:
        self._tables, self._home = tables, home

    def formula(self, body: Json) -> Formula:
        """Read any formula whose value is a number."""
        if type(body) is int:
            return Constant(body)
        op = fields_of(body, {"op"}, None)["op"]
        match op:
            case "months_since":
                fields = fields_of(body, {"op", "of"}, set())
                return Operation("months_since", (self._aggregate(fields["of"], day=True),))
            case "corr":
                return self._corr(body)
            case "months_below":
                return self._months_below(body)
            case str() if op in OPERATIONS:
                return self._operation(op, body)
            case _:
                return self._aggregate(body)

    def _operation(self, op: str, body: Json) -> Operation:
        fields = fields_of(body, {"op", *OPERATIONS[op]}, {"clip"} if op in CLIPPED else set())
        operands = tuple(self.formula(fields[name]) for name in OPERATIONS[op])
        clip = pair(fields["clip"]) if "clip" in fields else None
        return Operation(op, operands, clip=clip)

    def _corr(self, body: Json) -> Operation:
        """Read two series of monthly figures and the fewest months that both must have."""
        fields = fields_of(body, {"op", "of", "with", "months", "least"}, set())
        least = whole(fields["least"])
        first, last = pair(fields["months"])
        check(FEWEST_PAIRS <= least <= last - first + 1)
        series = [self._series(fields[name], fields["months"]) for name in ("of", "with")]
        return Operation("corr", (*series[0], *series[1]), (least,))

    def _months_below(self, body: Json) -> Operation:
        """Read a monthly figure, and the share in percent of a peak that it may fall below."""
        fields = fields_of(body, {"op", "of", "peak", "months", "percent"}, set())
        percent = whole(fields["percent"])
        check(0 < percent < 100)  # percent
        series = self._series(fields["of"], fields["months"])
        return Operation("months_below", (*series, self._aggregate(fields["peak"])), (percent,))

    def _series(self, body: Json, months: Json) -> tuple[Aggregate, ...]:
        """Read one figure as one for each month."""
        aggregate = self._aggregate(body)
        check(aggregate.window == Window() and aggregate.op in {"sum", "avg", "last"})
        first, last = pair(months)
        check(1 <= first <= last <= LONGEST_STREAK)
        each = (Window(Span.MONTHS, month, month) for month in range(first, last + 1))
        return tuple(replace(aggregate, window=window) for window in each)

    def _aggregate(self, body: Json, *, day: bool = False) -> Aggregate:
        fields = fields_of(body, {"op"}, AGGREGATE | SPANS)
        op, name = fields["op"], fields.get("table", self._home)
        check(isinstance(name, str) and name in self._tables)
        check(isinstance(op, str) and op in WITH_CELL | WITHOUT_CELL)
        columns, window = Columns(self._tables[str(name)]), _window(fields)
        check(op != "streak" or (window.span is Span.MONTHS and window.last <= LONGEST_STREAK))
        check(("column" in fields) == (op in WITH_CELL))
        check(fields.get("empty", "missing") in ("missing", "zero"))
        check("empty" not in fields or op in {"sum", "count", "any"})
        return Aggregate(
            table=str(name),
            op="last_day" if day else str(op),
            cell=columns.cell(fields, day=day) if op in WITH_CELL else None,
            window=window,
            among=columns.conditions(fields.get("among", [])),
            where=columns.conditions(fields.get("where", [])),
            zero_if_empty=fields.get("empty") == "zero",
        )


class Columns:
    """One table's own columns, by type.

    The common ones are not among them: who, when known and in which state a record is are
    the as-of rule's affair, and no feature's.
    """

    def __init__(self, table: Table) -> None:
        self._types = {column.name: column.type for column in table.columns}

    def cell(self, fields: Mapping[str, Json], *, day: bool) -> Cell:
        """Read what is taken from a row."""
        name, plus, minus = (_text(fields.get(one)) for one in ("column", "plus", "minus"))
        assert name is not None  # its presence was checked
        codes, kind = _codes(fields.get("codes")), self._type(name)
        prefix = whole(fields["prefix"]) if "prefix" in fields else None
        check(prefix is None or (prefix > 0 and bool(codes)))
        check(plus is None or minus is None)
        match kind:
            case CellType.TEXT:
                check(bool(codes) and plus is None and minus is None and not day)
            case CellType.DAY if not day:
                check(minus is not None and self._type(minus) is CellType.DAY and not codes)
            case CellType.DAY:
                check(fields["op"] == "last" and plus is None and minus is None and not codes)
            case _:
                check(kind in NUMBERS and not codes and not day)
                others = [self._type(one) for one in (plus, minus) if one is not None]
                check(all(one in NUMBERS for one in others))
        return Cell(name, plus, minus, codes, prefix)

    def conditions(self, body: Json) -> tuple[Condition, ...]:
        """Read a list of tests that must all hold."""
        check(isinstance(body, list))
        assert isinstance(body, list)
        return tuple(self._condition(one) for one in body)

    def _condition(self, body: Json) -> Condition:
        fields = fields_of(body, {"column", "test"}, {"value", "than"})
        column, test = _text(fields["column"]), _text(fields["test"])
        kind, value, than = self._type(column), fields.get("value"), _text(fields.get("than"))
        check(value is None or than is None)
        match test, kind:
            case "is_empty", _:
                check(value is None and than is None)
            case ("open", CellType.DAY) | ("after" | "before", CellType.DAY) if than is None:
                check(value is None)
            case "after" | "before", CellType.DAY:
                check(self._type(than) is CellType.DAY)
            case "within_days", CellType.DAY:
                check(than is None and whole(value) > 0)
            case "equals", CellType.TEXT:
                check(than is None and isinstance(value, str) and value.isidentifier())
            case "equals", CellType.FLAG:
                check(than is None and type(value) is bool)
            case (("equals" | "above" | "below"), CellType.NUMBER | CellType.WHOLE):
                check(type(value) is int if than is None else self._type(than) in NUMBERS)
            case _:
                raise invalid()
        assert value is None or isinstance(value, (str, int))
        return Condition(str(column), str(test), than or value, other=than is not None)

    def _type(self, name: str | None) -> CellType:
        if name not in self._types:
            raise invalid()
        return self._types[name]


def _window(fields: Mapping[str, Json]) -> Window:
    declared = SPANS & set(fields)
    check(len(declared) <= 1)
    if not declared:
        return Window()
    span = Span(declared.pop())
    first, last = pair(fields[span]) if span is Span.MONTHS else (whole(fields[span]),) * 2
    check(1 <= first <= last <= LONGEST_WINDOW)
    return Window(span, first, last)


def _codes(value: Json) -> tuple[tuple[str, int], ...]:
    if value is None:
        return ()
    check(isinstance(value, dict) and len(value) > 0)
    assert isinstance(value, dict)
    check(all(name.isidentifier() for name in value))
    return tuple(sorted((name, whole(code)) for name, code in value.items()))


def _text(value: Json) -> str | None:
    check(value is None or isinstance(value, str))
    return value if isinstance(value, str) else None


def whole(value: Json) -> int:
    """Read a whole number; true and false are none."""
    if type(value) is not int:
        raise invalid()
    return value


def pair(value: Json) -> tuple[int, int]:
    """Read two whole numbers in order."""
    match value:
        case [low, high] if whole(low) <= whole(high):
            return (whole(low), whole(high))
        case _:
            raise invalid()


def fields_of(body: Json, needed: set[str], allowed: set[str] | None) -> dict[str, Json]:
    """Read an object with exactly these fields; None allows any others."""
    if not isinstance(body, dict) or not needed <= set(body):
        raise invalid()
    check(allowed is None or set(body) <= needed | allowed)
    return body


def check(holds: bool) -> None:  # noqa: FBT001  # reads as: check that it holds
    """Refuse what the grammar does not have."""
    if not holds:
        raise invalid()


def invalid() -> BadInput:
    """Name no value: a declaration's text may be anything."""
    return BadInput("POLICY_INVALID", "a formula")
