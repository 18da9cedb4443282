"""Which features are not computed, because what rests here is not good enough?

Before a snapshot the rules of `policies/quality/*.toml` are counted over the facts, once for
the same facts; the findings are kept durably, and features of a table below its gate are
missing for everybody in the snapshot, whose manifest names them: whoever asks for one is
refused. Only counts leave.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from saferoom.canonical import Digest, Json, canonical_bytes, digest, parse_object
from saferoom.core.facts import Table
from saferoom.core.quality import Finding, QualityRule, check_rules, closed_tables, tickets, told
from saferoom.core.record import check_field
from saferoom.errors import BadInput, Tampered
from saferoom.vault.counting import count_findings
from saferoom.vault.declarations import Declarations
from saferoom.vault.durable import write_file
from saferoom.vault.facts import FactStore
from saferoom.vault.segments import Rows

KIND = "saferoom/quality/1"
_OPTIONAL: dict[str, Json] = {
    "column": None,
    "days": None,
    "other": None,
    "other_column": None,
    "percent": None,
    "ends": [],
}


def read_rules(folder: Path, tables: Mapping[str, Table]) -> tuple[QualityRule, ...]:
    """Read every file of rules strictly."""
    rules: list[QualityRule] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            rules += _rules(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, BadInput) as error:
            raise BadInput("POLICY_INVALID", f"{path.parent.name}/{path.name}") from error
    check_rules(rules, tables)
    return tuple(rules)


class Quality:
    """The findings of the facts as they are."""

    def __init__(
        self, path: Path, rules: Sequence[QualityRule], tables: Mapping[str, Table]
    ) -> None:
        """Read the findings that were kept; with other rules they count for nothing."""
        self._path, self._rules, self._tables = path, rules, tables
        self._facts, self._findings = self._read()

    def assess(self, store: FactStore) -> None:
        """Count anew where facts or rules have changed; durable when this returns."""
        name = self._name(store)
        if name == self._facts or not self._rules:
            return
        findings = count_findings(store, self._rules, self._tables)
        kept: list[Json] = [finding.to_body() for finding in findings]
        rules: list[Json] = [rule.to_body() for rule in self._rules]
        body: dict[str, Json] = {"kind": KIND, "facts": name, "findings": kept, "rules": rules}
        write_file(self._path, canonical_bytes(body))
        self._facts, self._findings = name, findings

    @property
    def closed(self) -> frozenset[str]:
        """Name the tables of which no feature is computed."""
        return closed_tables(self._rules, self._findings)

    def describe(self) -> dict[str, Json]:
        """State what somebody should see to, and what is closed; nothing that is about a few."""
        listed: list[Json] = [told(one) for one in tickets(self._rules, self._findings)]
        return {"tickets": listed, "closed": [*sorted(self.closed)]}

    def _name(self, store: FactStore) -> Digest:
        return digest(store.manifest.to_body())

    def _read(self) -> tuple[str, tuple[Finding, ...]]:
        if not self._path.exists():
            return "", ()
        match parse_object(self._path.read_bytes()):
            case {"facts": str(facts), "findings": list(listed), "rules": list(rules)}:
                same = rules == [rule.to_body() for rule in self._rules]
                return (facts, tuple(map(Finding.from_body, listed))) if same else ("", ())
            case _:
                raise Tampered("CONTENT_CHANGED", "the findings about quality")


def closed_views(declared: Declarations, closed: frozenset[str]) -> tuple[str, ...]:
    """Name the features that read a closed table."""
    return tuple(name for name in declared.views.names() if declared.tables_of(name) & closed)


def blank(rows: Rows, columns: Sequence[str], closed: Collection[str]) -> Rows:
    """Let closed features be missing, also those that are zero without rows."""
    for place, name in enumerate(columns):
        if name in closed:
            rows.matrix[:, place] = np.nan
    return rows


def _rules(document: dict[str, Json]) -> list[QualityRule]:
    listed = document.get("rules")
    check_field(document.get("kind") == KIND and set(document) == {"kind", "rules"}, "parts")
    check_field(isinstance(listed, list), "rules")
    assert isinstance(listed, list)
    check_field(all(isinstance(body, dict) for body in listed), "rules")
    return [QualityRule.from_body(_OPTIONAL | body) for body in listed if isinstance(body, dict)]
