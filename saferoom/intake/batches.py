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
from numpy.typing import NDArray

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.facts import CellType, Column
from saferoom.intake.columns import DTYPES, Typed, buffers

KIND = "saferoom/batch/1"


def encode(table: str, columns: Sequence[Column], values: Sequence[Typed]) -> bytes:
    """Write one batch; `values` holds a column each, text in Arrow's form."""
    parts = [_buffers(column.type, cells) for column, cells in zip(columns, values, strict=True)]
    described: list[Json] = [
        {"name": column.name, "type": str(column.type), "bytes": sum(map(len, part))}
        for column, part in zip(columns, parts, strict=True)
    ]
    rows = len(values[0])
    header = canonical_bytes({"kind": KIND, "table": table, "rows": rows, "columns": described})
    body = (buffer for part in parts for buffer in part)
    return b"".join([struct.pack("<I", len(header)), header, *body])


def _buffers(kind: CellType, cells: Typed) -> list[memoryview]:
    if isinstance(cells, np.ndarray):
        return [_bytes(cells, DTYPES[kind])]
    if cells.null_count:
        cells = cells.fill_null("")
    offsets, data = buffers(cells)
    return [_bytes(offsets, "<u4"), _bytes(data, "|u1")]


def _bytes(values: NDArray[np.generic], dtype: str) -> memoryview:
    return np.ascontiguousarray(values, dtype).view("u1").data
