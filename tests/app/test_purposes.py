"""Is a model that reads more than its purpose needs stopped, or shown to its reviewers?"""

from __future__ import annotations

import dataclasses

import pytest

from saferoom.adapters import cedar
from saferoom.adapters.content import content_folder
from saferoom.app import subjects, versions
from saferoom.core.proposals import PolicyFile, PolicySet
from saferoom.errors import BadInput, Refusal
from tests import factories as f
from tests.app.world import OPERATOR, World

LISTS = """kind = "saferoom/purposes/1"
[[purpose]]
purpose = "credit_approval"
categories = ["registration"]
views = ["tax_grade"]
beyond = "{beyond}"
"""


def _with_lists(text: str) -> PolicySet:
    files = [
        dataclasses.replace(file, text=text) if file.name == "purposes.toml" else file
        for file in cedar.read_policy_set(content_folder("policies")).files
    ]
    return PolicySet(files=tuple(files))


def test_a_surplus_view_is_refused_at_submission_and_stops_what_was_approved(
    world: World,
) -> None:
    assert world.score().results[0].code is None
    world.activate(_with_lists(LISTS.format(beyond="refuse")))
    with pytest.raises(Refusal, match=r"MIN_NECESSARY.*tax_sales_12"):
        world.submit(world.manifest())
    with pytest.raises(Refusal, match="MIN_NECESSARY"):
        world.score()
    fitting = world.manifest(features=("reg_age_m", "tax_grade"))
    world.approve_version(fitting)
    shown = versions.get_version(world.room, OPERATOR, fitting.digest)
    assert shown["findings"]["surplus"] == []  # type: ignore[index, call-overload]


def test_a_flagged_view_is_shown_to_the_reviewers(world: World) -> None:
    world.activate(_with_lists(LISTS.format(beyond="flag")))
    version = world.manifest()
    first = world.submit(version)
    shown = versions.get_version(world.room, OPERATOR, first)
    assert shown["findings"]["surplus"] == ["tax_sales_12"]  # type: ignore[index, call-overload]
    assert world.submit(version) == first
    assert world.score().results[0].code is None


def test_lists_are_part_of_what_two_operators_vote_for(world: World) -> None:
    kept = [one for one in _with_lists("x").files if one.name != "purposes.toml"]
    without = PolicySet(files=tuple(kept))
    assert without.digest != cedar.read_policy_set(content_folder("policies")).digest
    world.activate(without)
    assert world.score().results[0].code is None  # a set without lists asks nothing


@pytest.mark.parametrize("text", ["purpose = 1", "kind =", 'kind = "saferoom/purposes/2"'])
def test_lists_that_cannot_be_read_are_not_put_up_for_votes(world: World, text: str) -> None:
    paper = f.sign(_with_lists(text), "zhao")
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        subjects.propose(world.room, OPERATOR, paper)
    assert cedar.check(_with_lists(text)) != []


def test_a_file_of_another_name_is_no_part_of_a_set() -> None:
    names = {one.name for one in cedar.read_policy_set(content_folder("policies")).files}
    assert names == {"purposes.toml", "saferoom.cedarschema", "scores.cedar"}
    assert PolicyFile(name="purposes.toml", text="x").name in names
