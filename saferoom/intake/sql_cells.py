"""How does a database's value become a cell, and a row's watermark a text that lasts?

A value is written as a CSV file would have it, so `cells.py` judges both; numbers stay numbers.
What no cell can be (bytes, arrays, a time of no zone) becomes a character that every reader
finds dirty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.facts import CellType
from saferoom.core.moment import write_instant
from saferoom.errors import BadInput

NO_CELL = "\0"
_SECOND = timedelta(seconds=1)
_LARGEST_WHOLE = 1e15


def as_cells(kind: CellType, values: Sequence[Any]) -> pa.Array:  # Any: what drivers return
    """Write a column."""
    if kind is CellType.NUMBER and all(map(_is_number, values)):
        return pa.array([None if one is None else _float(one) for one in values], pa.float64())
    texts = [_text(kind, one).encode("utf-8", "replace") for one in values]
    return pa.array(texts, pa.binary())


def write_mark(values: Sequence[Any]) -> str:
    """Write a watermark with each value's type."""
    parts: list[Json] = [list(_part(one)) for one in values]
    return canonical_bytes({"after": parts}).decode()


def read_mark(text: str) -> list[Any]:
    """Read it as values that compare with the database's."""
    parts = parse_object(text.encode())["after"]
    if not isinstance(parts, list):
        raise BadInput("FIELD_INVALID", "watermark")
    return [_value(part) for part in parts]


def _text(kind: CellType, value: Any) -> str:  # noqa: PLR0911  # one per type
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return value
        case int():
            return str(value)
        case Decimal() | float():
            return _digits(kind, value)
        case datetime() if kind is not CellType.INSTANT or value.tzinfo is None:
            return NO_CELL
        case datetime():
            return _instant(value)
        case date():
            return value.isoformat()
    return NO_CELL


def _digits(kind: CellType, value: Decimal | float) -> str:
    # Beyond these a decimal's remainder is an error, and its digits are as many as it likes.
    whole = kind is CellType.WHOLE and abs(_float(value)) < _LARGEST_WHOLE and value % 1 == 0
    return f"{value:.0f}" if whole else str(value)


def _instant(value: datetime) -> str:
    try:
        moment = value.astimezone(UTC)
        early = moment.replace(microsecond=0)  # a second's part is over when the second is
        return write_instant(early if early == moment else early + _SECOND)
    except OverflowError:  # the calendar's first or last day, elsewhere
        return NO_CELL


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    )


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):  # a signalling NaN is a ValueError
        return float("inf")


def _part(value: Any) -> tuple[str, str]:
    match value:
        case bool():
            raise BadInput("SOURCE_MALFORMED", "the type of a watermark")
        case int():
            return "whole", str(value)
        case str():
            return "text", value
        case datetime():
            return "instant", value.isoformat()
        case date():
            return "day", value.isoformat()
        case Decimal():
            return "number", str(value)
    raise BadInput("SOURCE_MALFORMED", "the type of a watermark")


def _value(part: Json) -> Any:
    match part:
        case ["whole", str(text)]:
            return int(text)
        case ["text", str(text)]:
            return text
        case ["instant", str(text)]:
            return datetime.fromisoformat(text)
        case ["day", str(text)]:
            return date.fromisoformat(text)
        case ["number", str(text)]:
            return Decimal(text)
    raise BadInput("FIELD_INVALID", "watermark")
