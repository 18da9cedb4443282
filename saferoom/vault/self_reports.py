"""How do an enterprise's own figures come in?

Like any source's file: opened here, judged cell by cell in intake behind its walls, stored
under the source `self`, which no connector may be called. Nothing of them touches the disk
unencrypted: intake gets the file's bytes over its socket.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from saferoom.canonical import parse_object
from saferoom.core.facts import Table
from saferoom.core.self_report import ReportRows, SelfReport, full_rows, report_aad
from saferoom.core.source import SELF, Encoding, Heading, SourceManifest, SourceTable
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.vault.ingestion import Counts, Ingestion

FILE = "report.csv"


def take_report(
    run: Ingestion, report: SelfReport, table: Table, key: SealingKey, now: str
) -> Counts:
    """Take in what an enterprise reported; counts and row numbers come back, no values."""
    plain = unseal(bytes.fromhex(report.sealed), key, report_aad(report.enterprise, report.table))
    rows = ReportRows.from_body(parse_object(plain))
    text = io.StringIO(newline="")
    csv.writer(text).writerows(full_rows(rows, table, report.enterprise, now))
    return run.run(_source(table), Path(), told=text.getvalue().encode())


def _source(table: Table) -> SourceManifest:
    headings = tuple(Heading(column=one.name, heading=one.name) for one in table.all_columns)
    return SourceManifest(
        name=SELF,
        party=SELF,
        title_zh="企业自愿填报",
        title_en="The enterprise's own report",
        encoding=Encoding.UTF_8,
        tables=(SourceTable(table=table.name, path=FILE, headings=headings, ignore=()),),
    )
