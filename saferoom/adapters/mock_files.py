"""How are the declarations of mock data typed in?

`policies/mock/*.toml`, read strictly into one set: numbers as people write them, a line for a
feature (docs/reference/mock.md). Anything unknown, missing or double is MOCK_INVALID, named
by file.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path

from saferoom.canonical import Json
from saferoom.core.mock import MockSet
from saferoom.errors import BadInput

_DEFAULTS: dict[str, Json] = {"stops": [], "shares": [], "whole": False, "missing": 0}


def read_mock_set(folder: Path) -> MockSet:
    """Read every file of the folder; whatever order they are in, the set is sorted."""
    columns: list[dict[str, Json]] = []
    correlations: list[dict[str, Json]] = []
    for path in sorted(folder.glob("*.toml")):
        document = _document(path)
        try:
            columns += [_column(body) for body in _list(document["columns"])]
            correlations += [_correlation(body) for body in _list(document["correlations"])]
        except (TypeError, ValueError, KeyError, InvalidOperation) as error:
            raise _invalid(path, "a column or a correlation") from error
    columns.sort(key=lambda one: str(one["name"]))
    correlations.sort(key=lambda one: (str(one["first"]), str(one["second"])))
    try:
        return MockSet.from_body(
            {"kind": MockSet.KIND, "columns": columns, "correlations": correlations}
        )
    except BadInput as error:
        if error.code == "MOCK_INVALID":
            raise
        raise BadInput("MOCK_INVALID", f"{folder.name}: {error.detail}") from error


def _document(path: Path) -> dict[str, Json]:
    try:
        text = path.read_text(encoding="utf-8")
        document: dict[str, Json] = tomllib.loads(text, parse_float=str)
    except (OSError, ValueError) as error:  # ValueError: TOML or UTF-8 that is none
        raise _invalid(path, "cannot be read") from error
    if document.pop("kind", None) != MockSet.KIND or set(document) != {"columns", "correlations"}:
        raise _invalid(path, "its kind or its parts")
    return document


def _column(body: Json) -> dict[str, Json]:
    if not isinstance(body, dict) or not {"name", "with"} <= set(body):
        raise ValueError
    full = _DEFAULTS | body
    for form in ("stops", "shares"):
        full[form] = [_point(one) for one in _list(full[form])]
    for ours, typed in (("missing_permille", "missing"), ("missing_with", "with")):
        full[ours] = full.pop(typed)
    return full


def _point(body: Json) -> dict[str, Json]:
    permille, value = _list(body)
    return {"permille": permille, "value": _decimal(value)}


def _correlation(body: Json) -> dict[str, Json]:
    one, other, hundredths = _list(body)
    first, second = sorted([str(one), str(other)])
    return {"first": first, "second": second, "hundredths": hundredths}


def _decimal(value: Json) -> str:
    """Write a number in its one text: 0.50 as 0.5."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    number = Decimal(value)
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _invalid(path: Path, what: str) -> BadInput:
    return BadInput("MOCK_INVALID", f"{path.parent.name}/{path.name}: {what}")
