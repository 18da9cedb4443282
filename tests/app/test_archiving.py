"""Old openings leave the line for a signed archive, and in the end nobody opens them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.archive_folder import ArchiveFolder
from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.tail_keys import TailKeyFile, write_seed
from saferoom.app import archiving, receipts
from saferoom.app.shredding import shred
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.cli.main import run
from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.crypto.ratchet import Ratchet
from saferoom.errors import SaferoomError, Tampered
from saferoom.monitor.archives import check_archive, check_places
from saferoom.monitor.places import open_log
from saferoom.monitor.trusted import Trusted, read_trusted
from tests import factories as f
from tests.app.test_witnessing import trust_of
from tests.app.world import World, bank, code, ready_world

MOST = 20


@pytest.fixture
def world(database: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(archiving, "MOST_ENTRIES", MOST)
    made = ready_world(database, tmp_path, enterprises=2)
    made.room = replace(made.room, archives=folder(tmp_path))
    made.score(made.request(code(1), code(2)))
    made.settle()
    return made


def folder(tmp_path: Path) -> ArchiveFolder:
    (tmp_path / "keys").mkdir(exist_ok=True)
    return ArchiveFolder(tmp_path / "archive", tmp_path / "keys" / "archive")


def trusted(world: World) -> Trusted:
    return read_trusted(trust_of(world, quorum=0, names=()).to_bytes())


def online(world: World) -> int:
    with reading(world.room.database) as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(t.opening)) or 0)


def archived_values(world: World, tmp_path: Path) -> str:
    """Check every archive from outside; return all that they open, as text."""
    found, read = folder(tmp_path), []
    for name in found.names():
        key = found.key(name)
        assert key is not None
        archive = check_archive(found.read(name), key, trusted(world))
        check_places(archive, open_log(str(tmp_path)), world.room.log.size)
        read.append(str(archive.lines))
    return "".join(read)


def test_nothing_leaves_before_its_time(world: World) -> None:
    """Written in November 2026: the month ends, then a year and a day go by."""
    before = online(world)
    world.later(days=366 + 10)
    assert archiving.keep(world.room) == 0
    assert online(world) == before


def test_what_is_old_goes_into_an_archive_that_an_outsider_can_check(
    world: World, tmp_path: Path
) -> None:
    (line,) = world.score().results
    world.settle()
    size = world.room.log.size
    world.later(days=366 + 11)
    assert archiving.keep(world.room) == -(-size // MOST) > 1
    assert code(2) in archived_values(world, tmp_path)
    world.settle()
    assert world.count(t.entry, kind="archived") == -(-size // MOST)
    data = b"".join(path.read_bytes() for path in (tmp_path / "archive").iterdir())
    assert code(2).encode() not in data
    assert code(2).encode().hex().encode() not in data
    receipt = receipts.get(world.room, bank(), str(line.receipt))
    shown = check_receipt(receipt, trust_of(world, quorum=0, names=()), check_papers=check_papers)
    assert "bank" not in shown.opened  # closed here, and still proven
    assert online(world) == world.count(t.entry, kind="archived")  # what was written since
    with reading(world.room.database) as connection:
        left = set(connection.scalars(sa.select(t.subject_key.c.subject)))
    assert left == {world.room.origin}


def test_it_is_done_once(world: World, tmp_path: Path) -> None:
    world.later(days=400)
    assert archiving.keep(world.room)
    before = {path: path.read_bytes() for path in (tmp_path / "archive").iterdir()}
    world.settle()
    assert archiving.keep(world.room) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "archive").iterdir()} == before


def test_two_months_are_two_archives(world: World, tmp_path: Path) -> None:
    world.later(days=31)
    world.score()
    world.settle()
    world.later(days=366)
    archiving.keep(world.room)
    assert {name[:7] for name in folder(tmp_path).names()} == {"2026-11"}
    world.later(days=31)
    archiving.keep(world.room)
    assert {name[:7] for name in folder(tmp_path).names()} == {"2026-11", "2026-12"}


def test_in_the_end_nobody_opens_it_and_the_log_is_the_same(world: World, tmp_path: Path) -> None:
    world.later(days=400)
    archiving.keep(world.room)
    world.settle()
    found, size = folder(tmp_path), world.room.log.size
    leaves, names = [*world.room.log.entries(0)], found.names()
    world.later(days=1_096 + 10 - 400)
    archiving.keep(world.room)
    assert None not in [found.key(name) for name in names]
    world.later(days=1)
    archiving.keep(world.room)
    assert [found.key(name) for name in names] == [None] * len(names)
    archiving.keep(world.room)
    world.settle()
    assert [*world.room.log.entries(0)][:size] == leaves
    assert world.count(t.entry, kind="archive_closed") == len(names)  # each once


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_on_the_way_is_healed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    world.later(days=400)
    before = online(world)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if when == "before":
            patch.setattr(ArchiveFolder, "put", dies)
        else:
            patch.setattr(archiving, "_leave_line", dies)
        with pytest.raises(KeyboardInterrupt):
            archiving.keep(world.room)
    assert online(world) == before
    archiving.keep(world.room)
    world.settle()
    names = folder(tmp_path).names()
    assert world.count(t.entry, kind="archived") == len(names)
    assert code(2) in archived_values(world, tmp_path)


def test_what_was_shredded_is_closed_in_the_archive_too(world: World, tmp_path: Path) -> None:
    with writing(world.room.database) as connection:
        shred(connection, code(2))
    world.later(days=400)
    archiving.keep(world.room)
    assert code(2) not in archived_values(world, tmp_path)
    assert code(1) in archived_values(world, tmp_path)


def flip(data: bytes) -> bytes:
    at = data.index(b'"sealed":"', data.index(b'"sealed":"') - 1) + 14
    return data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :]


def other_month(data: bytes) -> bytes:
    return data.replace(b"2026-11", b"2026-10")


def no_lines(data: bytes) -> bytes:
    body = parse_object(data)
    del body["sealed"]
    return canonical_bytes(body)


@pytest.mark.parametrize("change", [flip, other_month, no_lines, lambda data: b"{}"])
def test_a_changed_archive_is_noticed(
    world: World, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    world.later(days=400)
    archiving.keep(world.room)
    found = folder(tmp_path)
    name = found.names()[0]
    key = found.key(name)
    assert key is not None
    with pytest.raises(SaferoomError):
        check_archive(change(found.read(name)), key, trusted(world))
    with pytest.raises(Tampered):
        check_archive(found.read(name), bytes(32), trusted(world))
    others = replace(trusted(world), origin="another.example/log")
    with pytest.raises(Tampered):
        check_archive(found.read(name), key, others)
    with pytest.raises(Tampered):
        check_archive(found.read(name), key, replace(trusted(world), log_keys=()))


def test_an_archive_of_another_log_has_no_place_here(world: World, tmp_path: Path) -> None:
    world.later(days=400)
    archiving.keep(world.room)
    found = folder(tmp_path)
    name = found.names()[0]
    key = found.key(name)
    assert key is not None
    archive = check_archive(found.read(name), key, trusted(world))
    with pytest.raises(Tampered):
        check_places(archive, open_log(str(tmp_path)), 3)
    swapped = [{**archive.lines[0], "leaf": archive.lines[1]["leaf"]}, *archive.lines[1:]]
    with pytest.raises(Tampered):
        check_places(replace(archive, lines=swapped), open_log(str(tmp_path)), MOST)


def test_the_tail_s_keys_end_with_their_days(world: World, tmp_path: Path) -> None:
    day = f.NOW.toordinal()
    write_seed(tmp_path / "keys" / "tail.key", Ratchet(day, b"\5" * 32))
    keys = TailKeyFile(tmp_path / "keys" / "tail.key")
    later = keys.key(day + 40)
    world.room = replace(world.room, tail_keys=keys, tail_days=35)
    world.now += timedelta(days=35)
    archiving.keep(world.room)
    assert keys.key(day) is not None
    world.now += timedelta(days=1)
    archiving.keep(world.room)
    again = TailKeyFile(tmp_path / "keys" / "tail.key")
    for one in (keys, again):
        assert one.key(day) is None
        assert one.key(day + 40) == later


def test_the_command_checks_an_archive_without_the_room(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.later(days=400)
    archiving.keep(world.room)
    name = folder(tmp_path).names()[0]
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_of(world, quorum=0, names=()).to_bytes())
    words = ["audit", "archive", str(tmp_path / "archive" / f"{name}.json")]
    words += ["--trust", str(trust), "--log", str(tmp_path), "--key"]
    key = str(tmp_path / "keys" / "archive" / f"{name}.key")
    run_to_end([*words, key, "--out", str(tmp_path / "out"), "--json"], 0)
    told = json.loads(capsys.readouterr().out)
    assert told == {"entries": MOST, "month": "2026-11", "opened": MOST}
    assert len((tmp_path / "out").read_bytes().splitlines()) == MOST
    (tmp_path / "wrong").write_text("00" * 32)
    run_to_end([*words, str(tmp_path / "wrong")], 1)
    (tmp_path / "wrong").write_bytes(b"\xff")
    run_to_end([*words, str(tmp_path / "wrong")], 2)
    assert "KEY_FOLDER" in capsys.readouterr().err


def run_to_end(words: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        run(words)
    assert ended.value.code == code
