"""Where in an Excel workbook (.xlsx, ECMA-376) are its rows?

A workbook is a ZIP of XML. What it would unpack to is counted from its directory before anything
is unpacked, and no part gives more than it said there; XML is read as a stream, with no document
type and so no entities.

A workbook has one sheet: of several, which one counts would be a guess.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO
from xml.parsers import expat

from saferoom.errors import BadInput
from saferoom.intake.parquet_files import ALWAYS, MOST_TIMES
from saferoom.intake.sheets import ElementReader, Row, Shared, Sheet, no_workbook

MOST_PARTS = 1_000
_CHUNK = 2**16


class Workbook:
    """One file, opened."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0, 2)
        most = ALWAYS + MOST_TIMES * file.tell()
        self._zip = zipfile.ZipFile(file)
        parts = self._zip.infolist()
        self._parts = {one.filename: one for one in parts}
        if len(parts) > MOST_PARTS or len(self._parts) < len(parts):
            raise no_workbook()
        if sum(one.file_size for one in parts) > most:
            raise BadInput("SOURCE_MALFORMED", f"unpacks to over {MOST_TIMES} times its size")
        if not all(
            one.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for one in parts
        ):
            raise no_workbook()
        self.since_1904 = False
        self._sheet, self._shared = self._find_parts()

    def rows(self) -> Iterator[Row]:
        """Read the sheet's rows that have a cell: their number and their cells from column A on."""
        texts = [] if self._shared is None else list(self._texts(self._shared))
        sheet = Sheet(texts)
        for _ in self._stream(self._sheet, sheet):
            yield from sheet.take()

    def _find_parts(self) -> tuple[str, str | None]:
        found = _Contents()
        for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
            for _ in self._stream(part, found):
                pass
        self.since_1904 = found.since_1904
        if len(found.sheets) != 1:
            raise BadInput("SOURCE_MALFORMED", "a workbook of several sheets")
        if found.sheets[0] not in found.targets or len(found.shared) > 1:
            raise no_workbook()
        return found.targets[found.sheets[0]], found.shared[0] if found.shared else None

    def _texts(self, part: str) -> Iterator[str]:
        shared = Shared()
        for _ in self._stream(part, shared):
            yield from shared.take()

    def _stream(self, part: str, reader: ElementReader) -> Iterator[None]:
        """Let a reader see a part, a piece at a time."""
        if part not in self._parts:
            raise no_workbook()
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _no_document_type
        parser.StartElementHandler = lambda name, told: reader.start(name.rpartition(" ")[2], told)
        parser.EndElementHandler = lambda name: reader.end(name.rpartition(" ")[2])
        parser.CharacterDataHandler = reader.text
        with closing(self._zip.open(self._parts[part])) as stream:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)  # noqa: FBT003  # the signature is Python's
                yield
        parser.Parse(b"", True)  # noqa: FBT003  # as above
        yield


# What Python's readers of ZIP and XML raise at a file that is none.
FAILS = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError),
    *(RuntimeError, OSError, ValueError, LookupError, OverflowError),
)


class _Contents:
    """Reads which sheets there are, and where they and the shared texts lie."""

    def __init__(self) -> None:
        self.sheets: list[str] = []
        self.targets: dict[str, str] = {}
        self.shared: list[str] = []
        self.since_1904 = False

    def start(self, name: str, told: dict[str, str]) -> None:
        match name:
            case "sheet":
                self.sheets.append(next((v for k, v in told.items() if k.endswith(" id")), ""))
            case "workbookPr":
                self.since_1904 = told.get("date1904") in {"1", "true"}
            case "Relationship":
                target = told.get("Target", "")
                path = target[1:] if target.startswith("/") else f"xl/{target}"
                self.targets[told.get("Id", "")] = path
                if told.get("Type", "").endswith("/sharedStrings"):
                    self.shared.append(path)

    def end(self, name: str) -> None:
        pass

    def text(self, text: str) -> None:
        pass


def _no_document_type(*_: object) -> None:
    raise no_workbook()
