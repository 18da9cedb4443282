"""Every byte of a log is held by something, whatever crashed while it grew."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from saferoom.adapters.log_files import LogFiles
from saferoom.core.log_events import build_entry
from saferoom.errors import SaferoomError, Unavailable
from saferoom.tlog.merkle import MemoryReader, inclusion_proof, leaf_hash, root
from saferoom.tlog.proof import check_inclusion
from tests.monitor import tale
from tests.monitor.tale import LOG_KEY, NOW, ORIGIN, Told
from tests.tlog.small_log import counting, release


def grown(folder: Path, least_bytes: int) -> Told:
    """A log of releases of at least so many bytes of entries."""
    source = counting()
    leaves: list[bytes] = []
    while sum(map(len, leaves)) < least_bytes:
        leaves += [release(source, ("9999000100000000AA",)).leaf for _ in range(20)]
    LogFiles(folder / "log", ORIGIN, [LOG_KEY]).extend(0, leaves)
    told = Told(folder, [], tale.trust())
    told.bytes_of_leaves = leaves
    return told


def flips_against_their_path(leaves: list[bytes], step: int) -> tuple[int, int]:
    """Flip one byte after another, each against its own entry and path; (tried, noticed)."""
    reader, size, head = MemoryReader(leaves), len(leaves), root(leaves)
    tried = noticed = 0
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(reader, index, size)
        check_inclusion(index=index, size=size, leaf_hash=leaf_hash(leaf), proof=proof, root=head)
        for at in range(index % step, len(leaf), step):
            changed = leaf_hash(leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :])
            tried += 1
            try:
                check_inclusion(index=index, size=size, leaf_hash=changed, proof=proof, root=head)
            except SaferoomError:
                noticed += 1
    return tried, noticed


def flips_against_the_log(told: Told, count: int) -> int:
    """Flip random bytes of any file, one at a time, each against the whole log."""
    choice, noticed = random.Random(7), 0
    files = sorted(path for path in (told.folder / "log").rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    for _ in range(count):
        path = choice.choices(files, sizes)[0]
        data = path.read_bytes()
        at, mask = choice.randrange(len(data)), choice.randint(1, 255)
        path.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
        noticed += bool(told.visit(openings=None, memory=None))
        path.write_bytes(data)
    return noticed


def test_flipped_bytes_are_noticed(tmp_path: Path) -> None:
    told = grown(tmp_path, 20_000)
    tried, noticed = flips_against_their_path(told.bytes_of_leaves, 1)
    assert tried == noticed >= 20_000
    assert flips_against_the_log(told, 20) == 20
    assert told.visit(openings=None, memory=None) == []


@pytest.mark.long
def test_every_byte_of_a_megabyte_is_noticed(tmp_path: Path) -> None:
    told = grown(tmp_path, 2**20)
    tried, noticed = flips_against_their_path(told.bytes_of_leaves, 1)
    assert tried == noticed >= 2**20
    assert flips_against_the_log(told, 1_000) == 1_000
    assert told.visit(openings=None, memory=None) == []


class Crash(BaseException):
    """The machine stops here."""


def crashes(folder: Path, appends: int, crashes: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Append, crash at random steps, open again; return how many alarms a monitor raised."""
    choice, source = random.Random(3), counting()
    leaves = [
        build_entry("token_issued", {}, {"holder": str(n)}, NOW, source).leaf
        for n in range(appends)
    ]
    told, alarms, done = Told(folder, [], tale.trust()), 0, 0
    sync = os.fsync
    stops = sorted(choice.sample(range(appends), crashes))
    while done < appends:
        files = LogFiles(folder / "log", ORIGIN, [LOG_KEY])
        assert files.size >= done or done == 0
        done = files.size
        crash = bool(stops) and stops[0] <= done
        size = min(appends - done, choice.randint(1, 2 * appends // crashes))
        if crash:
            stops.pop(0)
            left = [choice.randint(0, 8)]

            def stop(descriptor: int, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise Crash
                sync(descriptor)

            monkeypatch.setattr(os, "fsync", stop)
        try:
            files.extend(done, leaves[done : done + size])
        except (Crash, Unavailable):
            pass
        finally:
            monkeypatch.setattr(os, "fsync", sync)
        if crash:
            alarms += len(told.visit(openings=None))
    assert root(leaves) == LogFiles(folder / "log", ORIGIN, [LOG_KEY])._now().frontier.root()
    return alarms + len(told.visit(openings=None))


def test_no_false_alarm_after_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LogFiles(tmp_path / "log", ORIGIN, [LOG_KEY]).extend(0, [])
    assert crashes(tmp_path, 2_000, 4, monkeypatch) == 0


@pytest.mark.long
def test_no_false_alarm_in_a_hundred_thousand_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LogFiles(tmp_path / "log", ORIGIN, [LOG_KEY]).extend(0, [])
    assert crashes(tmp_path, 100_000, 100, monkeypatch) == 0
