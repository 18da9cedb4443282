"""What did intake send, exactly?

The layout is written in `docs/reference/intake.md`. Lengths are compared with what the
table declares before any buffer is looked at; texts are checked to be UTF-8.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from numpy.typing import NDArray

from saferoom.canonical import Json, parse_object
from saferoom.core.facts import CellType, Table
from saferoom.errors import BadInput

KIND = "saferoom/batch/1"
_WIDTHS = {
    CellType.DAY: "<i4",
    CellType.MONTH: "<i4",
    CellType.YEAR: "<i4",
    CellType.WHOLE: "<i8",
    CellType.INSTANT: "<i8",
    CellType.FLAG: "<i1",
    CellType.NUMBER: "<f8",
}
ARROW_TYPES = {
    CellType.TEXT: pa.string(),
    CellType.DAY: pa.date32(),
    CellType.MONTH: pa.int32(),
    CellType.YEAR: pa.int32(),
    CellType.WHOLE: pa.int64(),
    CellType.INSTANT: pa.int64(),
    CellType.FLAG: pa.int8(),
    CellType.NUMBER: pa.float64(),
}


def decode(data: bytes, table: Table) -> pa.Table:
    """Read one batch of this table as Arrow columns."""
    header, body = _split(data)
    rows, described = header.get("rows"), header.get("columns")
    if header.get("kind") != KIND or header.get("table") != table.name:
        raise _malformed()
    if type(rows) is not int or rows < 1 or not isinstance(described, list):
        raise _malformed()
    sizes = [_size(one) for one in described]
    names = [(column.name, str(column.type)) for column in table.all_columns]
    if [(name, kind) for name, kind, _ in sizes] != names or sum(s for *_, s in sizes) != len(body):
        raise _malformed()
    arrays, at = [], 0
    for column, (_, _, size) in zip(table.all_columns, sizes, strict=True):
        arrays.append(_array(column.type, body[at : at + size], rows))
        at += size
    return pa.table(arrays, names=[name for name, _ in names])


def _split(data: bytes) -> tuple[dict[str, Json], memoryview]:
    if len(data) < 4:
        raise _malformed()
    (length,) = struct.unpack_from("<I", data)
    return parse_object(data[4 : 4 + length]), memoryview(data)[4 + length :]


def _size(one: Json) -> tuple[str, str, int]:
    match one:
        case {"name": str(name), "type": str(kind), "bytes": int(size)} if size >= 0:
            return name, kind, size
        case _:
            raise _malformed()


def _array(kind: CellType, buffer: memoryview, rows: int) -> pa.Array:
    if kind is CellType.TEXT:
        return _texts(buffer, rows)
    width = np.dtype(_WIDTHS[kind])
    if len(buffer) != rows * width.itemsize:
        raise _malformed()
    values: NDArray[np.generic] = np.frombuffer(buffer, width)
    return pa.array(values, ARROW_TYPES[kind], mask=_empty(kind, values))


def _empty(kind: CellType, values: NDArray[np.generic]) -> NDArray[np.bool_]:
    if kind is CellType.NUMBER:
        return np.isnan(values.astype(np.float64))
    least = -1 if kind is CellType.FLAG else -(1 << (8 * values.dtype.itemsize - 1))
    return np.asarray(values == np.array(least, values.dtype))


def _texts(buffer: memoryview, rows: int) -> pa.Array:
    head = 4 * (rows + 1)
    if len(buffer) < head:
        raise _malformed()
    offsets = np.frombuffer(buffer[:head], "<u4").astype(np.int64)
    text = buffer[head:]
    if offsets[0] != 0 or (np.diff(offsets) < 0).any() or offsets[-1] != len(text):
        raise _malformed()
    mask = np.packbits(np.diff(offsets) > 0, bitorder="little").tobytes()
    parts = [pa.py_buffer(mask), pa.py_buffer(offsets.astype("<i4").tobytes()), pa.py_buffer(text)]
    try:
        array = pa.Array.from_buffers(pa.string(), rows, parts)
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _malformed() from error
    return array


def _malformed() -> BadInput:
    return BadInput("SOURCE_MALFORMED", "a batch of intake")
