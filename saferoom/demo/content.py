"""What do the demo's operators put up for votes?

Reads the content folders into the records that are signed. The vault reads the same
files by itself and refuses a set that differs from its own, so a slip here changes
nothing but ends in VIEW_UNAPPROVED.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saferoom.adapters.cedar import read_policy_set
from saferoom.adapters.content import content_folder
from saferoom.adapters.mock_files import read_mock_set
from saferoom.adapters.templates import read_grant_template
from saferoom.canonical import canonical_bytes
from saferoom.core.grant_text import GrantTemplate
from saferoom.core.mock import MockSet
from saferoom.core.proposals import PolicySet
from saferoom.core.source import SourceManifest, declared_body
from saferoom.core.views import View, ViewSet


@dataclass(frozen=True)
class BankModel:
    """One folder of `models/`."""

    name: str
    purpose: str
    path: Path
    direction: str
    grades: dict[str, float | None]  # to the bound that ends it, best first


def views() -> ViewSet:
    """Read `policies/features/*.toml`."""
    found = [
        View.from_body(
            {
                "also": [],
                **body,
                "category": document["category"],
                "formula": canonical_bytes(body["formula"]).decode(),
            }
        )
        for document in map(_toml, sorted((content_folder("policies") / "features").glob("*.toml")))
        for body in document["view"]
    ]
    return ViewSet(views=tuple(sorted(found, key=lambda view: view.name)))


def mock() -> MockSet:
    """Read `policies/mock/*.toml`, as far as there are views."""
    return read_mock_set(content_folder("policies") / "mock").of(views())


def sources() -> tuple[SourceManifest, ...]:
    """Read `connectors/*/connector.toml`."""
    return tuple(
        _source(path) for path in sorted(content_folder("connectors").glob("*/connector.toml"))
    )


def policies() -> PolicySet:
    """Read `policies/*.cedar` and their schema."""
    return read_policy_set(content_folder("policies"))


def grant_template() -> GrantTemplate:
    """Read the words in which enterprises are asked."""
    return read_grant_template(content_folder("policies"))


def bank_model(name: str) -> BankModel:
    """Read one example model."""
    folder = content_folder("models") / name
    declared = _toml(folder / "model.toml")
    bounds = [float.fromhex(bound) for bound in declared["thresholds"]]
    if declared["direction"] == "quality":
        bounds.reverse()
    return BankModel(
        name=declared["name"],
        purpose=declared["purpose"],
        path=folder / declared["artefact"],
        direction=declared["direction"],
        grades=dict(zip(declared["grades"], [*bounds, None], strict=True)),
    )


def _source(path: Path) -> SourceManifest:
    return SourceManifest.from_body(declared_body(_toml(path)))


def _toml(path: Path) -> dict[str, Any]:  # Any: the records and the vault check each value
    return tomllib.loads(path.read_text(encoding="utf-8"))
