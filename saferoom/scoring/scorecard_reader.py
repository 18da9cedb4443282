"""Which scorecard does a canonical JSON text describe?

`{"kind":"saferoom/scorecard/1","base":hexfloat,"characteristics":[…]}` as in formats.md:
exact fields, hex floats, one more points than edges, each feature once.
"""

from __future__ import annotations

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.form import Scorecard, check_scorecard
from saferoom.scoring.form_json import read_row, write_row
from saferoom.scoring.numbers import read_number, write_number

KIND = "saferoom/scorecard/1"
_FIELDS = {"kind", "base", "characteristics"}


def read_scorecard(text: str) -> Scorecard:
    """Read strictly, or refuse with MODEL_MALFORMED and the place."""
    try:
        value = parse_object(text.encode())
    except BadInput as error:
        raise BadInput("MODEL_MALFORMED", "not canonical JSON") from error
    rows = value.get("characteristics")
    if value.keys() != _FIELDS or value["kind"] != KIND or not isinstance(rows, list):
        raise BadInput("MODEL_MALFORMED", "fields of the scorecard")
    each = tuple(read_row(row, index) for index, row in enumerate(rows))
    card = Scorecard(read_number(value["base"], "base"), each)
    check_scorecard(card)
    return card


def write_scorecard(card: Scorecard) -> str:
    """Write the one text of a card."""
    check_scorecard(card)
    rows = [write_row(each) for each in card.characteristics]
    value = {"kind": KIND, "base": write_number(card.base), "characteristics": rows}
    return canonical_bytes(value).decode()
