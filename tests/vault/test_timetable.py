"""When is a snapshot due, whatever the data are?"""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from saferoom.core.moment import write_instant
from saferoom.errors import BadInput
from saferoom.vault.housekeeper import keeping_house
from saferoom.vault.timetable import BY_ORDER, Timetable, read_timetable
from tests.vault.room import SmallRoom

NIGHT = datetime(2026, 11, 19, 18, 0, tzinfo=UTC)  # 02:00 of the 20th in Shanghai
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "published", "due"),
    [
        (NIGHT - timedelta(seconds=1), NIGHT - 23 * HOUR, None),
        (NIGHT, NIGHT - 24 * HOUR, date(2026, 11, 19)),
        (NIGHT, NIGHT, None),
        (NIGHT + HOUR, NIGHT + timedelta(seconds=9), None),
        (NIGHT + 50 * HOUR, NIGHT, date(2026, 11, 21)),  # once for all that was missed
        (NIGHT, None, None),  # a new vault waits for its first time
        (NIGHT + 23 * HOUR, None, None),
        (NIGHT + 24 * HOUR, None, date(2026, 11, 20)),
    ],
)
def test_due_at_its_time_of_the_day_before(
    now: datetime, published: datetime | None, due: date | None
) -> None:
    assert read_timetable("02:00", NIGHT).due(now, published) == due


def test_several_times_and_none() -> None:
    twice = read_timetable("02:00, 14:00", NIGHT)
    assert twice.due(NIGHT + 12 * HOUR, NIGHT) == date(2026, 11, 19)
    assert read_timetable("", NIGHT) == Timetable((), NIGHT)
    assert BY_ORDER.due(NIGHT, None) is None


@pytest.mark.parametrize("text", ["2", "26:00", "02:00+01:00", "noon"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="SETTING_INVALID"):
        read_timetable(text, NIGHT)


def test_a_vault_publishes_by_its_timetable_and_only_then(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = room.materialise()
    monkeypatch.setattr(room.service, "_timetable", read_timetable("02:00", room.now))
    room.service.keep_house()
    assert room.service._snapshots.current is not None
    assert room.service._snapshots.current.digest == first.digest
    room.later(days=1)
    room.service.keep_house()
    made = room.service._snapshots.current
    assert made.digest != first.digest
    assert made.manifest.as_of == "2026-11-20"
    assert made.manifest.published_at == write_instant(room.now)
    room.service.keep_house()
    assert room.service._snapshots.current.digest == made.digest


def test_a_vault_without_approved_views_publishes_nothing(
    bare: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bare.service, "_timetable", read_timetable("02:00", bare.now))
    bare.later(days=1)
    bare.service.keep_house()
    assert bare.service._snapshots.current is None


def test_orders_wait_for_the_vault_s_own_work(room: SmallRoom) -> None:
    with room.service._obedience.turn(tidying=True):
        waiting = threading.Thread(target=room.materialise)
        waiting.start()
        waiting.join(timeout=0.2)
        assert waiting.is_alive()
    waiting.join()
    assert room.service._snapshots.current is not None


def test_housekeeping_goes_on_after_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    kept, again = [], threading.Event()

    def keep() -> None:
        kept.append(1)
        if len(kept) > 1:
            again.set()
        raise ValueError("some value")

    with keeping_house(keep, pause=0.01):
        assert again.wait(10)
    told = capfd.readouterr().err
    assert "ValueError" in told
    assert "some value" not in told


def test_what_came_in_is_settled_by_and_by(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saferoom.vault.upkeep.MOST_UNSETTLED", 1)
    assert any(part.cell is None for part in room.service._facts.manifest.parts)
    for _ in range(20):
        room.service.keep_house()
    unsettled = [part for part in room.service._facts.manifest.parts if part.cell is None]
    assert sum(part.rows for part in unsettled) <= len({part.bucket for part in unsettled})
