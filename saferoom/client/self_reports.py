"""How does an enterprise write its own figures, so that only the vault reads them?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from saferoom.canonical import canonical_bytes
from saferoom.client.statements import Author
from saferoom.client.trustfile import trust_of
from saferoom.core.moment import write_instant
from saferoom.core.self_report import ReportRow, ReportRows, SelfReport, report_aad
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput


def read_rows(path: Path) -> ReportRows:
    """Read a CSV file whose headings are our columns: record_id, event_date, the table's own."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            headings, *lines = [*csv.reader(file, strict=True)] or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput("SOURCE_MALFORMED", "the file cannot be read as CSV") from error
    rows = tuple(ReportRow(cells=tuple(line)) for line in lines)
    return ReportRows(columns=tuple(headings), rows=rows)


def self_report(author: Author, table: str, rows: ReportRows) -> Statement:
    """Seal rows to the vaults of one's trust file, and sign that they are true."""
    vaults = trust_of(author.keys).vaults_at(author.clock())
    if not vaults:
        raise BadInput("TRUST_MISSING", "the one there is names no vault that is in force")
    recipients: Sequence[SealingPublicKey] = [
        SealingPublicKey.from_hex(key) for key in dict.fromkeys(one.sealing_key for one in vaults)
    ]
    enterprise = author.keys.party
    plain, aad = canonical_bytes(rows.to_body()), report_aad(enterprise, table)
    report = SelfReport(
        enterprise=enterprise,
        table=table,
        sealed=seal(plain, recipients, aad, author.random_bytes).hex(),
        pledged=True,
        asked_at=write_instant(author.clock()),
        nonce=author.random_bytes(16).hex(),
    )
    return author.sign(report.to_body())
