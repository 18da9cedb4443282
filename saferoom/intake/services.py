"""How is a table of a source's service read on from where the last run ended?

A table with a watermark is asked for from the last mark on, that included, and of what comes only
rows beyond it are taken: none is lost or doubled, however many share a moment and in whatever
order pages come. Rows and the new mark count together, at the end; a service that stops midway
leaves the old mark and no row. A table without one is asked for whole, and is new if its
version (ETag) or its bytes are.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.facts import Table
from saferoom.core.service import Format
from saferoom.core.source import Encoding, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.pages import Page, Pages
from saferoom.intake.replies import Row, mark_of, read_reply
from saferoom.intake.rows import Piece
from saferoom.intake.sql_cells import as_cells, read_mark, write_mark


class ServiceTables:
    """A source's tables, at the other end of a link."""

    def __init__(self, link: socket.socket, encoding: Encoding) -> None:
        self._link, self._encoding = link, encoding

    def read(self, source: SourceTable, table: Table, after: str | None) -> ServiceReading:
        """Begin to read what came after a mark."""
        return ServiceReading(self._link, source, table, after, self._encoding)


class ServiceReading:
    """One table; after the last piece `mark` says how far it was read."""

    def __init__(
        self,
        link: socket.socket,
        source: SourceTable,
        table: Table,
        after: str | None,
        encoding: Encoding,
    ) -> None:
        assert source.resource is not None  # else it would be no service's
        self._source, self._resource, self._encoding = source, source.resource, encoding
        theirs = {one.column: one.heading for one in source.headings}
        self._columns = [(column.type, theirs[column.name]) for column in table.all_columns]
        self.mark, marks, form = after, source.watermark, source.resource.format
        self._how = _Since(marks, form, after) if marks else _Version(after)
        self._pages = Pages(link, table.name, source.resource, self._how.asked())

    def __iter__(self) -> Iterator[Piece]:
        """Yield rows, a page at a time."""
        bytes_read, first = hashlib.sha256(), 1
        first_page = self._pages.first()
        if not first_page.is_new:
            return
        page: Page | None = first_page
        while page is not None:
            bytes_read.update(hashlib.sha256(page.body).digest())
            said = read_reply(
                page.body, resource=self._resource, source=self._source, encoding=self._encoding
            )
            yield from self._pieces(said.rows, first)
            first += len(said.rows)
            page = self._pages.next(page, said)
        self.mark = self._how.written(first_page.etag, bytes_read.hexdigest())

    def _pieces(self, rows: Sequence[Row], first: int) -> Iterator[Piece]:
        ragged = [number for number, row in enumerate(rows, first) if row is None]
        taken = [
            (number, row)
            for number, row in enumerate(rows, first)
            if row is not None and self._how.takes(row)
        ]
        if taken or ragged:
            numbers = np.array([number for number, _ in taken], np.int64)
            cells = [
                as_cells(kind, [row[heading] for _, row in taken])
                for kind, heading in self._columns
            ]
            yield Piece(cells, numbers, ragged)


class _Since:
    """A table that grows: rows beyond the last mark."""

    def __init__(self, watermark: Sequence[str], form: Format, after: str | None) -> None:
        self._watermark, self._form = watermark, form
        self._after = self._last = None if after is None else read_mark(after)

    def asked(self) -> dict[str, Json]:
        return {} if self._after is None else {"since": str(self._after[0])}

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row is beyond the mark, and move the next one."""
        mark = mark_of(row, self._watermark, self._form)
        write_mark(mark)  # refuses what cannot be compared for certain
        try:
            if self._last is None or mark > self._last:
                self._last = mark
            is_beyond = self._after is None or mark > self._after
        except TypeError as error:
            raise BadInput("SOURCE_MALFORMED", "the type of a watermark") from error
        return is_beyond

    def written(self, _etag: str | None, _sha256: str) -> str | None:
        return None if self._last is None else write_mark(self._last)


class _Version:
    """A table that is given whole: new if its version or its bytes are."""

    def __init__(self, after: str | None) -> None:
        self._after = after
        self._known: Mapping[str, Json] = {} if after is None else parse_object(after.encode())

    def asked(self) -> dict[str, Json]:
        return {"etag": self._known.get("etag")}

    def takes(self, _row: Mapping[str, Any]) -> bool:
        return True

    def written(self, etag: str | None, sha256: str) -> str | None:
        if sha256 == self._known.get("sha256"):
            return self._after
        return canonical_bytes({"etag": etag, "sha256": sha256}).decode()
