"""What does the vault ask intake to do?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path

from saferoom.canonical import Json
from saferoom.core.facts import Table
from saferoom.core.moment import read_instant
from saferoom.core.record import check_field
from saferoom.core.source import SELF, Reached, SourceManifest, check_source
from saferoom.crypto.sealing import SealingPublicKey
from saferoom.intake.files import Opened
from saferoom.wire import Frame


class Job:
    """One source's tables, where they lie, and to whom rows are sealed."""

    def __init__(self, frame: Frame) -> None:
        header: Mapping[str, Json] = frame.header
        names = {"source", "tables", "folder", "address", "sealing_key", "now"}
        check_field(set(header) == names, "job")
        self.source = SourceManifest.from_body(header["source"])
        tables, folder, address = header["tables"], header["folder"], header["address"]
        check_field(isinstance(tables, list) and isinstance(folder, str), "job")
        check_field((self.source.reached is Reached.DATABASE) == isinstance(address, str), "job")
        assert isinstance(tables, list)
        read = [Table.from_body(table) for table in tables]
        self.tables = {table.name: table for table in read}
        self.folder, self.address = Path(str(folder)), str(address)
        self.key = SealingPublicKey.from_hex(header["sealing_key"])
        self.now: datetime = read_instant(header["now"])
        check_source(self.source, self.tables)
        check_field(len(frame.attachments) == (self.source.name == SELF), "attachments")
        self._told = frame.attachments

    def report(self) -> list[Opened]:
        """Return an enterprise's own report, which came with the job; a source has none."""
        return [
            Opened(table, str(table.path), BytesIO(self._told[0]))
            for table in self.source.tables
            if self._told
        ]
