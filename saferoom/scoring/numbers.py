"""How is a float written where floats have no place?

Canonical JSON has none, so a finite double travels as the text of `float.hex()`:
one value, one text. Anything that would be written differently is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from saferoom.errors import BadInput

LARGEST_POINT = 1e100  # a sum of any model's leaves or points stays finite


def write_number(value: float) -> str:
    """Write one finite double."""
    if not math.isfinite(value):
        raise BadInput("MODEL_MALFORMED", "numbers are finite")
    return float(value).hex()


def read_number(text: object, field: str) -> float:
    """Read exactly what `write_number` writes."""
    if not isinstance(text, str) or len(text) > 32:
        raise BadInput("MODEL_MALFORMED", field)
    try:
        value = float.fromhex(text)
    except (ValueError, OverflowError) as error:
        raise BadInput("MODEL_MALFORMED", field) from error
    if not math.isfinite(value) or value.hex() != text:
        raise BadInput("MODEL_MALFORMED", field)
    return value


def read_numbers(texts: object, field: str) -> tuple[float, ...]:
    """Read a list of numbers."""
    if not isinstance(texts, list):
        raise BadInput("MODEL_MALFORMED", field)
    return tuple(read_number(text, field) for text in texts)


def check_ascending(values: Sequence[float], field: str) -> None:
    """Refuse equal or falling neighbours."""
    if any(after <= before for before, after in pairwise(values)):
        raise BadInput("MODEL_MALFORMED", f"{field} ascend strictly")


def check_points(values: Sequence[float], field: str) -> None:
    """Refuse what could sum to infinity."""
    if not all(abs(value) <= LARGEST_POINT for value in values):  # a NaN fails too
        raise BadInput("MODEL_MALFORMED", field)
