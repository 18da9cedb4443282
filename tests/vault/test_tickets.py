"""Is a request answered once, and an enterprise not too often?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.errors import Refusal, Tampered, Unavailable
from saferoom.vault.tickets import MOST_A_DAY, Tickets
from tests import factories as make
from tests.vault.room import CODES, SmallRoom

ONE, TWO = CODES[:2]


def test_the_same_request_gets_the_very_same_bytes_also_after_a_restart(room: SmallRoom) -> None:
    version = room.file_version()
    first = room.score(version, ONE, TWO)
    assert room.score(version, ONE, TWO).answers == first.answers
    room.restart()
    assert room.score(version, ONE, TWO).answers == first.answers
    assert room.score(version, ONE, TWO, number=1).answers != first.answers


def test_of_equal_requests_at_once_one_is_answered_and_the_others_come_back(
    tmp_path: Path,
) -> None:
    tickets = Tickets(tmp_path, make.NOW)
    ticket, other = make.some_digest(1), make.some_digest(2)
    with tickets.turn(ticket):
        with pytest.raises(Unavailable, match="VAULT_BUSY"), tickets.turn(ticket):
            pass
        with tickets.turn(other):
            pass
    with tickets.turn(ticket):
        pass
    tickets.close()


def test_a_moved_snapshot_is_evaluated_again_three_times_at_most(room: SmallRoom) -> None:
    version = room.file_version()
    seen = [room.score(version, ONE)]
    for _ in range(2):
        room.materialise()
        seen.append(room.score(version, ONE))
    assert len({scored.snapshot for scored in seen}) == 3
    room.materialise()
    with pytest.raises(Refusal, match="REPLAY"):
        room.score(version, ONE)
    room.restart()
    with pytest.raises(Refusal, match="REPLAY"):
        room.score(version, ONE)


def test_a_later_grant_is_evaluated_without_repeating_the_others(room: SmallRoom) -> None:
    version = room.file_version()
    request = room.request(version, (ONE, TWO))
    first = room.service.score(request, [room.grant(version, ONE)])
    assert first.refusals == {TWO: "AUTH_MISSING"}
    grants = [room.grant(version, ONE), room.grant(version, TWO)]
    second = room.service.score(request, grants)
    assert second.answers[ONE] == first.answers[ONE]
    assert list(second.answers) == [ONE, TWO]


def test_an_enterprise_is_evaluated_so_often_a_day_also_across_restarts(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path, make.NOW)
    for number in range(MOST_A_DAY):
        assert tickets.reserve([ONE, f"other {number}"], make.NOW) == set()
        ticket = make.some_digest(number)
        tickets.record(ticket, make.some_digest("s"), {ONE: b"x"}, make.NOW)
    assert tickets.reserve([ONE, TWO], make.NOW) == {ONE}
    tickets.close()
    again = Tickets(tmp_path, make.NOW)
    assert again.reserve([ONE, TWO], make.NOW) == {ONE}
    tomorrow = make.NOW.replace(day=21)
    assert again.reserve([ONE], tomorrow) == set()
    again.close()


def test_what_gave_nothing_does_not_count(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path, make.NOW)
    for _ in range(MOST_A_DAY + 5):
        assert tickets.reserve([ONE], make.NOW) == set()
        tickets.release([ONE])
    tickets.close()


def test_old_journals_go_and_yesterdays_stays(tmp_path: Path) -> None:
    for day in ("2026-11-17", "2026-11-19"):
        (tmp_path / f"tickets-{day}.log").write_bytes(b"")
    Tickets(tmp_path, make.NOW).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tickets-2026-11-19.log", "tickets-2026-11-20.log"]


def test_the_cap_refuses_one_enterprise_and_not_the_others(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saferoom.vault.tickets.MOST_A_DAY", 1)
    version = room.file_version()
    room.score(version, ONE)
    scored = room.score(version, ONE, TWO, number=1)
    assert scored.refusals == {ONE: "RATE_CAP"}
    assert list(scored.answers) == [TWO]


def test_an_evaluation_counts_also_where_its_answer_was_lost(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = room.file_version()
    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.tickets.MOST_A_DAY", 1)
        patched.setattr(Tickets, "record", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            room.score(version, ONE)
    monkeypatch.setattr("saferoom.vault.tickets.MOST_A_DAY", 1)
    assert room.score(version, ONE, number=1).refusals == {ONE: "RATE_CAP"}


def test_what_no_cage_saw_does_not_count(room: SmallRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    version = room.file_version()
    monkeypatch.setattr("saferoom.vault.tickets.MOST_A_DAY", 1)
    with monkeypatch.context() as patched:
        patched.setattr(type(room.service._snapshots.current), "rows", _broken)
        with pytest.raises(Tampered):
            room.score(version, ONE)
    assert list(room.score(version, ONE).answers) == [ONE]


def _broken(*_: object) -> None:
    raise Tampered("CONTENT_CHANGED")


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_day_that_cannot_begin_leaves_the_last_one_s_journal_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets, tomorrow = Tickets(tmp_path, make.NOW), make.NOW + timedelta(days=1)
    ticket, snapshot = make.some_digest(1), make.some_digest("s")
    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.tickets.AppendLog", full)
        with pytest.raises(OSError, match="No space"):
            tickets.reserve([ONE], tomorrow)
    tickets.record(ticket, snapshot, {ONE: b"x"}, make.NOW)
    assert tickets.answered(ticket, snapshot) == {ONE: b"x"}
    assert tickets.reserve([ONE], tomorrow) == set()
    assert tickets.answered(ticket, snapshot) == {}
    tickets.close()


def test_an_erasure_on_a_full_disk_leaves_a_journal_that_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = Tickets(tmp_path, make.NOW)
    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.tickets.AppendLog", full)
        with pytest.raises(OSError, match="No space"):
            tickets.erase(lambda code: code == ONE)
    ticket, snapshot = make.some_digest(1), make.some_digest("s")
    tickets.record(ticket, snapshot, {TWO: b"x"}, make.NOW)
    tickets.close()
    again = Tickets(tmp_path, make.NOW)
    assert again.answered(ticket, snapshot) == {TWO: b"x"}
    again.close()
