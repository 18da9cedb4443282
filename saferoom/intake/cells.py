"""What does this cell say, if it says it properly?

Each reader takes the text of one cell and returns a value or raises Dirty with a reason
from a fixed list; neither ever holds the text. Days are days since 1970, instants are
seconds, months count from year 0, an empty cell is None.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime

from saferoom.core.facts import CellType, Column
from saferoom.core.moment import end_of_local_day, local_day, read_day, read_instant
from saferoom.core.uscc import check_uscc
from saferoom.errors import BadInput

Value = str | int | float | None
Reader = Callable[[str], Value]

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?"
)
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_YEAR = re.compile(r"[12][0-9]{3}")
_EPOCH = date(1970, 1, 1).toordinal()
_EARLIEST = date(1900, 1, 1)
# Every reason that a reader names.
REASONS = (
    "encoding",
    "empty",
    "uscc",
    "text",
    "choice",
    "day",
    "instant",
    "month",
    "year",
    "number",
    "range",
    "flag",
    "future",
)


class Dirty(Exception):  # a finding, not an error
    """Why a cell cannot be taken."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def reader_for(column: Column, now: datetime) -> Reader:
    """Choose how a column's cells are read, as of the moment of intake."""
    read = _value_reader(column, now)

    def cell(text: str) -> Value:
        if "\ufffd" in text:
            raise Dirty("encoding")
        if text == "":
            if column.name == "status":
                return "valid"
            if not column.optional:
                raise Dirty("empty")
            return None
        return read(text)

    return cell


def last_day(period: int, kind: CellType) -> int:
    """Name the last day of a month or a year."""
    if kind is CellType.YEAR:
        return date(period, 12, 31).toordinal() - _EPOCH
    year, month = divmod(period, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1]).toordinal() - _EPOCH


def _value_reader(column: Column, now: datetime) -> Reader:  # noqa: PLR0911  # one per type
    if column.name == "uscc":
        return _uscc
    today = local_day(now)
    match column.type:
        case CellType.TEXT:
            return lambda text: _text(text, column)
        case CellType.DAY:
            latest = date.max if column.future else today
            return lambda text: _day(text, latest)
        case CellType.INSTANT:
            return lambda text: _instant(text, now)
        case CellType.MONTH:
            return _month
        case CellType.YEAR:
            return _year
        case CellType.NUMBER:
            return lambda text: _number(text, column)
        case CellType.WHOLE:
            return lambda text: _whole(text, column)
        case CellType.FLAG:
            return _flag


def _uscc(text: str) -> Value:
    try:
        return check_uscc(text)
    except BadInput as error:
        raise Dirty("uscc") from error


def _text(text: str, column: Column) -> Value:
    if column.one_of and text not in column.one_of:
        raise Dirty("choice")
    if len(text) > column.longest or not text.isprintable():
        raise Dirty("text")
    return text


def _day(text: str, latest: date) -> Value:
    try:
        day = read_day(text)
    except BadInput as error:
        raise Dirty("day") from error
    if day > latest:
        raise Dirty("future")
    if day < _EARLIEST:
        raise Dirty("day")
    return day.toordinal() - _EPOCH


def _instant(text: str, now: datetime) -> Value:
    # Compared before it is reckoned with: the calendar's last day has no end.
    try:
        if "T" in text:
            moment = read_instant(text)
            is_ahead = moment > now
        else:
            day = read_day(text)
            is_ahead = day > local_day(now)
            moment = now if is_ahead else end_of_local_day(day)
    except BadInput as error:
        raise Dirty("instant") from error
    if is_ahead:
        raise Dirty("future")
    return int(moment.timestamp())


def _month(text: str) -> Value:
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < _EARLIEST.year:
        raise Dirty("month")
    return int(found[1]) * 12 + int(found[2]) - 1


def _year(text: str) -> Value:
    if not _YEAR.fullmatch(text) or int(text) < _EARLIEST.year:
        raise Dirty("year")
    return int(text)


def _number(text: str, column: Column) -> Value:
    # The pattern admits neither NaN nor infinity, nor Python's own 1_000.
    if not _NUMBER.fullmatch(text):
        raise Dirty("number")
    number = float(text)
    if not math.isfinite(number):
        raise Dirty("number")
    if column.least is not None and number < column.least:
        raise Dirty("range")
    return number


def _whole(text: str, column: Column) -> Value:
    if not _WHOLE.fullmatch(text):
        raise Dirty("number")
    if column.least is not None and int(text) < column.least:
        raise Dirty("range")
    return int(text)


def _flag(text: str) -> Value:
    if text not in {"true", "false"}:
        raise Dirty("flag")
    return int(text == "true")
