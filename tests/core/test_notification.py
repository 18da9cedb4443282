from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.app import notices
from saferoom.core.log_events import KINDS
from saferoom.core.notification import MOST_ATTEMPTS, WORDS, Told, compose, pause_after


def test_there_are_words_for_every_kind_of_notice() -> None:
    names = {name: "x" for kind in KINDS.values() for name in (*kind.committed, *kind.record)}
    found = {
        what
        for kind in KINDS
        for replaces in (None, "key")
        for _, what, _ in notices.concerned(kind, "x", {**names, "replaces": replaces}, ["x"])
    }
    assert found == WORDS.keys()


def test_what_concerns_all_is_a_notice_to_nobody() -> None:
    told = {"by": "zhao", "role": "operator", "what": "ledger"}
    assert not [*notices.concerned("looked_up", "zhao", {**told, "enterprise": None}, [])]
    one = [*notices.concerned("looked_up", "x", {**told, "enterprise": "x"}, [])]
    assert one == [("x", "looked_up", -1)]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from(sorted(WORDS))), min_size=1))
def test_a_message_says_how_many_of_which_kind_and_nothing_else(
    drawn: list[tuple[int, str]],
) -> None:
    told = [Told(number, kind) for number, kind in sorted(drawn)]
    message = compose("room.test", told)
    assert message == compose("room.test", told)
    for kind in {one.kind for one in told}:
        count = sum(one.kind == kind for one in told)
        assert f"- {WORDS[kind][0]} / {WORDS[kind][1]}: {count}\n" in message.body
    assert f"--after {told[0].number - 1}\n" in message.body
    assert str(len(told)) in message.subject


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 2), (5, 16), (10, 360), (99, 360)])
def test_pauses_double_up_to_six_hours(attempts: int, minutes: int) -> None:
    assert pause_after(attempts) == timedelta(minutes=minutes)


def test_attempts_go_on_for_more_than_a_day() -> None:
    assert sum((pause_after(n) for n in range(1, MOST_ATTEMPTS)), timedelta()) > timedelta(days=1)
