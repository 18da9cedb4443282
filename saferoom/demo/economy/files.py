"""Where do the sources and banks keep their files?

    FOLDER/registry/reg_base.csv                          UTF-8
    FOLDER/tax/{tax_month,tax_year,tax_arrears}.csv       GBK, as tax offices do
    FOLDER/power/util_month.csv                           UTF-8
    FOLDER/bank-a/loans.csv                               the bank's own, never sent

A source's folder has its connector's name: there the vault looks for it. Written chunk by
chunk, so a million firms need the memory of ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv

from saferoom.demo.economy import dirt, tables
from saferoom.demo.economy.bank import BANKS, draw_bank_view, draw_book
from saferoom.demo.economy.calendar import last_days
from saferoom.demo.economy.columns import Columns, choose, day_text, month_text
from saferoom.demo.economy.default import draw_bad, intercept
from saferoom.demo.economy.population import Chunk, Plan, draw_latents

ENCODING = {"tax": "gbk"}  # the others write UTF-8
Tables = dict[tuple[str, str], Columns]  # (source, table) → columns
Progress = Callable[[int], None]


def source_tables(chunk: Chunk, base: float) -> Tables:
    """Make every source's rows of one chunk, dirt included."""
    world = tables.draw_world(chunk)
    bad = draw_bad(chunk, world.latents, base)
    arrears = dirt.stacked(
        tables.tax_arrears(world), dirt.repair(world), dirt.arrive_late(world, bad)
    )
    clean: Tables = {
        (tables.REGISTRY, "reg_base"): tables.reg_base(world),
        (tables.TAX, "tax_month"): dirt.dispute(tables.tax_month(world), world),
        (tables.TAX, "tax_year"): tables.tax_year(world),
        (tables.TAX, "tax_arrears"): arrears,
        (tables.POWER, "util_month"): tables.util_month(world),
    }
    return {key: dirt.mistype(columns, chunk, key[1]) for key, columns in clean.items()}


def loan_book(chunk: Chunk, base: float, bank: str) -> Columns:
    """Make one bank's borrowers of one chunk: its own columns, the vintage and the label."""
    latents = draw_latents(chunk)
    view = draw_bank_view(chunk, latents)
    book = draw_book(chunk, view, bank)
    firm = np.flatnonzero(book.lent)
    as_of_month = chunk.plan.as_of.year * 12 + chunk.plan.as_of.month - 1
    bad = draw_bad(chunk, latents, base)
    own = {name: pa.array(values[firm]) for name, values in view.columns().items()}
    return {
        "uscc": choose(chunk.codes, firm),
        "t0": day_text(last_days(np.full(len(firm), as_of_month))),
        "vintage": month_text(as_of_month - 23 + book.vintage[firm]),
        **own,
        "bad": pa.array(bad[firm].astype(np.int8)),
    }


def write_sources(plan: Plan, folder: Path, progress: Progress = lambda _: None) -> dict[str, int]:
    """Write every source's files; count the rows of each table."""
    base = intercept(plan)
    parts = ((chunk.size, source_tables(chunk, base)) for chunk in plan.chunks())
    return _write(folder, parts, progress)


def write_books(plan: Plan, folder: Path, banks: tuple[str, ...] = BANKS) -> dict[str, int]:
    """Write each bank's own loan book."""
    base = intercept(plan)
    parts = (
        (chunk.size, {(bank, "loans"): loan_book(chunk, base, bank) for bank in banks})
        for chunk in plan.chunks()
    )
    return _write(folder, parts, lambda _: None)


def _write(folder: Path, parts: Iterator[tuple[int, Tables]], progress: Progress) -> dict[str, int]:
    rows: dict[str, int] = {}
    with ExitStack() as open_files:
        sinks: dict[tuple[str, str], BinaryIO] = {}
        for firms, chunk_tables in parts:
            for (owner, table), columns in chunk_tables.items():
                first, place = (owner, table) not in sinks, owner.removeprefix("source-")
                if first:
                    path = folder / place / f"{table}.csv"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    sinks[owner, table] = open_files.enter_context(path.open("wb"))
                encoded = _csv_bytes(columns, ENCODING.get(place, "utf-8"), header=first)
                sinks[owner, table].write(encoded)
                name = table if table != "loans" else f"{owner}/loans"
                rows[name] = rows.get(name, 0) + len(next(iter(columns.values())))
            progress(firms)
    return rows


def _csv_bytes(columns: Columns, encoding: str, *, header: bool) -> bytes:
    buffer = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=header, quoting_style="needed")
    csv.write_csv(pa.table(columns), buffer, options)
    text = bytes(buffer.getvalue())
    return text if encoding == "utf-8" else text.decode("utf-8").encode(encoding)
