"""Which scorecard does a canonical JSON text describe?

`{"kind":"saferoom/scorecard/1","base":hexfloat,"characteristics":[…]}` as in formats.md:
exact fields, hex floats, one more points than edges, each feature once.
"""

from __future__ import annotations

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.errors import BadInput
from saferoom.scoring.form import Characteristic, Scorecard, check_scorecard
from saferoom.scoring.numbers import read_number, read_numbers, write_number

KIND = "saferoom/scorecard/1"
_FIELDS = {"kind", "base", "characteristics"}
_CHARACTERISTIC = {"feature", "edges", "points", "missing"}


def read_scorecard(text: str) -> Scorecard:
    """Read strictly, or refuse with MODEL_MALFORMED and the place."""
    try:
        value = parse_object(text.encode())
    except BadInput as error:
        raise BadInput("MODEL_MALFORMED", "not canonical JSON") from error
    rows = value.get("characteristics")
    if value.keys() != _FIELDS or value["kind"] != KIND or not isinstance(rows, list):
        raise BadInput("MODEL_MALFORMED", "fields of the scorecard")
    each = tuple(_read_characteristic(row, index) for index, row in enumerate(rows))
    card = Scorecard(read_number(value["base"], "base"), each)
    check_scorecard(card)
    return card


def write_scorecard(card: Scorecard) -> str:
    """Write the one text of a card."""
    check_scorecard(card)
    rows = [
        {
            "feature": each.feature,
            "edges": [write_number(edge) for edge in each.edges],
            "points": [write_number(point) for point in each.points],
            "missing": write_number(each.missing),
        }
        for each in card.characteristics
    ]
    value = {"kind": KIND, "base": write_number(card.base), "characteristics": rows}
    return canonical_bytes(value).decode()


def _read_characteristic(row: Json, index: int) -> Characteristic:
    where = f"characteristic {index}"
    if not isinstance(row, dict) or row.keys() != _CHARACTERISTIC:
        raise BadInput("MODEL_MALFORMED", f"{where}: fields")
    feature = row["feature"]
    if not isinstance(feature, str) or not 0 < len(feature) <= 64:
        raise BadInput("MODEL_MALFORMED", f"{where}: feature")
    return Characteristic(
        feature,
        read_numbers(row["edges"], f"{where}: edges"),
        read_numbers(row["points"], f"{where}: points"),
        read_number(row["missing"], f"{where}: missing"),
    )
