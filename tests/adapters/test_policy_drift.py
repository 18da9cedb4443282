"""Is drift found wherever there is some, and is what is not provable said so?"""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest

from saferoom.adapters import cedar
from saferoom.adapters.policy_drift import read_rule
from saferoom.canonical import Json
from saferoom.core.proposals import PolicySet
from tests.adapters.test_cedar import BASE, SET, with_policy


def _set(permit: str, *forbids: str) -> PolicySet:
    texts = [f'@id("p") permit (principal, action, resource) when {{ {permit} }};']
    texts += [
        f'@id("f{n}") forbid (principal, action, resource) when {{ {one} }};'
        for n, one in enumerate(forbids)
    ]
    return with_policy("\n".join(texts))


def test_the_shipped_set_does_not_drift() -> None:
    assert cedar.drift(SET) == []


def test_a_permit_alone_has_nothing_to_drift_from() -> None:
    assert cedar.drift(_set("context.outcomes <= 8")) == []


NO_DRIFT = [
    ("context.outcomes <= 8", ["context.outcomes > 8"]),
    ("context.outcomes < 9", ["!(context.outcomes <= 8)"]),
    ("context.by_system", ["!context.by_system"]),
    ("context.by_system != true", ["context.by_system"]),
    ('context.categories like "*,tax,*"', ['!(context.categories like "*,tax,*")']),
    ("true", ["false"]),
    (
        'context.purpose == "a" || context.outcomes == 2',
        ['context.purpose != "a" && context.outcomes != 2'],
    ),
]


@pytest.mark.parametrize(("permit", "forbids"), NO_DRIFT)
def test_the_same_said_twice_is_no_drift(permit: str, forbids: list[str]) -> None:
    assert cedar.drift(_set(permit, *forbids)) == []


@pytest.mark.parametrize(
    ("permit", "forbids", "found"),
    [
        ("context.outcomes <= 8", ["context.outcomes > 9"], "no forbid says why.*outcomes=9"),
        ("context.outcomes <= 9", ["context.outcomes > 8"], "f0: p permits it.*outcomes=9"),
        ("true", ['context.purpose == "a"'], "f0: p permits it"),
        ('context.categories like "*,a,*"', ['context.categories like "*,b,*"'], "f0|no forbid"),
        ("context.by_system", ["context.by_system"], "f0: p permits it"),
        ("context.outcomes != 1", ["context.outcomes != 0"], "f0: p permits it.*outcomes="),
    ],
)
def test_drift_is_shown_with_a_case(permit: str, forbids: list[str], found: str) -> None:
    findings = cedar.drift(_set(permit, *forbids))
    assert findings
    assert re.search(found, " ".join(findings))


@pytest.mark.parametrize(
    "condition",
    [
        "context.outcomes < context.grades",
        "context.outcomes + 1 < 9",
        'context.purpose like "a*"',
        "if context.by_system then true else false",
        "2 < context.outcomes",
        'principal == Bank::"a"',
    ],
)
def test_what_cannot_be_compared_is_a_finding(condition: str) -> None:
    (finding,) = cedar.drift(_set(condition, "false"))
    assert finding.startswith("p: ")
    assert "cannot be proved" in finding


def test_another_scope_is_a_finding() -> None:
    permit = '@id("p") permit (principal == Bank::"a", action, resource);'
    text = permit + '@id("f") forbid (principal, action, resource);'
    (finding,) = cedar.drift(with_policy(text))
    assert "principal" in finding


def test_too_many_combinations_are_a_finding() -> None:
    names = ("outcomes", "grades", "features", "enterprises")
    bounds = [f"context.{name} != {3 * n}" for name in names for n in range(25)]
    (finding,) = cedar.drift(_set(" && ".join(bounds), "context.features == 1"))
    assert "too many" in finding


def test_our_reading_of_conditions_is_cedar_s() -> None:
    """A proof by another reading than the engine's would prove nothing."""
    draw = random.Random(5)
    values: dict[str, list[Json]] = {
        "purpose": ["credit_approval", "post_loan_monitoring", "marketing"],
        "party_kind": ["bank", "auditor"],
        "caller_role": ["modeller", "system", "approver"],
        "outcomes": [2, 8, 9, 64, 65],
        "charge_mbit": [-1, 0, 6000, 6001],
        "highest_level": [0, 1, 4, 5],
        "enterprises": [0, 1, 1000, 1001],
    }
    rules = [
        read_rule(id_, policy, defaultdict(set))
        for id_, policy in cedar._keyed_by_id(cedar._split(SET)[0])["staticPolicies"].items()  # type: ignore[attr-defined]
    ]
    for _ in range(300):
        facts = {**BASE, **{name: draw.choice(some) for name, some in values.items()}}
        verdict = cedar.explain(SET, facts)
        held: dict[bool, list[str]] = {True: [], False: []}
        for rule in rules:
            if rule.holds(facts):
                held[rule.permits].append(rule.id)
        assert verdict.policies == tuple(sorted(held[False] or held[True]))
