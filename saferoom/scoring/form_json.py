"""Which bytes are a form, and which form are some bytes?

Canonical JSON, `{"kind":"saferoom/form/1",…}`; its digest names the model. Numbers are hex
floats, `null` a missing value; what a tree has many of (thresholds, leaves) is packed as
16 hex digits per double, most significant byte first. Exact fields, nothing else; what is
read is checked by `check_form`. `schema()` is the same tables as a JSON schema.
"""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.form import (
    Characteristic,
    Form,
    Input,
    Linear,
    Member,
    Scorecard,
    Scorer,
    Source,
    Step,
    check_form,
)
from saferoom.scoring.functions import FUNCTIONS, Function
from saferoom.scoring.numbers import read_number, read_numbers, write_number
from saferoom.scoring.trees import (
    CategorySplit,
    Line,
    Missing,
    NumericSplit,
    Reading,
    Split,
    Tree,
    Trees,
)

KIND = "saferoom/form/1"
_CATEGORY = 6  # a split's `how`: twice what is missing and whether that goes left, or this


def write_form(form: Form) -> str:
    """Write the one text of a form."""
    check_form(form)
    value: dict[str, Json] = {
        "kind": KIND,
        "source": str(form.source),
        "inputs": [
            {"name": each.name, "missing": each.missing, "infinite": each.infinite}
            for each in form.inputs
        ],
        "steps": [
            {"column": step.column, "function": _write_function(step.function)}
            for step in form.steps
        ],
        "members": [
            {
                "scorer": _write_scorer(member.scorer),
                "finish": [_write_function(each) for each in member.finish],
                "weight": write_number(member.weight),
            }
            for member in form.members
        ],
        "finish": [_write_function(each) for each in form.finish],
    }
    return canonical_bytes(value).decode()


def read_form(text: str) -> Form:
    """Read strictly, or refuse with MODEL_MALFORMED and the place."""
    try:
        value = parse_object(text.encode())
    except BadInput as error:
        raise BadInput("MODEL_MALFORMED", "not canonical JSON") from error
    kind, source, inputs, steps, members, finish = _fields(
        value, "form", "kind", "source", "inputs", "steps", "members", "finish"
    )
    if kind != KIND or source not in set(Source):
        raise BadInput("MODEL_MALFORMED", "form: kind or source")
    form = Form(
        Source(str(source)),
        tuple(_read_input(each) for each in _list(inputs, "inputs")),
        tuple(_read_step(each) for each in _list(steps, "steps")),
        tuple(_read_member(each) for each in _list(members, "members")),
        _read_functions(finish),
    )
    check_form(form)
    return form


def form_digest(form: Form) -> Digest:
    """Name a form by its bytes."""
    return digest_bytes(write_form(form).encode())


def _read_input(value: Json) -> Input:
    name, missing, infinite = _fields(value, "input", "name", "missing", "infinite")
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise BadInput("MODEL_MALFORMED", "input: name")
    if not isinstance(missing, bool) or not isinstance(infinite, bool):
        raise BadInput("MODEL_MALFORMED", "input: missing or infinite")
    return Input(name, missing, infinite)


def _read_step(value: Json) -> Step:
    column, function = _fields(value, "step", "column", "function")
    return Step(_integer(column, "step: column"), _read_function(function))


def _read_member(value: Json) -> Member:
    scorer, finish, weight = _fields(value, "member", "scorer", "finish", "weight")
    return Member(_read_scorer(scorer), _read_functions(finish), read_number(weight, "weight"))


# Functions: a field is a number, a table of numbers, or a flag, as its class declares.


def _write_function(function: Function) -> Json:
    value: dict[str, Json] = {"kind": function.kind}
    for one in fields(function):
        held = getattr(function, one.name)
        value[one.name] = [*map(_gap, held)] if isinstance(held, tuple) else _gap(held)
    return value


def _gap(number: float | bool) -> Json:  # noqa: FBT001  # it is the value of a field
    if isinstance(number, bool):
        return number
    return None if math.isnan(number) else write_number(number)


def _read_functions(value: Json) -> tuple[Function, ...]:
    return tuple(_read_function(each) for each in _list(value, "finish"))


def _read_function(value: Json) -> Function:
    kind = value.get("kind") if isinstance(value, dict) else None
    found = FUNCTIONS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise BadInput("MODEL_MALFORMED", "a function that is not on the list")
    names = [one.name for one in fields(found)]
    _, *held = _fields(value, found.kind, "kind", *names)
    types = [str(one.type) for one in fields(found)]
    return found(*(_READ[each](one) for each, one in zip(types, held, strict=True)))


def _read_gap(value: Json) -> float:
    return math.nan if value is None else read_number(value, "a function's number")


def _read_gaps(value: Json) -> tuple[float, ...]:
    return tuple(map(_read_gap, _list(value, "a function's table")))


def _read_flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise BadInput("MODEL_MALFORMED", "a function's flag")
    return value


_READ = {"float": _read_gap, "tuple[float, ...]": _read_gaps, "bool": _read_flag}


# Scorers


def _write_scorer(scorer: Scorer) -> Json:
    match scorer:
        case Linear():
            return {
                "kind": "linear",
                "intercept": write_number(scorer.intercept),
                "columns": [*scorer.columns],
                "weights": [*map(write_number, scorer.weights)],
            }
        case Scorecard():
            return {
                "kind": "scorecard",
                "base": write_number(scorer.base),
                "characteristics": [write_row(each) for each in scorer.characteristics],
            }
        case Trees():
            return {
                "kind": "trees",
                "reading": str(scorer.reading),
                "start": write_number(scorer.start),
                "trees": [_write_tree(tree) for tree in scorer.trees],
            }


def _read_scorer(value: Json) -> Scorer:
    match value:
        case {"kind": "linear"}:
            _, intercept, columns, weights = _fields(
                value, "linear", "kind", "intercept", "columns", "weights"
            )
            places = _integers(columns, "linear: columns")
            return Linear(
                read_number(intercept, "intercept"), places, read_numbers(weights, "weights")
            )
        case {"kind": "scorecard"}:
            _, base, rows = _fields(value, "scorecard", "kind", "base", "characteristics")
            each = (read_row(row, index) for index, row in enumerate(_list(rows, "scorecard")))
            return Scorecard(read_number(base, "base"), tuple(each))
        case {"kind": "trees"}:
            _, reading, start, trees = _fields(value, "trees", "kind", "reading", "start", "trees")
            if reading not in set(Reading):
                raise BadInput("MODEL_MALFORMED", "trees: reading")
            each_tree = tuple(_read_tree(tree) for tree in _list(trees, "trees"))
            return Trees(each_tree, Reading(str(reading)), read_number(start, "start"))
        case _:
            raise BadInput("MODEL_MALFORMED", "a scorer that is not on the list")


def write_row(each: Characteristic) -> Json:
    """Write one characteristic of a scorecard."""
    return {
        "feature": each.feature,
        "edges": [write_number(edge) for edge in each.edges],
        "points": [write_number(point) for point in each.points],
        "missing": write_number(each.missing),
    }


def read_row(row: Json, index: int) -> Characteristic:
    """Read one characteristic of a scorecard."""
    where = f"characteristic {index}"
    feature, edges, points, missing = _fields(row, where, "feature", "edges", "points", "missing")
    if not isinstance(feature, str) or not 0 < len(feature) <= 64:
        raise BadInput("MODEL_MALFORMED", f"{where}: feature")
    return Characteristic(
        feature,
        read_numbers(edges, f"{where}: edges"),
        read_numbers(points, f"{where}: points"),
        read_number(missing, f"{where}: missing"),
    )


def _write_tree(tree: Tree) -> Json:
    sets = [split.words for split in tree.splits if isinstance(split, CategorySplit)]
    return {
        "columns": [split.feature for split in tree.splits],
        "how": [_how(split) for split in tree.splits],
        "thresholds": pack(
            [split.threshold if isinstance(split, NumericSplit) else 0.0 for split in tree.splits]
        ),
        "sets": [[*words] for words in sets],
        "left": [split.left for split in tree.splits],
        "right": [split.right for split in tree.splits],
        "leaves": pack(tree.leaves),
        "lines": [
            {
                "constant": write_number(line.constant),
                "columns": [*line.columns],
                "coefficients": pack(line.coefficients),
            }
            for line in tree.lines
        ],
    }


def _read_tree(value: Json) -> Tree:
    columns, how, thresholds, sets, left, right, leaves, lines = _fields(
        value, "tree", "columns", "how", "thresholds", "sets", "left", "right", "leaves", "lines"
    )
    numbers = [_integers(each, "tree: splits") for each in (columns, how, left, right)]
    cuts = unpack(thresholds, "tree: thresholds")
    if len({len(cuts), *map(len, numbers)}) > 1:
        raise BadInput("MODEL_MALFORMED", "tree: one of each per split")
    words = iter([_integers(each, "tree: sets") for each in _list(sets, "tree: sets")])
    rows = zip(*numbers, cuts, strict=True)
    splits = tuple(_read_split(row, next(words, ()) if row[1] == _CATEGORY else ()) for row in rows)
    if next(words, None) is not None:
        raise BadInput("MODEL_MALFORMED", "tree: unused sets")
    return Tree(
        splits,
        unpack(leaves, "tree: leaves"),
        tuple(_read_line(line) for line in _list(lines, "tree: lines")),
    )


def _how(split: Split) -> int:
    if isinstance(split, CategorySplit):
        return _CATEGORY
    return 2 * split.missing + split.default_left


def _read_split(row: tuple[int, int, int, int, float], words: tuple[int, ...]) -> Split:
    column, how, left, right, threshold = row
    if how == _CATEGORY and threshold == 0 and math.copysign(1, threshold) > 0:
        return CategorySplit(column, words, left, right)
    if not 0 <= how < _CATEGORY or how == 1:  # nothing is missing, so nothing goes left for it
        raise BadInput("MODEL_MALFORMED", "tree: how")
    return NumericSplit(column, threshold, Missing(how // 2), bool(how % 2), left, right)


def _read_line(value: Json) -> Line:
    constant, columns, factors = _fields(value, "line", "constant", "columns", "coefficients")
    return Line(
        read_number(constant, "line: constant"),
        _integers(columns, "line: columns"),
        unpack(factors, "line: coefficients"),
    )


def pack(numbers: tuple[float, ...] | list[float]) -> str:
    """Write doubles, 16 hex digits each."""
    return np.array(numbers, ">f8").tobytes().hex()


def unpack(text: Json, field: str) -> tuple[float, ...]:
    """Read what `pack` wrote; whether NaN is allowed is for who asks."""
    if not isinstance(text, str) or len(text) % 16 or not text.isascii():
        raise BadInput("MODEL_MALFORMED", field)
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise BadInput("MODEL_MALFORMED", field) from error
    if data.hex() != text:  # spaces, capitals
        raise BadInput("MODEL_MALFORMED", field)
    return tuple(np.frombuffer(data, ">f8").tolist())


def _fields(value: Json, where: str, *names: str) -> tuple[Json, ...]:
    """Return exactly these fields' values, in this order."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise BadInput("MODEL_MALFORMED", f"{where}: fields")
    return tuple(value[name] for name in names)


def _list(value: Json, field: str) -> list[Json]:
    if not isinstance(value, list):
        raise BadInput("MODEL_MALFORMED", field)
    return value


def _integer(value: Json, field: str) -> int:
    if type(value) is not int:
        raise BadInput("MODEL_MALFORMED", field)
    return value


def _integers(value: Json, field: str) -> tuple[int, ...]:
    return tuple(_integer(each, field) for each in _list(value, field))
