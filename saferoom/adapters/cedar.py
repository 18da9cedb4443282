"""What does the policy set say about this request, and which policy says it?

Cedar skips a policy that errs, so an erring forbid would let pass what it should stop:
an answer counts only when it allows *and* nothing erred. Each policy has an `@id`, and
the set is keyed by it, so a refusal names `only-scores-leave` and never `policy0`.

The policies see facts of one request and none of an enterprise; so a batch is one
question for each distinct charge, and no policy can name a single enterprise.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cedarpy

from saferoom.adapters.policy_drift import find_drift
from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.proposals import PolicyFile, PolicySet
from saferoom.core.purpose import Purposes
from saferoom.errors import BadInput, Refusal

_SCHEMA = ".cedarschema"
_POLICIES = ".cedar"
_PURPOSES = "purposes.toml"


@dataclass(frozen=True)
class Verdict:
    """What was decided, by which policies; errors deny."""

    allowed: bool
    policies: tuple[str, ...]
    errors: int


@dataclass(frozen=True)
class CaseResult:
    """One case of `policy test`."""

    name: str
    expected: str
    found: str

    @property
    def passed(self) -> bool:
        """Say whether the set decides as the case expects."""
        return self.expected == self.found


@dataclass(frozen=True)
class CedarPolicy:
    """A loaded set; a port `Policy`."""

    digest: Digest
    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    purposes: Purposes | None = None

    def check(self, action: str, facts: Mapping[str, Json]) -> None:
        """Refuse with the policy's id, or return."""
        verdict = self.explain(action, facts)
        if not verdict.allowed:
            raise Refusal("POLICY_DENIED", ", ".join(verdict.policies) or "nothing permits it")

    def explain(self, action: str, facts: Mapping[str, Json]) -> Verdict:
        """Decide, and say which policies did."""
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Bank", "id": str(facts.get("bank", ""))},
                "action": {"type": "Action", "id": action},
                "resource": {"type": "Version", "id": "asked"},
                "context": dict(facts),
            },
            self.policies,
            [],
            schema=self.schema,
        )
        errors = len(answer.diagnostics.errors)
        allowed = bool(answer.allowed) and not errors
        return Verdict(allowed, tuple(sorted(answer.diagnostics.reasons)), errors)


def read_policy_set(folder: Path) -> PolicySet:
    """Read the files that two operators would vote for."""
    paths = [path for path in sorted(folder.iterdir()) if _is_part(path)]
    try:
        return PolicySet(
            files=tuple(PolicyFile(name=p.name, text=p.read_text(encoding="utf-8")) for p in paths)
        )
    except (BadInput, UnicodeDecodeError) as error:
        raise BadInput("POLICY_INVALID", "no readable policy files") from error


def load_policy(body: Mapping[str, Json]) -> CedarPolicy:
    """Load a set from the body that was voted for; the same body is parsed once."""
    return _load(canonical_bytes(body))


def check(policy_set: PolicySet) -> list[str]:
    """Validate strictly; return findings by policy id, none if the set is good."""
    try:
        text, schema = _split(policy_set)
        _keyed_by_id(text)
        _purposes(policy_set)
        result = cedarpy.validate_policies(text, schema)
    except BadInput as error:
        return [error.sentence]
    except ValueError:  # its text may quote the file, which is ours, but is not stable
        return ["The schema or a policy cannot be parsed."]
    if result.validation_passed:
        return []
    return [f"{item.policy_id}: {item.error}" for item in result.errors]


def drift(policy_set: PolicySet) -> list[str]:
    """Name where the permits and the forbids of a valid set drift apart."""
    text, _ = _split(policy_set)
    policies = _keyed_by_id(text)["staticPolicies"]
    assert isinstance(policies, dict)
    return find_drift(policies)


def test(policy_set: PolicySet, cases: Path) -> list[CaseResult]:
    """Run cases/*.toml against a set."""
    policy = load_policy(policy_set.to_body())
    results = []
    for path in sorted(cases.glob("*.toml")):
        page = tomllib.loads(path.read_text(encoding="utf-8"))
        for case in page["case"]:
            verdict = policy.explain("score", {**page["base"], **case.get("facts", {})})
            results.append(CaseResult(case["name"], case["expect"], _found(verdict, case)))
    return results


def explain(policy_set: PolicySet, facts: Mapping[str, Json]) -> Verdict:
    """Say what a set decides about these facts, and why."""
    return load_policy(policy_set.to_body()).explain("score", facts)


def _found(verdict: Verdict, case: Mapping[str, object]) -> str:
    if verdict.errors:
        return "error"
    if verdict.allowed:
        return "allow"
    named = verdict.policies
    return str(case["expect"]) if case["expect"] in named else ", ".join(named) or "deny"


@lru_cache(maxsize=16)
def _load(body: bytes) -> CedarPolicy:
    policy_set = PolicySet.from_body(parse_object(body))
    if check(
        policy_set
    ):  # the findings quote Cedar; `policy check` shows them to who wrote the set
        raise BadInput("POLICY_INVALID", "it does not validate")
    text, schema = _split(policy_set)
    keyed = cedarpy.PolicySet.from_json_str(json.dumps(_keyed_by_id(text)))
    purposes = _purposes(policy_set)
    return CedarPolicy(policy_set.digest, keyed, cedarpy.Schema.from_str(schema), purposes)


def _is_part(path: Path) -> bool:
    return path.suffix in {_SCHEMA, _POLICIES} or path.name == _PURPOSES


def _purposes(policy_set: PolicySet) -> Purposes | None:
    found = next((file.text for file in policy_set.files if file.name == _PURPOSES), None)
    if found is None:
        return None
    try:
        return Purposes.from_body(tomllib.loads(found))
    except ValueError as error:
        raise BadInput("POLICY_INVALID", _PURPOSES) from error
    except BadInput as error:
        raise BadInput("POLICY_INVALID", f"{_PURPOSES}: {error.detail}") from error


def _split(policy_set: PolicySet) -> tuple[str, str]:
    texts = {suffix: _join(policy_set, suffix) for suffix in (_POLICIES, _SCHEMA)}
    if not texts[_POLICIES] or not texts[_SCHEMA]:
        raise BadInput("POLICY_INVALID", "a set has policies and a schema")
    return texts[_POLICIES], texts[_SCHEMA]


def _join(policy_set: PolicySet, suffix: str) -> str:
    return "\n".join(file.text for file in policy_set.files if file.name.endswith(suffix))


def _keyed_by_id(text: str) -> dict[str, object]:
    parsed = json.loads(cedarpy.policies_to_json_str(text))
    policies = list(parsed["staticPolicies"].values())
    if parsed["templates"] or parsed.get("templateLinks"):
        raise BadInput("POLICY_INVALID", "templates are not used here")
    ids = [policy.get("annotations", {}).get("id") for policy in policies]
    if None in ids or len(set(ids)) != len(ids):
        raise BadInput("POLICY_INVALID", "each policy has an @id of its own")
    return {
        "staticPolicies": dict(zip(ids, policies, strict=True)),
        "templates": {},
        "templateLinks": [],
    }
