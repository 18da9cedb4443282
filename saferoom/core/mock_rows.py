"""How do declarations become rows, the same bytes on every machine?

A Gaussian copula. The bits are SHAKE-256 of seed and feature; a normal score is the sum of
twelve 16-bit numbers; scores are mixed by the declared correlations, turned into a place
between 0 and 1, and read off the declared stops or shares. After the hash there is nothing
but comparison and + − × ÷ √ on doubles, one operation at a time and sums from left to right,
which IEEE 754 fixes to the last bit: no library's sine, no BLAS. A feature's values depend
neither on which others are asked for nor on how many rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saferoom.canonical import canonical_bytes
from saferoom.core.mock import WHOLE, MockColumn, MockSet, read_decimal
from saferoom.core.record import check_field
from saferoom.core.views import DTYPE
from saferoom.errors import BadInput

MOST_ROWS = 2_000_000
LARGEST_SEED = 2**53 - 1
_NUMBERS = 12  # summed for a score: their variance is one
# Abramowitz and Stegun 26.2.19: the normal distribution within 1.5e-7, without exp.
_NORMAL = (5.3830e-06, 4.88906e-05, 3.80036e-05, 3.2776263e-03, 2.11410061e-02, 4.98673470e-02)
Floats = NDArray[np.float64]


def draw(mock: MockSet, names: Sequence[str], rows: int, seed: int) -> Floats:
    """Draw a matrix with these columns, in this order; NaN is missing."""
    check_field(type(rows) is int and 0 < rows <= MOST_ROWS, "rows")
    check_field(type(seed) is int and 0 <= seed <= LARGEST_SEED, "seed")
    check_field(len(set(names)) == len(names) > 0, "views")
    columns = {column.name: column for column in mock.columns}
    matrix = np.empty((rows, len(names)), DTYPE)
    scores: dict[str, Floats] = {}
    for place, name in enumerate(names):
        if name not in columns:
            raise BadInput("MOCK_UNDECLARED", name[:64])
        mixed = np.zeros(rows)
        for other, weight in mock.factor[name].items():
            if other not in scores:
                scores[other] = _score(seed, other, rows)
            mixed = mixed + scores[other] * weight
        values = _read_off(columns[name], _place(mixed))
        values[_missing(columns[name], seed, rows)] = np.nan
        matrix[:, place] = values
    return matrix


def _bits(seed: int, use: str, name: str, length: int) -> bytes:
    label = canonical_bytes({"kind": MockSet.KIND, "name": name, "seed": seed, "use": use})
    return hashlib.shake_256(label).digest(length)


def _score(seed: int, name: str, rows: int) -> Floats:
    """Sum twelve little-endian 16-bit numbers for each row, less their mean, over 2¹⁶."""
    bits = np.frombuffer(_bits(seed, "value", name, rows * _NUMBERS * 2), "<u2")
    sums = bits.reshape(rows, _NUMBERS).astype(np.int64).sum(axis=1)  # exact, in any order
    score: Floats = (2 * sums - _NUMBERS * 0xFFFF).astype(np.float64) / 2**17
    return score


def _place(score: Floats) -> Floats:
    """Turn a normal score into the share of all that lie below it."""
    size = np.abs(score)
    power = np.full(len(size), _NORMAL[0])
    for coefficient in _NORMAL[1:]:
        power = power * size + coefficient
    power = power * size + 1.0
    for _ in range(4):  # to the 16th
        power = power * power
    tail = 0.5 / power
    return np.where(score < 0, tail, 1.0 - tail)


def _read_off(column: MockColumn, place: Floats) -> Floats:
    if column.shares:
        ends = np.cumsum([share.permille for share in column.shares])[:-1] / WHOLE
        values = np.array([read_decimal(share.value) for share in column.shares])
        return values[np.searchsorted(ends, place, side="right")]
    places = np.array([stop.permille for stop in column.stops]) / WHOLE
    values = np.array([read_decimal(stop.value) for stop in column.stops])
    left = np.searchsorted(places[1:-1], place, side="right")
    along = (place - places[left]) / (places[left + 1] - places[left])
    read = values[left] + (values[left + 1] - values[left]) * along
    value: Floats = np.floor(read + 0.5) if column.whole else read
    return value


def _missing(column: MockColumn, seed: int, rows: int) -> NDArray[np.bool_]:
    bits = np.frombuffer(_bits(seed, "missing", column.missing_with, rows * 4), "<u4")
    return bits.astype(np.uint64) * WHOLE < column.missing_permille * 2**32
