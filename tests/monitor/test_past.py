"""A log that follows a closed one carries its past, and releases by confirmed grants alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any  # changes of a closing

import pytest

from saferoom.adapters.log_files import LogFiles
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.closing import Closing
from saferoom.core.log_events import Entry
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import Tampered
from saferoom.monitor.trusted import read_trusted
from saferoom.tlog.merkle import leaf_hash, root_of_hashes
from tests import factories as f
from tests.monitor import tale
from tests.monitor.tale import LOG_KEY, NOW, Line, Tale, Told, build, good, granted, released
from tests.tlog.small_log import counting

NEW = "room.test/log-2"
CLOSED_AT, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
LEFT = len(good())
CONFIRMED = f.grant(
    nonce=f.nonce("confirmed"), signed_at=write_instant(LATER), renews=f.grant().digest
)


def closing_of(entries: list[Entry], **changes: Any) -> Statement:
    said: dict[str, Any] = {
        "placed": len(entries),
        "size": len(entries),
        "root": root_of_hashes([leaf_hash(one.leaf) for one in entries]).hex(),
        "seen_size": len(entries) + 3,
        "closed_at": write_instant(CLOSED_AT),
        **changes,
    }
    return f.sign(f.closing(**said), *f.GENESIS)


def first(statement: Statement) -> Line:
    said = {name: statement.body[name] for name in ("origin", "successor", "reason")}
    lost = Closing.from_body(statement.body).lost
    return Line(
        "log_closed",
        {**said, "lost": lost, "by": [*f.GENESIS], "statement": statement.digest},
        {"trust": f.some_digest("new trust"), "closing": statement.digest},
        at=CLOSED_AT,
    )


def follow(folder: Path, after: Tale, *, drop: int = 0, **changes: Any) -> Told:
    """Close a log without complaint, and go on in a new one."""
    source, carried = counting(), good()
    entries = build(carried, source)
    statement = closing_of(entries, **changes)
    head = first(statement)
    kept = len(carried) - drop
    lines = [head, *carried[:kept], *after]
    built = [*build([head], source), *entries[:kept], *build(after, source)]
    told = tale.write(folder, lines, built, NEW)
    return replace(told, trust=replace(told.trust, origin=NEW, closed=(statement,)))


def at(line: Line) -> Line:
    return replace(line, at=LATER)


def visit(told: Told, **changes: object) -> list[str]:
    return told.visit(now=LATER, **changes)


def test_a_past_that_was_left_whole_raises_nothing(tmp_path: Path) -> None:
    assert visit(follow(tmp_path, [])) == []
    (tmp_path / "more").mkdir()
    confirmed = [at(granted(CONFIRMED)), at(released(grant=CONFIRMED.digest))]
    assert visit(follow(tmp_path / "more", confirmed)) == []


def test_a_room_that_forgot_the_suspension_is_caught(tmp_path: Path) -> None:
    assert visit(follow(tmp_path, [at(released())])) == ["RELEASE_UNCONFIRMED"]


def test_what_is_released_at_once_under_the_old_grant_is_caught(tmp_path: Path) -> None:
    """Its hour is the closing's: only its place tells."""
    after = [replace(released(), at=CLOSED_AT)]
    assert visit(follow(tmp_path, after)) == ["RELEASE_UNCONFIRMED"]


def test_an_entry_that_was_left_and_dropped_is_missed(tmp_path: Path) -> None:
    assert "PAST_CHANGED" in visit(follow(tmp_path, [], drop=1))
    (tmp_path / "more").mkdir()
    filled = follow(tmp_path / "more", [at(granted(CONFIRMED))], drop=1)
    assert "PAST_CHANGED" in visit(filled)


def test_a_log_that_begins_otherwise_is_told(tmp_path: Path) -> None:
    told = tale.write(tmp_path, good(), build(good(), counting()), NEW)
    closed = (closing_of(told.entries),)
    other = replace(told, trust=replace(told.trust, origin=NEW, closed=closed))
    assert "PAST_CHANGED" in visit(other)


def test_the_monitor_follows_with_what_it_remembers(tmp_path: Path) -> None:
    entries = build(good(), counting())
    (tmp_path / "old").mkdir()
    old = tale.write(tmp_path / "old", good(), entries)
    memory = tmp_path / "memory.json"
    assert old.visit(memory=memory) == []
    told = follow(tmp_path, [])
    assert visit(told, memory=memory) == []
    assert parse_object(memory.read_bytes())["origin"] == NEW
    assert visit(told, memory=memory) == []


def test_another_past_than_the_one_that_was_watched_is_told(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    wrong = {"kind": "saferoom/monitor/1", "origin": tale.ORIGIN, "seen": {"4": "00" * 32}}
    memory.write_bytes(canonical_bytes(wrong))
    assert visit(follow(tmp_path, []), memory=memory) == ["PAST_CHANGED"]


def test_of_a_second_closing_too_the_first_suspension_holds(tmp_path: Path) -> None:
    source = counting()
    entries = build(good(), source)
    one = closing_of(entries)
    middle = [*build([first(one)], source), *entries, *build([at(released())], source)]
    lines = [first(one), *good(), at(released())]
    two = closing_of(
        middle, origin=NEW, successor="room.test/log-3", closed_at=write_instant(LATER)
    )
    head = replace(first(two), at=LATER)
    told = tale.write(
        tmp_path, [head, *lines], [*build([head], source), *middle], "room.test/log-3"
    )
    trust = replace(told.trust, origin="room.test/log-3", closed=(one, two))
    assert visit(replace(told, trust=trust)) == ["RELEASE_UNCONFIRMED"]


def test_a_closing_that_the_founders_did_not_sign_is_no_trust_file(tmp_path: Path) -> None:
    told = follow(tmp_path, [])
    body = parse_object(told.trust.to_bytes())
    closed = body["closed"]
    assert isinstance(closed, list)
    assert isinstance(closed[0], dict)
    said = closed[0]["body"]
    assert isinstance(said, dict)
    said["reason"] = "another"
    with pytest.raises(Tampered):
        read_trusted(canonical_bytes(body))


def test_a_release_that_was_carried_is_judged_as_it_was(tmp_path: Path) -> None:
    """LogFiles of the new log alone: no second numbering, no other reader."""
    told = follow(tmp_path, [])
    assert LogFiles(tmp_path / "log", NEW, [LOG_KEY]).size == LEFT + 1
    assert told.visited(now=LATER).visit.opened == LEFT + 1
