from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from saferoom.adapters import cedar
from saferoom.adapters.content import content_folder
from saferoom.canonical import Json
from saferoom.core.proposals import PolicyFile, PolicySet
from saferoom.errors import BadInput, NotFound, Refusal

FOLDER = content_folder("policies")
SET = cedar.read_policy_set(FOLDER)
BASE: dict[str, Json] = tomllib.loads((FOLDER / "cases" / "scores.toml").read_text())["base"]


def with_policy(text: str) -> PolicySet:
    schema = next(file for file in SET.files if file.name.endswith(".cedarschema"))
    return PolicySet(files=(PolicyFile(name="one.cedar", text=text), schema))


@pytest.mark.parametrize("result", cedar.test(SET, FOLDER / "cases"), ids=lambda r: r.name)
def test_shipped_case(result: cedar.CaseResult) -> None:
    assert result.passed, result.found


def test_every_shipped_forbid_has_a_case() -> None:
    named = {result.expected for result in cedar.test(SET, FOLDER / "cases")}
    text = (FOLDER / "scores.cedar").read_text()
    ids = {line.split('"')[1] for line in text.splitlines() if line.startswith("@id")}
    assert ids - {"only-scores-leave"} <= named


def test_shipped_set_is_valid() -> None:
    assert cedar.check(SET) == []


def test_refusal_names_the_policy() -> None:
    with pytest.raises(Refusal) as caught:
        cedar.load_policy(SET.to_body()).check("score", {**BASE, "purpose": "marketing"})
    assert caught.value.code == "POLICY_DENIED"
    assert "only-financing-support" in caught.value.sentence


@pytest.mark.parametrize("broken", [{"charge_mbit": None}, {"more": 1}, {"charge_mbit": "1"}])
def test_facts_outside_the_schema_deny(broken: dict[str, Json]) -> None:
    facts = {key: value for key, value in {**BASE, **broken}.items() if value is not None}
    verdict = cedar.explain(SET, facts)
    assert (verdict.allowed, verdict.errors) == (False, 1)


def test_erring_forbid_denies_instead_of_being_skipped() -> None:
    text = (
        '@id("all") permit (principal, action, resource);'
        '@id("overflow") forbid (principal, action, resource)'
        " when { context.charge_mbit * 9223372036854775807 > 0 };"
    )
    verdict = cedar.explain(with_policy(text), BASE)
    assert verdict == cedar.Verdict(allowed=False, policies=("all",), errors=1)


@pytest.mark.parametrize(
    "text",
    [
        "permit (principal, action, resource);",
        '@id("a") permit (principal, action, resource);' * 2,
        '@id("a") permit (principal, action, resource) when { context.unknown };',
        '@id("a") permit (principal == ?principal, action, resource);',
        "not cedar",
    ],
)
def test_bad_policies_are_refused(text: str) -> None:
    assert cedar.check(with_policy(text))
    with pytest.raises(BadInput) as caught:
        cedar.load_policy(with_policy(text).to_body())
    assert caught.value.code == "POLICY_INVALID"


@pytest.mark.parametrize("text", ["secret-word", '@id("secret-word") permit (principal, action'])
def test_what_cedar_says_is_shown_to_who_checks_and_to_no_caller(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        cedar.load_policy(with_policy(text).to_body())
    assert caught.value.detail == "it does not validate"


def test_a_set_needs_policies_and_schema() -> None:
    only_schema = dataclasses.replace(SET, files=SET.files[:1])
    assert cedar.check(only_schema)


def test_digest_changes_with_one_character() -> None:
    changed = with_policy(SET.files[-1].text + " ") if SET.files else SET
    assert changed.digest != SET.digest


def test_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        cedar.read_policy_set(tmp_path)
    assert caught.value.code == "POLICY_INVALID"


def test_absent_content_is_named() -> None:
    with pytest.raises(NotFound):
        content_folder("nothing-of-this-name")


def test_chosen_content_wins(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    assert content_folder("policies", tmp_path) == tmp_path / "policies"
