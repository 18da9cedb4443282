"""How is a whole column of cells judged at once, by the same rules as one cell?

`cells.py` alone says what is clean. Here two ways around its slowness stand: a column of few
different texts is judged once per different text; and for columns of many an *acceptor*
recognises what is clean beyond doubt, by the bytes, and whatever it does not recognise goes
to the cell's reader after all. An acceptor that accepts too little costs time, never sense.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from saferoom.core.facts import CellType, Column
from saferoom.core.uscc import ALPHABET
from saferoom.intake.cells import REASONS, Dirty, Reader, Value

Mask = NDArray[np.bool_]
Typed: TypeAlias = pa.Array | NDArray[np.generic]  # texts in Arrow's form, the rest in numpy's
CLEAN = 0  # other codes are places in REASONS, plus one
DTYPES = {
    CellType.DAY: "<i4",
    CellType.MONTH: "<i4",
    CellType.YEAR: "<i4",
    CellType.WHOLE: "<i8",
    CellType.INSTANT: "<i8",
    CellType.FLAG: "<i1",
    CellType.NUMBER: "<f8",
}
_CODES = {reason: code for code, reason in enumerate(REASONS, CLEAN + 1)}
MOST_DIGITS = 15  # of a plain number: cells.py allows as many on either side of the point
SAMPLE = 1_000
# Less than cells.py allows: what these match, Arrow's casts read as Python does.
_PLAIN = {
    CellType.NUMBER: r"\A-?[0-9]{1,15}(?:\.[0-9]{1,15})?\z",
    CellType.WHOLE: r"\A-?[0-9]{1,15}\z",
}


@dataclass(frozen=True)
class Checked:
    """One column: typed values, text or numbers, and a code for each row's cell."""

    values: Typed
    codes: NDArray[np.uint8]

    def only(self, rows: Mask) -> Typed:
        """Keep the values of some rows."""
        if rows.all():
            return self.values
        if isinstance(self.values, np.ndarray):
            return self.values[rows]
        return self.values.filter(pa.array(rows))


def empty_value(kind: CellType) -> int | float:
    """Say how an empty cell is written among numbers."""
    if kind is CellType.NUMBER:
        return float("nan")
    return -1 if kind is CellType.FLAG else int(np.iinfo(DTYPES[kind]).min)


def is_many(column: Column) -> bool:
    """Say whether a column has about as many different texts as rows."""
    return column.name in {"uscc", "record_id"} or column.type in _PLAIN


def check_column(column: Column, cells: pa.Array, read: Reader, encoding: str) -> Checked:
    """Judge each cell; `cells` holds bytes, plainly or by a dictionary, or typed numbers."""
    if pa.types.is_floating(cells.type):
        return _typed_numbers(column, cells)
    if pa.types.is_dictionary(cells.type):
        return _by_dictionary(column, cells, read, encoding)
    if not is_many(column):
        return _by_dictionary(column, cells.dictionary_encode(), read, encoding)
    accepted, values = _acceptor(column)(cells, column)
    if accepted.all():
        return Checked(values, np.zeros(len(cells), np.uint8))
    return _mixed(column, accepted, values, _by_rest(column, cells, accepted, read, encoding))


def _typed_numbers(column: Column, cells: pa.Array) -> Checked:
    """Judge numbers that came as numbers; only an absent one is empty, NaN is dirt."""
    absent = cells.is_null().to_numpy(zero_copy_only=False)
    values = cells.to_numpy(zero_copy_only=False).astype(np.float64)
    codes = np.zeros(len(cells), np.uint8)
    if column.least is not None:
        codes[values < column.least] = _CODES["range"]
    codes[~np.isfinite(values)] = _CODES["number"]
    codes[absent] = CLEAN if column.optional else _CODES["empty"]
    return Checked(values, codes)


def _by_rest(
    column: Column, cells: pa.Array, accepted: Mask, read: Reader, encoding: str
) -> Checked:
    doubtful = cells.filter(pa.array(~accepted)).dictionary_encode()
    return _by_dictionary(column, doubtful, read, encoding)


def _by_dictionary(column: Column, cells: pa.Array, read: Reader, encoding: str) -> Checked:
    judged = [_judge(raw, read, encoding) for raw in cells.dictionary.to_pylist()]
    indices = cells.indices.to_numpy(zero_copy_only=False)
    codes = np.array([code for _, code in judged], np.uint8).take(indices)
    if column.type is CellType.TEXT:
        texts = pa.array([value for value, _ in judged], pa.string())
        return Checked(texts.take(cells.indices), codes)
    empty = empty_value(column.type)
    values = [empty if value is None else value for value, _ in judged]
    return Checked(np.array(values, DTYPES[column.type]).take(indices), codes)


def _judge(raw: bytes, read: Reader, encoding: str) -> tuple[Value, int]:
    try:
        return read(raw.decode(encoding, "replace")), CLEAN
    except Dirty as dirty:
        return None, _CODES[dirty.reason]


def _mixed(column: Column, accepted: Mask, known: Typed, rest: Checked) -> Checked:
    codes = np.zeros(len(accepted), np.uint8)
    codes[~accepted] = rest.codes
    if column.type is CellType.TEXT:
        # First a column of both, the accepted before the rest, then each to its place.
        both = pa.concat_arrays([known, rest.values])
        places = np.empty(len(accepted), np.int64)
        places[accepted] = np.arange(len(known))
        places[~accepted] = np.arange(len(known), len(accepted))
        return Checked(both.take(pa.array(places)), codes)
    values = np.empty(len(accepted), DTYPES[column.type])
    values[accepted] = known
    values[~accepted] = rest.values
    return Checked(values, codes)


def _acceptor(column: Column) -> Callable[[pa.Array, Column], tuple[Mask, Typed]]:
    if column.name == "uscc":
        return accept_usccs
    return accept_texts if column.type is CellType.TEXT else accept_numbers


def _some(cells: pa.Array, rows: Mask) -> pa.Array:
    return cells if rows.all() else cells.filter(pa.array(rows))


def accept_numbers(cells: pa.Array, column: Column) -> tuple[Mask, Typed]:
    """Accept plainly written numbers that are not too small."""
    lengths = np.diff(buffers(cells)[0])
    accepted: Mask = (lengths > 0) & (lengths <= MOST_DIGITS)
    known = _some(cells, accepted)
    values = _cast(known, column)
    if values is None:  # something is no number: find what
        accepted = pc.match_substring_regex(cells, _PLAIN[column.type]).to_numpy(
            zero_copy_only=False
        )
        values = _plain_numbers(_some(cells, accepted), column)
    if column.least is not None and not (large := _at_least(values, column.least)).all():
        accepted[accepted], values = large, values[large]
    return accepted, values


def _at_least(values: NDArray[np.generic], least: int) -> Mask:
    return np.asarray(np.asarray(values, np.float64) >= least)


def _cast(cells: pa.Array, column: Column) -> NDArray[np.generic] | None:
    """Read cells that hold nothing but digits, points and minus signs, if all are numbers.

    Of at most 15 such letters, what Arrow's casts read is what cells.py allows.
    """
    _, data = buffers(cells)
    if ((data < ord("-")) | (data > ord("9")) | (data == ord("/"))).any():
        return None
    try:
        return _plain_numbers(cells, column)
    except pa.ArrowInvalid:
        return None


def _plain_numbers(cells: pa.Array, column: Column) -> NDArray[np.generic]:
    kind = pa.float64() if column.type is CellType.NUMBER else pa.int64()
    values: NDArray[np.generic] = cells.view(pa.string()).cast(kind).to_numpy(zero_copy_only=False)
    return values


def accept_texts(cells: pa.Array, column: Column) -> tuple[Mask, Typed]:
    """Accept short texts of printable ASCII, which every encoding of ours writes alike."""
    offsets, data = buffers(cells)
    lengths = np.diff(offsets)
    accepted: Mask = (lengths > 0) & (lengths <= column.longest)
    strange = np.flatnonzero((data < 0x20) | (data > 0x7E))
    accepted[np.searchsorted(offsets, strange, side="right") - 1] = False
    if column.one_of:
        accepted[:] = False
    return accepted, _some(cells, accepted).view(pa.string())


_VALUES = np.full(256, -1, np.int16)  # 17 · 30 · 30 is the largest sum
_INNER = np.full(256, -1, np.int16)
for _place, _letter in enumerate(ALPHABET):
    _VALUES[ord(_letter)] = _place
    _INNER[ord(_letter)] = int(_letter, 36)
_WEIGHTS = [pow(3, place, 31) for place in range(17)]
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = np.frombuffer(ALPHABET.encode(), np.uint8)
_INNER_CHECKS = np.frombuffer(b"0123456789X", np.uint8)


def accept_usccs(cells: pa.Array, _column: Column) -> tuple[Mask, Typed]:
    """Accept codes whose shape and both check digits hold, as core/uscc.py says it."""
    if _repeats(cells):
        coded = cells.dictionary_encode()
        accepted = _good_usccs(coded.dictionary)[coded.indices.to_numpy()]
    else:
        accepted = _good_usccs(cells)
    return accepted, _some(cells, accepted).view(pa.string())


def _repeats(cells: pa.Array) -> bool:
    """Say whether it pays to judge each different cell once, by the first ones."""
    first = cells[:SAMPLE]
    return 2 * len(first.dictionary_encode().dictionary) < len(first)


def _good_usccs(cells: pa.Array) -> Mask:
    accepted: Mask = np.asarray(np.diff(buffers(cells)[0]) == 18)
    _, data = buffers(_some(cells, accepted))
    letters = np.ascontiguousarray(data.reshape(-1, 18).T)  # a row per place: quick to sum
    values = _VALUES.take(letters)
    good = (values >= 0).all(axis=0) & (values[2:8] < 10).all(axis=0)
    outer = sum(values[place] * weight for place, weight in enumerate(_WEIGHTS))
    good &= letters[17] == _CHECKS[-outer % 31]
    inner = sum(
        _INNER.take(letters[8 + place]) * weight for place, weight in enumerate(_INNER_WEIGHTS)
    )
    good &= letters[16] == _INNER_CHECKS[-inner % 11]
    accepted[accepted] = good
    return accepted


def buffers(cells: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Look at the offsets, from 0, and the bytes of a column without empty places."""
    _, starts, data = cells.buffers()
    places = np.frombuffer(starts, "<i4", len(cells) + 1, 4 * cells.offset).astype(np.int64)
    whole = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return places - places[0], whole[places[0] : places[-1]]
