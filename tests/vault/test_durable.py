"""What is left after a crash, and after a hand that was no crash?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.errors import Tampered
from saferoom.vault.durable import AppendLog, write_file


def filled(path: Path, *frames: list[bytes]) -> bytes:
    log = AppendLog(path)
    for frame in frames:
        log.append(frame)
    log.close()
    return path.read_bytes()


def read(path: Path) -> list[bytes]:
    log = AppendLog(path)
    try:
        return list(log.records())
    finally:
        log.close()


def test_records_come_back_in_order(tmp_path: Path) -> None:
    filled(tmp_path / "log", [b"a", b""], [b"b" * 100_000])
    assert read(tmp_path / "log") == [b"a", b"", b"b" * 100_000]


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 10_000))
def test_a_torn_tail_is_cut_off_and_the_rest_stays(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "log"
    whole = filled(path, [b"first"])
    longer = filled(path, [b"second", b"x" * 50])
    path.write_bytes(longer[: len(whole) + cut % (len(longer) - len(whole))])
    assert read(path) == [b"first"]
    assert path.stat().st_size == len(whole)
    assert filled(path, [b"third"]).startswith(whole)
    assert read(path) == [b"first", b"third"]


def test_a_tail_of_the_right_length_and_wrong_bytes_is_torn_too(tmp_path: Path) -> None:
    path = tmp_path / "log"
    whole = filled(path, [b"first"])
    longer = filled(path, [b"second"])
    path.write_bytes(longer[:-3] + b"\0\0\0")
    assert read(path) == [b"first"]
    assert path.read_bytes() == whole


def test_a_broken_frame_before_others_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "log"
    data = bytearray(filled(path, [b"first"], [b"second"]))
    data[25] ^= 1
    path.write_bytes(data)
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        read(path)


def frames(path: Path, *contents: bytes) -> list[bytes]:
    """Write a log; return the bytes of each frame."""
    parts, before = [], 0
    for content in contents:
        whole = filled(path, [content])
        parts.append(whole[before:])
        before = len(whole)
    return parts


@pytest.mark.parametrize(
    "kept", [(0, 2), (1, 2), (1,), (2,), (0, 0), (0, 2, 1), (1, 0, 2), (0, 1, 2, 2)]
)
def test_whole_frames_out_of_their_place_are_no_crash(
    tmp_path: Path, kept: tuple[int, ...]
) -> None:
    parts = frames(tmp_path / "log", b"first", b"second", b"third")
    (tmp_path / "log").write_bytes(b"".join(parts[number] for number in kept))
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        read(tmp_path / "log")


def test_a_full_disk_leaves_no_half_of_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    log = AppendLog(path)
    log.append([b"first"])
    size = path.stat().st_size
    real = os.write

    def full(handle: int, data: memoryview) -> int:
        real(handle, bytes(data)[:7])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.durable.os.write", full)
        with pytest.raises(OSError, match="No space"):
            log.append([b"second"])
    assert path.stat().st_size == size
    log.append([b"third"])
    log.close()
    assert read(path) == [b"first", b"third"]


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
