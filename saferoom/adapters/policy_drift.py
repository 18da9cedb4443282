"""Do the permits and the forbids of a set say the same?

A refusal is explained by the forbid that it names, and kept by the permit, which repeats every
condition. Where the two drift apart, something is refused without a name, or a forbid that
errs would let it pass. Conditions compare one fact with constants; so each fact has finitely
many cases that can differ, and all their combinations are asked. That is a proof, as long as
every condition has this form: what has another is a finding itself.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from saferoom.canonical import Json

MOST_COMBINATIONS = 2_000_000
Facts = Mapping[str, Json]
_Test = Callable[[Facts], bool]
_Node = Mapping[str, object]  # one of Cedar's, in its JSON form
_Cases = defaultdict[str, set[Json]]  # fact → the constants that it is compared with
_ALL = {"op": "All"}
_SCOPES: Mapping[str, Sequence[object]] = {
    "principal": (_ALL, {"op": "is", "entity_type": "Bank"}),
    "action": (_ALL, {"op": "==", "entity": {"type": "Action", "id": "score"}}),
    "resource": (_ALL, {"op": "is", "entity_type": "Version"}),
}
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_NAME = re.compile(r",[A-Za-z0-9_]+,")


class Unprovable(Exception):  # control flow inside this module, never shown
    """A condition of another form."""


@dataclass(frozen=True)
class Rule:
    """One policy: its name, whether it permits, and its condition."""

    id: str
    permits: bool
    holds: _Test


def find_drift(policies: Mapping[str, object]) -> list[str]:
    """Name, by policy id, where permits and forbids drift apart; none if they do not."""
    cases: _Cases = defaultdict(set)
    rules, findings = [], []
    for id_, policy in policies.items():
        try:
            rules.append(read_rule(id_, policy, cases))
        except Unprovable as error:
            findings.append(f"{id_}: {error}; whether it drifts cannot be proved")
    if findings:
        return findings
    if not any(not rule.permits for rule in rules):
        return []  # nothing that could be named
    return _compare(rules, {name: _samples(found) for name, found in cases.items()})


def _compare(rules: Sequence[Rule], samples: Mapping[str, Sequence[Json]]) -> list[str]:
    combinations = 1
    for values in samples.values():
        combinations *= len(values)
    if combinations > MOST_COMBINATIONS:
        return [f"there are too many combinations to compare ({combinations:,})"]
    found: dict[str, str] = {}
    for values in itertools.product(*samples.values()):
        facts = dict(zip(samples, values, strict=True))
        permitting = [rule.id for rule in rules if rule.permits and rule.holds(facts)]
        forbidding = [rule.id for rule in rules if not rule.permits and rule.holds(facts)]
        if permitting and forbidding:
            found.setdefault(
                forbidding[0], f"{forbidding[0]}: {permitting[0]} permits it ({_show(facts)})"
            )
        if not permitting and not forbidding:
            found.setdefault("", f"refused, and no forbid says why ({_show(facts)})")
    return list(found.values())


def _show(facts: Facts) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(facts.items()))


def read_rule(id_: str, policy: object, cases: _Cases) -> Rule:
    """Read one policy of Cedar's JSON form, and note what it compares facts with."""
    for part, scope in _SCOPES.items():
        if _dict(policy)[part] not in scope:
            raise Unprovable(f"its {part} has another scope than the others'")
    tests = []
    for condition in _dict(policy)["conditions"]:  # type: ignore[attr-defined]
        test = _test(condition["body"], cases)
        tests.append(test if condition["kind"] == "when" else _not(test))
    permits = _dict(policy)["effect"] == "permit"
    return Rule(id_, permits, lambda facts: all(test(facts) for test in tests))


def _not(test: _Test) -> _Test:
    return lambda facts: not test(facts)


def _test(node: object, cases: _Cases) -> _Test:
    """Turn one node of Cedar's JSON form into a test of facts."""
    ((kind, body),) = _dict(node).items()
    if kind == "Value" and isinstance(body, bool):
        return lambda _: body
    if _is_fact(node):
        cases[_fact(node)] |= {True, False}
        return lambda facts: facts[_fact(node)] is True
    read = _READERS.get(kind)
    if read is None:
        raise Unprovable(f"`{kind}` compares otherwise than one fact with a constant")
    return read(kind, _dict(body), cases)


def _joined(kind: str, body: _Node, cases: _Cases) -> _Test:
    left, right = (_test(body[side], cases) for side in ("left", "right"))
    if kind == "&&":
        return lambda facts: left(facts) and right(facts)
    return lambda facts: left(facts) or right(facts)


def _negated(_: str, body: _Node, cases: _Cases) -> _Test:
    return _not(_test(body["arg"], cases))


def _equal(kind: str, body: _Node, cases: _Cases) -> _Test:
    name, value = _fact(body["left"]), _constant(body["right"])
    cases[name].add(value)
    return lambda facts: (facts[name] == value) is (kind == "==")


def _number(kind: str, body: _Node, cases: _Cases) -> _Test:
    name, bound = _fact(body["left"]), _constant(body["right"])
    if type(bound) is not int:
        raise Unprovable("a number is compared with something else")
    cases[name].add(bound)
    compare = _NUMBERS[kind]
    return lambda facts: compare(int(str(facts[name])), bound)


def _like(_: str, body: _Node, cases: _Cases) -> _Test:
    """Read `like "*,name,*"`: the set holds the name."""
    name, pattern = _fact(body["left"]), body["pattern"]
    parts = pattern if isinstance(pattern, list) else []
    text = "".join(one["Literal"] if isinstance(one, dict) else "*" for one in parts)
    if not (text.startswith("*") and text.endswith("*") and _NAME.fullmatch(text[1:-1])):
        raise Unprovable('a pattern has another form than "*,name,*"')
    cases[name].add(text[1:-1])
    return lambda facts: text[1:-1] in str(facts[name])


def _samples(found: set[Json]) -> list[Json]:
    """List one value for each case that constants can tell apart."""
    if all(type(one) is bool for one in found):  # 1 == True, and is a number all the same
        return [False, True]
    numbers = {one for one in found if type(one) is int}
    if numbers:
        return [*sorted({n + step for n in numbers for step in (-1, 0, 1)})]
    words = sorted(str(one) for one in found)
    if any(_NAME.fullmatch(word) for word in words):
        return list(_sets([word.strip(",") for word in words]))
    return [*words, " ".join(words) + " and another"]


def _sets(names: Sequence[str]) -> Iterator[Json]:
    for count in range(len(names) + 1):
        for chosen in itertools.combinations(names, count):
            yield "".join(f",{name}" for name in chosen) + ","


def _fact(node: object) -> str:
    if not _is_fact(node):
        raise Unprovable("something else than a fact of the context is compared")
    return str(_dict(_dict(node)["."])["attr"])


def _is_fact(node: object) -> bool:
    inner = node.get(".") if isinstance(node, dict) else None
    return isinstance(inner, dict) and inner.get("left") == {"Var": "context"}


def _constant(node: object) -> Json:
    value = node.get("Value") if isinstance(node, dict) else None
    if not isinstance(value, str | int):
        raise Unprovable("a fact is compared with something that is no constant")
    return value


def _dict(node: object) -> _Node:
    if not isinstance(node, dict):
        raise Unprovable("a condition has no known form")
    return node


_READERS: Mapping[str, Callable[[str, _Node, _Cases], _Test]] = {
    "&&": _joined,
    "||": _joined,
    "!": _negated,
    "==": _equal,
    "!=": _equal,
    "like": _like,
    **dict.fromkeys(_NUMBERS, _number),
}
