"""What would the enterprise agree to, before it signs?

Everything that the room says about one version, read strictly, and the grant that follows from
it. What is shown is rendered here, on the signer's own machine, from the very fields that will
be signed; a room that showed other words would get a grant that no vault takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saferoom.canonical import Digest, Json
from saferoom.core.budget import Budget
from saferoom.core.grant_text import GrantTemplate, needs_representative
from saferoom.core.manifest import Manifest
from saferoom.errors import BadInput, Tampered


@dataclass(frozen=True)
class Terms:
    """One version, its bank's names, and the wording that is in force."""

    manifest: Manifest
    categories: tuple[str, ...]
    bank_name: str
    bank_contact: str
    template: GrantTemplate
    budget: Budget | None = None  # the asker's own with this bank's group
    renews: Digest | None = None  # its last grant for this version

    @classmethod
    def read(cls, answer: Mapping[str, Json], version: Digest | None = None) -> Terms:
        """Read what a room answered; it must be about the version that was asked for."""
        try:
            manifest = Manifest.from_body(answer["manifest"])
            categories, budget, renews = (
                answer[name] for name in ("categories", "budget", "renews")
            )
            terms = cls(
                manifest=manifest,
                categories=tuple(str(one) for one in categories or ()),  # type: ignore[union-attr]
                bank_name=str(answer["bank_name"]),
                bank_contact=str(answer["bank_contact"]),
                template=GrantTemplate.from_body(answer["template"]),
                budget=None if budget is None else Budget.from_body(budget),
                renews=None if renews is None else Digest(str(renews)),
            )
        except (KeyError, TypeError) as error:
            raise BadInput("FIELD_INVALID", "terms") from error
        if version is not None and manifest.digest != version:
            raise Tampered("CONTENT_CHANGED", "the terms are another version's")
        return terms

    @property
    def needs_representative(self) -> bool:
        """Say whether the legal representative's separate agreement is part of it."""
        return needs_representative(self.template, self.categories)
