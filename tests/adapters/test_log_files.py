"""The log's folder: the same bytes after any crash, and nothing bent goes unnoticed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from saferoom.adapters import log_files
from saferoom.adapters.log_files import LogFiles
from saferoom.errors import BadInput, Conflict, Tampered, Unavailable
from saferoom.tlog import merkle
from saferoom.tlog.checkpoint import read_note
from saferoom.tlog.merkle import leaf_hash
from saferoom.tlog.proof import check_consistency, check_inclusion
from tests.tlog.small_log import LOG_KEY, NEXT_KEY, ORIGIN


def leaves(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def opened(folder: Path) -> LogFiles:
    return LogFiles(folder, ORIGIN, [LOG_KEY])


def tree(folder: Path) -> dict[str, bytes]:
    """Everything that is served: the staging folder is not."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".new" not in path.parts
    }


def test_empty_log_has_a_checkpoint_and_no_files(tmp_path: Path) -> None:
    log = opened(tmp_path / "log")
    assert log.size == 0
    assert read_note(log.checkpoint()).checkpoint.root == merkle.EMPTY_ROOT
    assert tree(tmp_path) == {}
    assert log.extend(0, []) == log.checkpoint()
    assert tree(tmp_path / "log").keys() == {"checkpoint"}


def test_log_grows_publishes_and_opens_again(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for first, last in ((0, 1), (1, 4), (4, 300), (300, 700)):
        note = log.extend(first, leaves(last)[first:])
        published = read_note(note).checkpoint
        assert (published.size, published.root) == (last, merkle.root(leaves(last)))
        again = opened(tmp_path)
        assert (again.size, again.checkpoint()) == (last, note)
    assert list(log.entries(0)) == leaves(700)
    assert list(log.entries(257)) == leaves(700)[257:]
    assert list(log.entries(700)) == []


def test_proofs_hold(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.extend(0, leaves(300))
    log.extend(300, leaves(520)[300:])
    for index in (0, 255, 256, 299):
        for size in (300, 520):
            check_inclusion(
                index=index,
                size=size,
                leaf_hash=leaf_hash(leaves(300)[index]),
                proof=log.inclusion(index, size),
                root=merkle.root(leaves(size)),
            )
    check_consistency(
        old_size=300,
        new_size=520,
        old_root=merkle.root(leaves(300)),
        new_root=merkle.root(leaves(520)),
        proof=log.consistency(300, 520),
    )


def test_partial_tiles_go_when_the_full_one_stands(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for size in (1, 2, 3):
        log.extend(size - 1, leaves(size)[size - 1 :])
    assert (tmp_path / "tile/0/000.p/2").exists()
    log.extend(3, leaves(256)[3:])
    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert (tmp_path / "tile/1/000.p/1").exists()
    assert opened(tmp_path).size == 256


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.extend(0, leaves(300))
    before = tree(tmp_path)
    log.extend(0, leaves(300))
    log.extend(250, leaves(300)[250:])
    assert tree(tmp_path) == before
    log.extend(250, leaves(310)[250:])
    assert log.size == 310


def test_gap_and_other_entry_are_refused(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.extend(0, leaves(3))
    before = tree(tmp_path)
    with pytest.raises(Conflict) as caught:
        log.extend(4, [b"x"])
    assert caught.value.code == "STATE"
    with pytest.raises(Tampered):
        log.extend(1, [b"entry 1", b"another", b"entry 3"])
    assert tree(tmp_path) == before
    assert log.size == 3


class Crash(BaseException):
    """The process is gone."""


STEPS = ("_write_synced", "_make_folder", "_sync_folder", "replace")


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> Callable[[], int]:
    """Let the step-th thing that touches the disk fail; return how many were done."""
    done = [0]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            done[0] += 1
            if done[0] == step:
                raise error
            return real(*arguments)

        return call

    for name in STEPS[:3]:
        monkeypatch.setattr(log_files, name, counted(getattr(log_files, name)))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    return lambda: done[0]


@pytest.mark.parametrize("start", [0, 250])
def test_crash_at_any_step_is_healed(tmp_path: Path, start: int) -> None:
    expected = tmp_path / "expected"
    opened(expected).extend(0, leaves(600))
    step, finished = 0, False
    while not finished:
        step += 1
        folder = tmp_path / str(step)
        if start:
            opened(folder).extend(0, leaves(start))
        with pytest.MonkeyPatch.context() as patched:
            log = opened(folder)
            done = crash_at(patched, step, Crash())
            with contextlib.suppress(Crash):
                log.extend(start, leaves(600)[start:])
            finished = done() < step
        again = opened(folder)
        assert again.size in {start, 600}
        note = again.extend(again.size, leaves(600)[again.size :])
        assert note == opened(expected).checkpoint()
        healed = tree(folder)
        assert {path: healed[path] for path in tree(expected)} == tree(expected)
    assert step > 10


def test_torn_staged_file_never_shows(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.extend(0, leaves(3))
    for number in range(9):
        (tmp_path / ".new" / str(number)).write_bytes(b"torn")
    log.extend(3, leaves(5)[3:])
    assert opened(tmp_path).size == 5


def test_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    note = log.extend(0, leaves(3))
    with monkeypatch.context() as patched:
        crash_at(patched, 2, OSError(28, "No space left on device"))
        with pytest.raises(Unavailable) as caught:
            log.extend(3, leaves(5)[3:])
    assert caught.value.code == "SINK_UNAVAILABLE"
    assert (log.size, log.checkpoint()) == (3, note)
    log.extend(3, leaves(5)[3:])
    assert opened(tmp_path).size == 5


@pytest.mark.parametrize("path", ["tile/0/000.p/9", "tile/entries/000.p/9", "checkpoint"])
def test_bent_folder_is_not_opened(tmp_path: Path, path: str) -> None:
    opened(tmp_path).extend(0, leaves(9))
    file = tmp_path / path
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises((Tampered, BadInput)):
        opened(tmp_path)


def test_changed_hash_is_noticed(tmp_path: Path) -> None:
    opened(tmp_path).extend(0, leaves(9))
    file = tmp_path / "tile/0/000.p/9"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(Tampered) as caught:
        opened(tmp_path)
    assert caught.value.code == "CONTENT_CHANGED"


def test_checkpoint_that_is_no_text_or_of_another_log_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).extend(0, leaves(9))
    with pytest.raises(Tampered):
        LogFiles(tmp_path, "other.example/log", [LOG_KEY])
    (tmp_path / "checkpoint").write_bytes(b"\xff\xfe")
    with pytest.raises(Tampered):
        opened(tmp_path)


def test_rotated_key_signs_the_same_log(tmp_path: Path) -> None:
    opened(tmp_path).extend(0, leaves(9))
    rotated = LogFiles(tmp_path, ORIGIN, [LOG_KEY, NEXT_KEY])
    assert len(read_note(rotated.extend(9, [])).signatures) == 2


def test_files_are_readable_by_all(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        opened(tmp_path).extend(0, leaves(1))
    finally:
        os.umask(mask)
    assert (tmp_path / "checkpoint").stat().st_mode & 0o777 == 0o644


def test_other_processes_see_what_was_published(tmp_path: Path) -> None:
    reader, writer = opened(tmp_path), opened(tmp_path)
    note = writer.extend(0, leaves(300))
    assert (reader.size, reader.checkpoint()) == (300, note)
    assert reader.extend(290, leaves(310)[290:]) == writer.checkpoint()
    assert writer.size == 310


def test_published_log_never_shrinks(tmp_path: Path) -> None:
    slow, fast = opened(tmp_path), opened(tmp_path)
    fast.extend(0, leaves(300))
    assert slow.extend(0, leaves(10)) == fast.checkpoint()
    assert slow.size == 300
