"""The file sink keeps what it acknowledged and acknowledges only what it keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from saferoom.adapters import append_file
from saferoom.adapters.sinks import FileSink, open_sinks
from saferoom.errors import BadInput, Tampered, Unavailable

FIRST, SECOND = ("e1", b"leaf 1"), ("e2", b"leaf 2")


def stored(path: Path) -> list[tuple[str, bytes]]:
    return list(FileSink(path).entries())


def test_entries_stand_in_order(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "sink" / "entries.log")
    assert sink.name == "file"
    assert list(sink.entries()) == []
    sink.append([FIRST])
    sink.append([SECOND, FIRST])
    assert list(sink.entries()) == [FIRST, SECOND, FIRST]  # a duplicate shows by its id
    sink.close()
    sink.close()
    assert (tmp_path / "sink/entries.log").read_text().splitlines()[0] == (
        '{"id":"e1","leaf":"6c6561662031"}'
    )


def test_one_sync_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FileSink(tmp_path / "log")
    sink.append([FIRST])
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    sink.append([FIRST, SECOND] * 50)
    assert len(synced) == 1
    sink.close()


@pytest.mark.parametrize("cut", range(1, 20))
def test_torn_last_line_is_cut_on_restart(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.append([FIRST, SECOND])
    sink.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert stored(path) == [FIRST]
    again = FileSink(path)
    again.append([SECOND])
    again.close()
    assert stored(path) == [FIRST, SECOND]


def test_long_torn_line_is_cut_on_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_file, "_BLOCK", 16)
    path = tmp_path / "log"
    for before in (b"", b'{"id":"e1","leaf":"6c6561662031"}\n'):
        path.write_bytes(before + b"x" * 100)
        sink = FileSink(path)
        sink.append([SECOND])
        sink.close()
        assert stored(path) == ([FIRST] if before else []) + [SECOND]


@pytest.mark.parametrize("broken", ["fdatasync", "pwrite"])
def test_failed_write_is_not_acknowledged_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.append([FIRST])

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, broken, fail)
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                sink.append([SECOND])
            assert caught.value.code == "SINK_UNAVAILABLE"
    sink.append([SECOND])
    sink.close()
    assert stored(path) == [FIRST, SECOND]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: real(file, data[:3], at))
    sink = FileSink(tmp_path / "log")
    sink.append([FIRST, SECOND])
    sink.close()
    assert stored(tmp_path / "log") == [FIRST, SECOND]


def test_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        FileSink(tmp_path / "file" / "log").append([FIRST])


@pytest.mark.parametrize("line", [b"{}\n", b"nonsense\n", b'{"id":"x","leaf":"zz"}\n', b"[]\n"])
def test_line_that_is_no_entry_is_noticed(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "log").write_bytes(line)
    with pytest.raises(Tampered):
        stored(tmp_path / "log")


def test_sink_that_lost_what_it_acknowledged_stays_unavailable(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.append([FIRST])
    sink.close()
    path.unlink()
    for _ in range(2):
        with pytest.raises(Unavailable):
            sink.append([SECOND])


def test_two_programs_append_to_one_file(tmp_path: Path) -> None:
    """The API offers what it releases, a worker apart what a crash left."""
    path = tmp_path / "log"
    api, worker = FileSink(path), FileSink(path)
    for number in range(20):
        (api if number % 2 else worker).append([(f"e{number}", b"leaf")])
    api.append([FIRST])
    assert [one for one, _ in stored(path)] == [*(f"e{n}" for n in range(20)), "e1"]
    path.write_bytes(path.read_bytes() + b'{"id":"torn')
    worker.append([SECOND])
    assert stored(path)[-2:] == [FIRST, SECOND]
    api.close()
    worker.close()


def test_a_file_that_was_taken_away_while_it_was_open_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.append([FIRST])
    path.unlink()
    with pytest.raises(Unavailable):
        sink.append([SECOND])


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_the_newest_are_read_from_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(append_file, "_BLOCK", 16)
    sink = FileSink(tmp_path / "log")
    assert sink.newest(most) == []
    sink.append([FIRST, SECOND, ("e3", b"")])
    sink.close()
    with (tmp_path / "log").open("ab") as file:
        file.write(b"torn")
    assert sink.newest(most) == ["e1", "e2", "e3"][-most:]


def test_the_tail_stands_beside(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "sink" / "entries.log")
    assert list(sink.kept("tail")) == []
    sink.keep("tail", [b"one", b"two"])
    sink.append([FIRST])
    sink.keep("tail", [b"three"])
    sink.close()
    assert list(sink.kept("tail")) == [b"one", b"two", b"three"]
    assert (sink.last("tail"), sink.last("places")) == (b"three", None)
    assert list(sink.entries()) == [FIRST]


@pytest.mark.parametrize(
    "named",
    [
        "", "file,", "file,file", "files", "file://relative", "file://host/path", "folder://x",
        "folder:relative", "syslog://", "syslog:///x", "syslog://h:port", "http://h", "FILE",
    ],
)  # fmt: skip  # a table
def test_a_sink_that_is_none_is_refused(tmp_path: Path, named: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_sinks(named, tmp_path)
    assert caught.value.code == "SETTING_INVALID"


def test_each_sink_of_the_setting_is_opened(tmp_path: Path) -> None:
    named = f"file, file://{tmp_path}/disk,folder://{tmp_path}/worm,syslog://h,syslog+tls://h:9"
    opened = open_sinks(named, tmp_path)
    assert [one.name for one in opened] == ["file", "file 2", "folder", "syslog", "syslog+tls"]
    opened[1].append([FIRST])
    assert (tmp_path / "disk" / "entries.log").exists()
    with pytest.raises(BadInput):
        open_sinks("syslog+tls://h", tmp_path, tmp_path / "nothing.pem")
    for one in opened:
        one.close()
