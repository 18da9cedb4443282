"""How do typed columns travel from intake to the vault?

u32 header length | canonical header | one buffer per column, little-endian:
number float64 (NaN = empty), day, month and year int32, whole and instant int64 (least
value = empty), flag int8 (−1 = empty), text = (rows + 1) uint32 offsets, then UTF-8
(no bytes = empty). Our own layout, so that the vault reads lengths and arrays and no
native parser meets what intake was fed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.facts import CellType, Column
from saferoom.intake.cells import Value

KIND = "saferoom/batch/1"
_WIDTHS = {
    CellType.DAY: "<i4",
    CellType.MONTH: "<i4",
    CellType.YEAR: "<i4",
    CellType.WHOLE: "<i8",
    CellType.INSTANT: "<i8",
    CellType.FLAG: "<i1",
}


def encode(table: str, columns: Sequence[Column], values: Sequence[Sequence[Value]]) -> bytes:
    """Write one batch; `values` holds a sequence per column."""
    rows = len(values[0])
    buffers = [_buffer(column.type, cells) for column, cells in zip(columns, values, strict=True)]
    described: list[Json] = [
        {"name": column.name, "type": str(column.type), "bytes": len(buffer)}
        for column, buffer in zip(columns, buffers, strict=True)
    ]
    header = canonical_bytes({"kind": KIND, "table": table, "rows": rows, "columns": described})
    return struct.pack("<I", len(header)) + header + b"".join(buffers)


def _buffer(kind: CellType, cells: Sequence[Value]) -> bytes:
    if kind is CellType.TEXT:
        texts = [str(cell).encode() if cell is not None else b"" for cell in cells]
        offsets = np.zeros(len(texts) + 1, "<u4")
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return offsets.tobytes() + b"".join(texts)
    if kind is CellType.NUMBER:
        numbers = [np.nan if cell is None else cell for cell in cells]
        return np.array(numbers, "<f8").tobytes()
    width = np.dtype(_WIDTHS[kind])
    empty = -1 if kind is CellType.FLAG else int(np.iinfo(width).min)
    return np.array([empty if cell is None else cell for cell in cells], width).tobytes()
