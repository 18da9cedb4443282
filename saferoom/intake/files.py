"""Which files of a source's folder are read, and are they still the same at the end?

All of them are opened before the walls go up; then nothing more can be. Each is offered by the
digest of its bytes, and what was read of it has that digest, or is refused.
"""

from __future__ import annotations

import hashlib
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from saferoom.core.facts import Table
from saferoom.core.source import SourceManifest, SourceTable
from saferoom.errors import BadInput
from saferoom.intake.csv_files import read_csv
from saferoom.intake.excel_files import read_excel
from saferoom.intake.parquet_files import read_parquet
from saferoom.intake.rows import Piece

MOST_FILES = 10_000


@dataclass(frozen=True)
class Opened:
    """One file of one table."""

    source: SourceTable
    name: str
    file: BinaryIO

    def digest(self) -> str:
        """Name the file by its bytes, and go back to its beginning."""
        self.file.seek(0)
        try:
            return hashlib.file_digest(self.file, "sha256").hexdigest()  # type: ignore[arg-type]
        except OSError as error:
            raise BadInput("SOURCE_MALFORMED", "a file cannot be read") from error
        finally:
            self.file.seek(0)

    def pieces(self, manifest: SourceManifest, table: Table) -> Iterator[Piece]:
        """Read its rows, by what its name ends in."""
        if self.name.endswith(".parquet"):
            return read_parquet(self.file, source=self.source, table=table)
        if self.name.endswith(".xlsx"):
            return read_excel(self.file, source=self.source, table=table)
        return read_csv(self.file, source=self.source, table=table, encoding=manifest.encoding)


@contextmanager
def opened_files(folder: Path, tables: tuple[SourceTable, ...]) -> Iterator[list[Opened]]:
    """Open every file of these tables."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with opened(folder) as held, ExitStack() as stack:
        found = [(source, name) for source in tables for name in find_files(held, str(source.path))]
        if len(found) > MOST_FILES:
            raise BadInput("SOURCE_MALFORMED", f"more than {MOST_FILES} files in the folder")
        yield [
            Opened(source, name, stack.enter_context(opened_file(held, name)))
            for source, name in found
        ]


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Hold the folder itself, whatever becomes of its name meanwhile; a link is none."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput("SOURCE_MALFORMED", "the source's folder is none, or a link") from error
    try:
        yield held
    finally:
        os.close(held)


def find_files(folder: int, pattern: str) -> list[str]:
    """List the files of a table by name."""
    return sorted(name for name in os.listdir(folder) if fnmatchcase(name, pattern))


@contextmanager
def opened_file(folder: int, name: str) -> Iterator[BinaryIO]:
    """Open one file: a link, which may lead out of the folder, is refused."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        held = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise BadInput("SOURCE_MALFORMED", "a file is a link, or cannot be read") from error
    if not stat.S_ISREG(os.fstat(held).st_mode):
        os.close(held)
        raise BadInput("SOURCE_MALFORMED", "a file is none")
    with os.fdopen(held, "rb") as file:
        yield file
