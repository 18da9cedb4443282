"""What does the JSON of a form look like, for whoever writes one without us?

A JSON schema (2020-12) from the very tables that the reader uses. It says the shape; what
must hold between fields (one value per key, children after parents, columns that exist) is
checked by `check_form`, and the bytes must be canonical.
"""

from __future__ import annotations

from dataclasses import fields

from saferoom.canonical import Json
from saferoom.scoring.form import Source
from saferoom.scoring.form_json import KIND
from saferoom.scoring.functions import FUNCTIONS, Function
from saferoom.scoring.trees import Reading

_NUMBER: Json = {"type": "string", "pattern": r"^-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}$"}
_GAP: Json = {"anyOf": [_NUMBER, {"type": "null"}]}
_WHOLE: Json = {"type": "integer"}
_FLAG: Json = {"type": "boolean"}
_DOUBLES: Json = {"type": "string", "pattern": "^([0-9a-f]{16})*$"}
_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 64}
_TYPES: dict[str, Json] = {
    "float": _GAP,
    "tuple[float, ...]": {"type": "array", "items": _GAP},
    "bool": _FLAG,
}


def schema() -> dict[str, Json]:
    """Write the schema."""
    functions: list[Json] = [_function(each) for each in FUNCTIONS.values()]
    finish = _list({"$ref": "#/$defs/function"})
    step = _object(column=_WHOLE, function={"$ref": "#/$defs/function"})
    member = _object(scorer={"$ref": "#/$defs/scorer"}, finish=finish, weight=_NUMBER)
    whole = _object(
        kind={"const": KIND},
        source={"enum": [str(each) for each in Source]},
        inputs=_list(_object(name=_NAME, missing=_FLAG, infinite=_FLAG)),
        steps=_list(step),
        members=_list(member),
        finish=finish,
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "$defs": {
            "function": {"oneOf": functions},
            "scorer": {"oneOf": [_linear(), _scorecard(), _trees()]},
        },
    }


def _function(function: type[Function]) -> Json:
    held = {one.name: _TYPES[str(one.type)] for one in fields(function)}
    return _object(kind={"const": function.kind}, **held)


def _linear() -> Json:
    return _object(
        kind={"const": "linear"},
        intercept=_NUMBER,
        columns=_list(_WHOLE),
        weights=_list(_NUMBER),
    )


def _scorecard() -> Json:
    numbers = _list(_NUMBER)
    row = _object(feature=_NAME, edges=numbers, points=numbers, missing=_NUMBER)
    return _object(kind={"const": "scorecard"}, base=_NUMBER, characteristics=_list(row))


def _trees() -> Json:
    whole = _list(_WHOLE)
    line = _object(constant=_NUMBER, columns=whole, coefficients=_DOUBLES)
    tree = _object(
        columns=whole,
        how=_list({"type": "integer", "minimum": 0, "maximum": 6}),
        thresholds=_DOUBLES,
        sets=_list(whole),
        left=whole,
        right=whole,
        leaves=_DOUBLES,
        lines=_list(line),
    )
    reading: Json = {"enum": [str(each) for each in Reading]}
    return _object(kind={"const": "trees"}, reading=reading, start=_NUMBER, trees=_list(tree))


def _object(**properties: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {**properties},
        "required": [*properties],
        "additionalProperties": False,
    }


def _list(items: Json) -> dict[str, Json]:
    return {"type": "array", "items": items}
