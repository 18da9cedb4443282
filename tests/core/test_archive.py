"""One form of archive: everything else, hostile or merely other, is refused."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.core import archive
from saferoom.core.archive import read_archive, write_archive
from saferoom.errors import BadInput, Tampered

FILES = {"b.txt": b"two", "a/one.json": b"{}", "empty": b"", "a/x-1/y_2": bytes(range(256))}
GOOD = write_archive(FILES)


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_STORED, mode: int = 0) -> bytes:
    """Write what others write."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = mode << 16
            made.writestr(info, data)
    return buffer.getvalue()


def test_what_is_written_is_read_again() -> None:
    assert read_archive(GOOD) == FILES
    assert read_archive(write_archive({})) == {}


def test_the_same_files_are_the_same_bytes() -> None:
    assert write_archive(dict(reversed(FILES.items()))) == GOOD


def test_others_can_open_it() -> None:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted(FILES)
        assert {name: opened.read(name) for name in FILES} == FILES


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_every_changed_byte_is_read_otherwise_or_refused(mask: int) -> None:
    """A file's own bytes are the manifest's affair; every other byte is the archive's."""
    for at in range(len(GOOD)):
        bent = bytearray(GOOD)
        bent[at] ^= mask
        with pytest.raises(Tampered):
            read_archive(bytes(bent))


@settings(max_examples=50)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z][a-z0-9._-]{0,5})?", fullmatch=True),
                       st.binary(max_size=50), max_size=6))  # fmt: skip
def test_any_files_come_back(files: dict[str, bytes]) -> None:
    assert read_archive(write_archive(files)) == files


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for hostile in (data, GOOD[:40] + data, GOOD + data if data else b""):
        with pytest.raises(Tampered):
            read_archive(hostile)


@pytest.mark.parametrize(
    "hostile",
    [
        zipped(("../up", b"x")),
        zipped(("/etc/passwd", b"x")),
        zipped(("a/../../b", b"x")),
        zipped(("a\\b", b"x")),
        zipped(("C:x", b"x")),
        zipped(("a/", b"")),
        zipped(("a//b", b"x")),
        zipped((".hidden", b"x")),
        zipped(("a" * 201, b"x")),
        zipped(("\u540d", b"x")),
        zipped(("link", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777),
        zipped(("bomb", bytes(10**6)), method=zipfile.ZIP_DEFLATED),
        zipped(("b", b"x"), ("a", b"x")),
        zipped(("fine", b"x"), mode=stat.S_IFREG | 0o644),
        GOOD + GOOD,
        GOOD[:-1],
        GOOD[22:],
        b"",
    ],
)
def test_hostile_archives_are_refused(hostile: bytes) -> None:
    with pytest.raises(Tampered) as caught:
        read_archive(hostile)
    assert caught.value.code == "BUNDLE_INVALID"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(Tampered):
        read_archive(zipped(("a", b"1"), ("a", b"2")))


def test_a_directory_that_tells_other_names_is_refused() -> None:
    place = GOOD.rindex(b"b.txt")
    with pytest.raises(Tampered):
        read_archive(GOOD[:place] + b"c.txt" + GOOD[place + 5 :])


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 10)
    with pytest.raises(BadInput):
        write_archive({"a": bytes(11)})
    with pytest.raises(BadInput):
        read_archive(bytes(21))
    monkeypatch.setattr(archive, "LARGEST", 2**20)
    monkeypatch.setattr(archive, "MOST_FILES", 1)
    with pytest.raises(BadInput):
        write_archive({"a": b"", "b": b""})
    with pytest.raises(Tampered):
        read_archive(GOOD)


def test_only_plain_names_are_written() -> None:
    with pytest.raises(BadInput):
        write_archive({"a/../b": b""})
