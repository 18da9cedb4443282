"""Does a story end where a step did not really happen?"""

from __future__ import annotations

import pytest
from rich.console import Console

from saferoom.demo.steps import NotHappened, Play, Told, check, refused_with
from saferoom.errors import Refusal


def test_a_step_is_remembered_with_what_it_released() -> None:
    play = Play(quiet=True)
    play.step("a score", lambda: Told("grade A", released=1, charged_mbit=4000))
    done = play.done[0].to_json()
    assert (done["step"], done["released"], done["charged_mbit"]) == (1, 1, 4000)
    console = Console(width=120, record=True)
    console.print(play.table())
    assert "grade A" in console.export_text()


def test_an_effect_that_is_missing_ends_the_story() -> None:
    play = Play(quiet=True)
    with pytest.raises(NotHappened, match="a score: the ledger bears it"):
        play.step("a score", lambda: _told_if(holds=False))
    assert play.done == []


def test_a_refusal_that_was_not_expected_ends_the_story() -> None:
    def act() -> Told:
        raise Refusal("ROLE")

    with pytest.raises(NotHappened, match="ROLE"):
        Play(quiet=True).step("a vote", act)


def test_an_expected_refusal_must_come_with_its_code() -> None:
    with refused_with("SELF_APPROVE") as codes:
        raise Refusal("SELF_APPROVE")
    assert codes == ["SELF_APPROVE"]
    with pytest.raises(NotHappened, match="ROLE"), refused_with("SELF_APPROVE"):
        raise Refusal("ROLE")
    with pytest.raises(NotHappened, match="was not refused"), refused_with("SELF_APPROVE"):
        pass


def _told_if(*, holds: bool) -> Told:
    check(holds, "the ledger bears it")
    return Told("")
