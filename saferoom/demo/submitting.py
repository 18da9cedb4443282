"""How does a bank bring a model, and who says yes?

The modeller seals it to the vault and submits; the bank's approver and two operators
agree. The example models were trained on a synthetic sample that the bank holds (see
`modelling.py` and the models' cards): no row of the room was needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from saferoom.canonical import Digest
from saferoom.core.manifest import Manifest
from saferoom.demo import content
from saferoom.demo.opening import OPERATORS, Stage
from saferoom.demo.steps import Told, check, refused_with
from saferoom.sdk.room import Room

MODELLER, APPROVER, STRANGER = "li.na", "chen.jie", "sun.yan"
TREES, CARD = "credit-trees", "plain-scorecard"


@dataclass
class Versions:
    """The digests of what was submitted, by name."""

    digests: dict[str, Digest] = field(default_factory=dict)

    def manifest(self, stage: Stage, name: str) -> Manifest:
        """Read the manifest that everybody agrees to."""
        shown = stage.client(OPERATORS[0]).version(self.digests[name])
        return Manifest.from_body(shown["manifest"])


def submit(stage: Stage, versions: Versions, name: str) -> Told:
    """Submit one example model in the modeller's three lines."""
    model = content.bank_model(name)
    version = Room(stage.client(MODELLER)).submit(
        model.path,
        name=model.name,
        purpose=model.purpose,
        grades=model.grades,
        direction=model.direction,
    )
    versions.digests[name] = version.digest
    found = version.findings
    check(found["grades"] == len(model.grades), "the vault read the model in its cage")
    check("thresholds" not in str(found), "findings show shape and never thresholds")
    return Told(f"{found['scorer']}, {found['parts']} parts, {found['leaves']} leaves; sealed")


def approve_own(stage: Stage, versions: Versions) -> Told:
    """Let the submitter try to approve; be refused."""
    digest = versions.digests[TREES]
    with refused_with("SELF_APPROVE") as codes:
        stage.vote(digest, MODELLER, step="bank")
    return Told("whoever submits never approves", refused=1, code=codes[0])


def approve(stage: Stage, versions: Versions) -> Told:
    """Let the bank's approver sign, then two operators."""
    for digest in versions.digests.values():
        check(stage.vote(digest, APPROVER, step="bank") == "open", "one approval is not enough")
        check(stage.vote(digest, *OPERATORS) == "approved", "the version is approved")
        check(stage.client(MODELLER).version(digest)["state"] == "approved", "and in force")
    return Told("bank-a's second person and two operators signed both digests")


def peep(stage: Stage, versions: Versions) -> Told:
    """Let another bank look at the version; it does not exist for it."""
    with refused_with("NOT_FOUND") as codes:
        stage.client(STRANGER).version(versions.digests[TREES])
    return Told("bank-b cannot tell that bank-a has a model", refused=1, code=codes[0])
