"""Are files that lie elsewhere taken like those of a folder, and by nobody who reads them?"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec  # type: ignore[import-untyped]  # no stubs are published
import pytest

from saferoom.core.store import Option, Protocol, Store
from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.intake import fetching
from saferoom.intake.fetching import Folder
from saferoom.vault import intake_process
from saferoom.vault.connections import find_place
from tests.intake.fetching import Room
from tests.intake.taking import DECLARED, source_of
from tests.vault.room import CODES, tax_month, write_csv

ROWS = [tax_month(code, 1, "5") for code in CODES]
ONE = source_of("tax_month")
SOURCE = replace(DECLARED.sources["tax"], tables=(ONE,), store=Protocol.FILE)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    return folder


def store(folder: Path) -> Store:
    return Store(address=f"file://{folder}", options=())


def test_new_files_are_taken_once(tmp_path: Path, theirs: Path) -> None:
    room = Room(tmp_path)
    write_csv(theirs / "tax_month.csv", ROWS[:3])
    write_csv(theirs / "other.csv", ROWS)
    (theirs / "tax_month_folder.csv").mkdir()
    assert room.run(SOURCE, store(theirs)).rows == 3
    write_csv(theirs / "tax_month_2.csv", ROWS[3:])
    assert room.run(SOURCE, store(theirs)).rows == len(ROWS) - 3
    assert len(room.taken()) == len(ROWS)


TWIN = """
import os, sys
from saferoom.intake import fetching
{}
sys.exit(fetching.main())
"""


@pytest.mark.parametrize(
    ("protocol", "there", "body", "why"),
    [
        (Protocol.S3, "{}", "", "SOURCE_ADDRESS.*a protocol that"),
        (Protocol.FILE, "{}/nowhere", "", "SOURCE_UNAVAILABLE.*its folder"),
        (Protocol.FILE, "{}", "fetching.LARGEST_FILE = 10", "a file of over 10 bytes"),
        (Protocol.FILE, "{}", "fetching.MOST_FILES = 0", "more than 0 files in the folder"),
        (Protocol.FILE, "{}", "fetching.Folder.copy = lambda *_: os._exit(1)", "caller ended"),
        (Protocol.FILE, "{}", "sys.exit(1)", "its caller ended"),
    ],
)
def test_what_cannot_be_fetched_is_refused_and_leaves_nothing(
    *,
    theirs: Path,
    monkeypatch: pytest.MonkeyPatch,
    protocol: Protocol,
    there: str,
    body: str,
    why: str,
) -> None:
    room, source = Room(theirs.parent), replace(SOURCE, store=protocol)
    write_csv(theirs / "tax_month.csv", ROWS)
    with monkeypatch.context() as patch:
        program = (sys.executable, "-I", "-c", TWIN.format(body))
        patch.setattr(intake_process, "FETCHER", program)
        with pytest.raises(SaferoomError, match=why):
            room.run(source, store(Path(there.format(theirs))))
    assert room.taken() == []
    assert room.run(SOURCE, store(theirs)).rows == len(ROWS)


@pytest.fixture
def memory() -> Iterator[Folder]:
    files = fsspec.filesystem("memory")
    files.pipe("/tax/tax_month.csv", b"abc")
    files.pipe("/tax/deeper/tax_month.csv", b"x")
    yield Folder(Store(address="memory://tax", options=()))
    files.rm("/tax", recursive=True)


def test_a_file_is_as_long_as_its_folder_says(memory: Folder) -> None:
    assert memory.find("tax_month*.csv") == [("tax_month.csv", 3)]
    copied = io.BytesIO()
    memory.copy("tax_month.csv", 3, copied)
    assert copied.getvalue() == b"abc"
    for other in (2, 4):
        with pytest.raises(Unavailable, match="changed while it was fetched"):
            memory.copy("tax_month.csv", other, io.BytesIO())


def test_a_large_file_is_refused_before_it_is_fetched(
    memory: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGEST_FILE", 2)
    with pytest.raises(BadInput, match="a file of over 2 bytes"):
        memory.find("*")


def test_where_it_is_says_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "tax"
    path.touch(0o600)
    said = 'kind = "saferoom/store/1"\naddress = "file:///x"\n'
    path.write_text(said + '[options]\nkey = "k"\n', encoding="utf-8")
    found = Store(address="file:///x", options=(Option(name="key", value="k"),))
    assert find_place(tmp_path, SOURCE) == found
    for wrong in ("", "x", said + "options = 1", said + "more = 1", said + "[options]\nkey = 1\n"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(BadInput, match="CONNECTION_FILE"):
            find_place(tmp_path, SOURCE)
