"""How do declared aggregates become one query of a table, and over which rows?

The as-of rule, once for all features: of the versions of a record that were known by the
end of the as-of day the latest counts; a record that was repaired or erased by then never
does; its event lies before the as-of day; a day that a version names after the as-of day
has not happened yet, unless it is declared as a day to come. A disputed record marks its
enterprise. Declared values enter as checked names, whole numbers and identifiers; no
declaration can name `known_at`, `status` or another as-of day: they stand here alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from saferoom.core.facts import COMMON, CellType, Table
from saferoom.vault.formula import Aggregate, Cell, Condition, Span, Window, columns_of

# What the rule itself reads, in every table; `batch`, `row` and `source` are the vault's.
RULE_COLUMNS = (*(column.name for column in COMMON), "batch", "row", "source")
# $as_of is a day, $known the last second of that day.
_USABLE = """
WITH known AS (
  SELECT * FROM facts WHERE known_at <= $known
), several AS (
  SELECT source, uscc, record_id FROM known GROUP BY ALL HAVING count(*) > 1
), latest AS (
  SELECT * FROM known ANTI JOIN several USING (source, uscc, record_id)
  UNION ALL BY NAME
  SELECT * FROM known SEMI JOIN several USING (source, uscc, record_id)
  QUALIFY row_number() OVER (
      PARTITION BY source, uscc, record_id ORDER BY known_at DESC, batch DESC, row DESC
    ) = 1 AND NOT bool_or(status IN ('repaired', 'erased')) OVER (
      PARTITION BY source, uscc, record_id
    )
), usable AS (
  SELECT {columns},
    (year($as_of) * 12 + month($as_of)) - (year(event_date) * 12 + month(event_date)) AS ago
  FROM latest WHERE status NOT IN ('repaired', 'erased') AND event_date < $as_of
)
"""
_KEPT = ("uscc", "event_date", "known_at", "status", "batch", "row")
_ORDER = "event_date, known_at, batch, row"


def compile_table(table: Table, aggregates: Sequence[Aggregate]) -> str:
    """Write one query for all these aggregates of one table: `a0`, `a1` … for each enterprise."""
    names = sorted({name for one in aggregates for name in columns_of(one)} - set(_KEPT))
    columns = [*_KEPT, *(_happened(table, name) for name in names)]
    if any(one.window.span is Span.BEFORE_LAST for one in aggregates):
        columns.append("max(event_date) OVER (PARTITION BY uscc) AS last_event")
    figures = [f"CAST({_aggregate(one)} AS DOUBLE) AS a{n}" for n, one in enumerate(aggregates)]
    chosen = ",\n  ".join(["uscc", "bool_or(status = 'disputed') AS disputed", *figures])
    usable = _USABLE.format(columns=", ".join(columns))
    return f"{usable}SELECT {chosen}\nFROM usable GROUP BY uscc ORDER BY uscc"


def _happened(table: Table, name: str) -> str:
    """Blank a day that lies after the as-of day: nobody could know it then."""
    column = table.column(name)
    assert column is not None  # the grammar's reader compared it
    if column.type is CellType.DAY and not column.future:
        return f'CASE WHEN "{name}" <= $as_of THEN "{name}" END AS "{name}"'
    return f'"{name}"'


def _aggregate(one: Aggregate) -> str:  # noqa: PLR0911  # one per operator
    meant = " AND ".join([_window(one.window), *(_condition(test) for test in one.among)])
    rows = " AND ".join([meant, *(_condition(test) for test in one.where)])
    empty = "0" if one.zero_if_empty else "NULL"
    value = _cell(one.cell) if one.cell is not None else ""
    match one.op:
        case "count":
            return _unless_empty(meant, empty, f"count(*) FILTER (WHERE {rows})")
        case "any":
            some = f"CAST(count(*) FILTER (WHERE {rows}) > 0 AS INTEGER)"
            return _unless_empty(meant, empty, some)
        case "streak":
            # Rows outside the window are computed too, and filtered after.
            first, last = one.window.first, one.window.last
            bit = f"CAST(1 AS BIGINT) << (greatest({first}, least({last}, ago)) - {first})"
            marks = f"coalesce(bit_or({bit}) FILTER (WHERE {rows}), 0)"
            return _unless_empty(meant, "NULL", marks)
        case "sum":
            total = f"sum({value}) FILTER (WHERE {rows})"
            if one.where:  # rows are known, and none is of this kind
                total = f"CASE WHEN count(*) FILTER (WHERE {rows}) = 0 THEN 0 ELSE {total} END"
            return _unless_empty(meant, empty, total)
        case "last":
            return f"last({value} ORDER BY {_ORDER}) FILTER (WHERE {rows})"
        case "last_day":
            days = f"{value} - DATE '1970-01-01'"
            return f"last({days} ORDER BY {_ORDER}) FILTER (WHERE {rows})"
        case "std":
            return f"stddev_samp({value}) FILTER (WHERE {rows})"
        case _:
            return f"{one.op}({value}) FILTER (WHERE {rows})"


def _unless_empty(meant: str, empty: str, value: str) -> str:
    """Say that no row at all is unknown, not none."""
    return f"CASE WHEN count(*) FILTER (WHERE {meant}) = 0 THEN {empty} ELSE {value} END"


def _window(window: Window) -> str:
    match window.span:
        case Span.ALL:
            return "true"
        case Span.MONTHS:
            return f"ago BETWEEN {window.first} AND {window.last}"
        case Span.WITHIN:
            return f"event_date >= $as_of - INTERVAL {window.first} MONTH"
        case Span.YEAR:
            return f"year(event_date) = year($as_of) - {window.first}"
        case Span.BEFORE_LAST:
            months = "(year({0}) * 12 + month({0}))"
            gap = f"{months.format('last_event')} - {months.format('event_date')}"
            return f"{gap} = {window.first}"


def _cell(cell: Cell) -> str:
    column = f'"{cell.column}"'
    if cell.codes:
        text = column if cell.prefix is None else f"substring({column}, 1, {cell.prefix})"
        cases = " ".join(f"WHEN '{name}' THEN {code}" for name, code in cell.codes)
        return f"CASE {text} {cases} END"
    if cell.plus is not None:
        return f'{column} + "{cell.plus}"'
    if cell.minus is not None:
        return f'{column} - "{cell.minus}"'
    return column


def _condition(condition: Condition) -> str:
    column = f'"{condition.column}"'
    match condition.test:
        case "is_empty":
            return f"{column} IS NULL"
        case "open":
            return f"({column} IS NULL OR {column} > $as_of)"
        case "within_days":
            return f"({column} > $as_of AND {column} <= $as_of + {condition.value})"
        case "after" | "above":
            return f"{column} > {_operand(condition)}"
        case "before" | "below":
            return f"{column} < {_operand(condition)}"
        case _:
            return f"{column} = {_operand(condition)}"


def _operand(condition: Condition) -> str:
    match condition.value:
        case None:
            return "$as_of"
        case bool():
            return str(int(condition.value))  # flags rest as 0 and 1
        case int():
            return str(condition.value)
        case _:
            return f'"{condition.value}"' if condition.other else f"'{condition.value}'"
