"""A write-once folder gets a new file each time, and notices one that was taken away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from saferoom.adapters.write_once import WriteOnceSink
from saferoom.errors import Tampered, Unavailable

FIRST, SECOND, THIRD = ("e1", b"leaf 1"), ("e2", b"leaf 2"), ("e3", b"leaf 3")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def stored(folder: Path) -> list[str]:
    return [entry for entry, _ in WriteOnceSink(folder).entries()]


def test_each_batch_is_a_file_that_nobody_may_write(tmp_path: Path) -> None:
    sink = WriteOnceSink(tmp_path)
    sink.append([FIRST, SECOND])
    before = {path: path.read_bytes() for path in files(tmp_path)}
    sink.append([THIRD])
    sink.keep("tail", [b"tail"])
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)] == [0o444] * 3
    assert {path: path.read_bytes() for path in before} == before
    assert list(sink.entries()) == [FIRST, SECOND, THIRD]
    assert list(sink.kept("tail")) == [b"tail"]
    assert (sink.last("tail"), sink.last("places")) == (b"tail", None)
    assert sink.newest(1) == ["e3"]
    assert sink.newest(2) == ["e2", "e3"]
    assert sink.newest(9) == ["e1", "e2", "e3"]


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    for entry in (FIRST, SECOND, THIRD):
        WriteOnceSink(tmp_path).append([entry])
    assert stored(tmp_path) == ["e1", "e2", "e3"]


def test_two_programs_share_a_folder(tmp_path: Path) -> None:
    api, worker = WriteOnceSink(tmp_path), WriteOnceSink(tmp_path)
    for number in range(6):
        (api if number % 2 else worker).append([(f"e{number}", b"leaf")])
    assert stored(tmp_path) == [f"e{number}" for number in range(6)]


def test_many_files_stand_in_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saferoom.adapters.write_once.FILES_PER_FOLDER", 2)
    sink = WriteOnceSink(tmp_path)
    for number in range(5):
        sink.append([(f"e{number}", b"")])
    assert stored(tmp_path) == [f"e{number}" for number in range(5)]
    assert len(list((tmp_path / "entries").iterdir())) == 3


@pytest.mark.parametrize("step", ["open", "fsync", "write"])
def test_a_fault_at_any_step_is_not_acknowledged_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sink = WriteOnceSink(tmp_path)
    sink.append([FIRST])

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(os, "fdopen", fail)
        else:
            patch.setattr(os, step, fail)
        with pytest.raises(Unavailable) as caught:
            sink.append([SECOND])
        assert caught.value.code == "SINK_UNAVAILABLE"
    sink.append([SECOND, THIRD])
    assert stored(tmp_path)[-2:] == ["e2", "e3"]
    assert set(stored(tmp_path)) == {"e1", "e2", "e3"}
    WriteOnceSink(tmp_path).append([FIRST])
    assert stored(tmp_path)[-1] == "e1"


@pytest.mark.parametrize("cut", range(1, 18, 4))
def test_a_torn_file_is_left_as_it_is(tmp_path: Path, cut: int) -> None:
    WriteOnceSink(tmp_path).append([FIRST, SECOND])
    (path,) = files(tmp_path)
    torn = path.read_bytes()[:-cut]
    path.chmod(0o644)
    path.write_bytes(torn)
    again = WriteOnceSink(tmp_path)
    again.append([SECOND])
    assert stored(tmp_path) == ["e1", "e2"]
    assert path.read_bytes() == torn


def test_a_file_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    sink = WriteOnceSink(tmp_path)
    for entry in (FIRST, SECOND, THIRD):
        sink.append([entry])
    files(tmp_path)[1].unlink()
    with pytest.raises(Tampered):
        stored(tmp_path)
    with pytest.raises(Unavailable):
        WriteOnceSink(tmp_path).append([FIRST])
    files(tmp_path)[1].unlink()
    with pytest.raises(Unavailable):
        sink.append([FIRST])


def test_it_can_be_asked_whether_it_is_there(tmp_path: Path) -> None:
    WriteOnceSink(tmp_path).append([])
    assert files(tmp_path) == []
    with pytest.raises(Unavailable):
        WriteOnceSink(tmp_path / "away").append([])
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        WriteOnceSink(tmp_path / "file").append([FIRST])
