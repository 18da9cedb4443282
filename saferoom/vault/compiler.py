"""How does a declared feature become a query, and over which rows?

The as-of rule, once for all features: of the versions of a record that were known by the
end of the as-of day the latest counts; a record that was repaired or erased by then never
does; its event lies before the as-of day. A disputed record marks its enterprise.
Values that people declared enter as checked names, whole numbers and identifiers.
"""

from __future__ import annotations

from collections.abc import Mapping

from saferoom.vault.formula import Aggregate, Condition, Formula, Growth, Ln1p, MonthsSince

# $as_of is a day, $known the last second of that day.
_USABLE = """
WITH known AS (
  SELECT *,
    row_number() OVER (
      PARTITION BY source, uscc, record_id ORDER BY known_at DESC, batch DESC, row DESC
    ) AS newest,
    bool_or(status IN ('repaired', 'erased')) OVER (
      PARTITION BY source, uscc, record_id
    ) AS withdrawn
  FROM facts WHERE known_at <= $known
), usable AS (
  SELECT *,
    (year($as_of) * 12 + month($as_of)) - (year(event_date) * 12 + month(event_date)) AS ago
  FROM known WHERE newest = 1 AND NOT withdrawn AND event_date < $as_of
)
"""
_ORDER = "event_date, known_at, batch, row"


def compile_table(views: Mapping[str, Formula]) -> str:
    """Write one query that computes all these views of one table, a row per enterprise."""
    columns = [f'{_formula(formula)} AS "{name}"' for name, formula in sorted(views.items())]
    chosen = ",\n  ".join(["uscc", "bool_or(status = 'disputed') AS disputed", *columns])
    return f"{_USABLE}SELECT {chosen}\nFROM usable GROUP BY uscc ORDER BY uscc"


def value_if_absent(formula: Formula) -> float:
    """Say what an enterprise without any usable row of the table has: nothing, or zero."""
    empty_is_zero = isinstance(formula, Aggregate) and formula.zero_if_empty
    return 0.0 if empty_is_zero else float("nan")


def _formula(formula: Formula) -> str:
    match formula:
        case Aggregate():
            return f"CAST({_aggregate(formula)} AS DOUBLE)"
        case Growth():
            return _growth(formula)
        case Ln1p():
            return f"ln(1 + {_aggregate(formula.of)})"
        case MonthsSince():
            return _months_since(_aggregate(formula.of))


def _growth(formula: Growth) -> str:
    ratio = f"({_aggregate(formula.top)}) / nullif({_aggregate(formula.bottom)}, 0) - 1"
    if formula.clip is None:
        return ratio
    low, high = formula.clip
    # least() and greatest() skip NULLs, so a missing ratio must stay one by itself.
    return f"CASE WHEN ({ratio}) IS NULL THEN NULL ELSE greatest({low}, least({high}, {ratio})) END"


def _months_since(day: str) -> str:
    months = f"(year($as_of) * 12 + month($as_of)) - (year({day}) * 12 + month({day}))"
    return f"CAST({months} - CAST(day($as_of) < day({day}) AS INTEGER) AS DOUBLE)"


def _aggregate(aggregate: Aggregate) -> str:
    window = _window(aggregate)
    rows = " AND ".join([window, *(_condition(one) for one in aggregate.where)])
    match aggregate.op:
        case "count":
            # No row in the window at all means unknown, not none.
            count = f"count(*) FILTER (WHERE {rows})"
            empty = "0" if aggregate.zero_if_empty else "NULL"
            return f"CASE WHEN count(*) FILTER (WHERE {window}) = 0 THEN {empty} ELSE {count} END"
        case "sum":
            total = f'sum("{aggregate.column}") FILTER (WHERE {rows})'
            return f"coalesce({total}, 0)" if aggregate.zero_if_empty else total
        case _:
            return f"last({_coded(aggregate)} ORDER BY {_ORDER}) FILTER (WHERE {rows})"


def _window(aggregate: Aggregate) -> str:
    if aggregate.months is None:
        return "true"
    first, last = aggregate.months
    return f"ago BETWEEN {first} AND {last}"


def _coded(aggregate: Aggregate) -> str:
    if not aggregate.codes:
        return f'"{aggregate.column}"'
    cases = " ".join(f"WHEN '{text}' THEN {code}" for text, code in aggregate.codes)
    return f'CASE "{aggregate.column}" {cases} END'


def _condition(condition: Condition) -> str:
    match condition.test:
        case "is_empty":
            return f'"{condition.column}" IS NULL'
        case "after":
            return f'"{condition.column}" > "{condition.value}"'
        case _ if isinstance(condition.value, int):
            return f'"{condition.column}" = {condition.value}'
        case _:
            return f"\"{condition.column}\" = '{condition.value}'"
