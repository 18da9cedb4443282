"""What does a reply of a source's service say?

Rows by the source's headings, whichever format brings them; what cannot be said of a row is said of
its cells, so that `cells.py` judges them like a file's. The names of a reply's first row must be
those declared: a renamed, new or missing one refuses the run. A later row that has others, or
one of them twice, waits outside as ragged.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saferoom.core.service import Format, Resource
from saferoom.core.source import Encoding, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.lines import LONGEST_CELL, Lines
from saferoom.intake.sql_cells import NO_CELL

_WHOLE = re.compile(r"-?[0-9]{1,15}")
_EXACT_DIGITS = 18

Row = Mapping[str, Any] | None  # Any: what JSON may hold; None: ragged


@dataclass(frozen=True)
class Said:
    """One reply's rows, and where a cursor says that it goes on."""

    rows: Sequence[Row]
    cursor: str | None = None


def read_reply(body: bytes, *, resource: Resource, source: SourceTable, encoding: Encoding) -> Said:
    """Read one body."""
    expected = {one.heading for one in source.headings} | set(source.ignore)
    if resource.format is Format.CSV:
        return Said(list(_csv_rows(body, expected, source.table, encoding)))
    document = _json(body)
    if resource.rows is None:
        return Said(_json_rows(document, expected, source.table))
    if not isinstance(document, dict):
        raise BadInput("SOURCE_MALFORMED", "the rows of a reply")
    rows = _json_rows(document.get(resource.rows), expected, source.table)
    return Said(rows, None if resource.next is None else _cursor(document.get(resource.next)))


class _Doubled(dict[str, Any]):
    """An object that says one name twice."""


def _json(body: bytes) -> Any:
    # What is no UTF-8 becomes a mark that no cell may hold.
    text = body.decode("utf-8-sig", "replace")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=lambda digits: int(digits) if len(digits) <= _EXACT_DIGITS else float(digits),
        )
    except (ValueError, RecursionError) as error:
        raise BadInput("SOURCE_MALFORMED", "cannot be read as JSON") from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    return found if len(found) == len(members) else _Doubled(found)


def _json_rows(rows: Any, expected: set[str], table: str) -> list[Row]:
    if not isinstance(rows, list):
        raise BadInput("SOURCE_MALFORMED", "the rows of a reply")
    if rows:
        first = rows[0]
        check_headings(list(first) if isinstance(first, dict) else [], expected, table)
    return [_json_row(row, expected) for row in rows]


def _json_row(row: Any, expected: set[str]) -> Row:
    if not isinstance(row, dict) or isinstance(row, _Doubled) or row.keys() != expected:
        return None
    return {name: _json_cell(value) for name, value in row.items()}


def _json_cell(value: Any) -> Any:
    if isinstance(value, str):
        # A lone half of a pair is no character.
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return NO_CELL if isinstance(value, dict | list) else value


def _cursor(value: Any) -> str | None:
    match value:
        case None | "":
            return None
        case str() | int() if not isinstance(value, bool):
            return str(value)
    raise BadInput("SOURCE_MALFORMED", "the cursor of a reply")


def _csv_rows(body: bytes, expected: set[str], table: str, encoding: Encoding) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_CELL)
    lines = Lines(io.BytesIO(body), "utf-8" if encoding is Encoding.UTF_8 else "gb18030")
    rows, number = csv.reader(lines, strict=True), 0
    try:
        headings = next(rows, [])
        check_headings(headings, expected, table)
        for number, row in enumerate(rows, 1):  # noqa: B007  # told where it breaks
            lines.row_ended()
            fits = len(row) == len(headings)
            yield dict(zip(headings, row, strict=True)) if fits else None
    except csv.Error as error:
        raise BadInput("SOURCE_MALFORMED", f"quoting or a long cell, after row {number}") from error


def check_headings(headings: Sequence[str], expected: set[str], table: str) -> None:
    """Refuse whatever is missing, renamed, doubled or new."""
    if set(headings) != expected or len(headings) != len(expected):
        differing = len(set(headings) ^ expected)
        raise BadInput("SOURCE_MALFORMED", f"headings of {table}: {differing} differ")


def mark_of(row: Mapping[str, Any], watermark: Sequence[str], form: Format) -> list[Any]:
    """Say how far a row reaches; CSV's numbers are numbers."""
    parts = [row[name] for name in watermark]
    if None in parts or "" in parts:
        raise BadInput("SOURCE_MALFORMED", "a row without a watermark")
    if form is Format.CSV:
        parts = [int(one) if _WHOLE.fullmatch(one) else one for one in parts]
    return parts
