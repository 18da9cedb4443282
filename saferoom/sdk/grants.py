"""What does an enterprise see before it signs, and how does it sign just that?

    draft = room.offer(version, enterprise_name="…", signatory="…")
    print(draft.text("zh"))
    draft.sign(risk=True, representative=True)

The text is rendered here from the grant that will be signed. Each tick is given by itself:
a grant whose risk was not ticked, or that lacks the legal representative's own agreement where
it is asked for, is not signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from saferoom.canonical import Digest
from saferoom.client.http import RoomClient
from saferoom.client.terms import Terms
from saferoom.core.budget import Budget
from saferoom.core.enrolment import Signatory
from saferoom.core.grant import Grant
from saferoom.core.grant_text import render
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Draft:
    """A grant that was worded and not signed."""

    client: RoomClient
    terms: Terms
    grant: Grant
    first_budget: Statement | None  # brought with it, where there is none yet

    def text(self, language: Language = "zh") -> str:
        """Show what will be signed; the grant's digest binds both languages."""
        shown = render(self.terms.template, self.grant)
        return shown.zh if language == "zh" else shown.en

    @property
    def needs_representative(self) -> bool:
        """Say whether the legal representative has to agreement separately."""
        return self.grant.representative_ticked

    def sign(self, *, risk: bool, representative: bool = False) -> Digest:
        """Sign what was shown, and bring it."""
        if not risk:
            raise BadInput("FIELD_INVALID", "risk: read the notice and tick it")
        if self.needs_representative and not representative:
            raise BadInput("FIELD_INVALID", "representative: the person's own agreement is missing")
        if self.first_budget is not None:
            self.client.sign_budgets([self.first_budget])
        (digest,) = self.client.sign_grants([self.client.author.sign_draft(self.grant)])
        return digest


def draft(
    client: RoomClient,
    version: Digest,
    *,
    enterprise_name: str,
    signatory: str,
    role: Signatory,
    days: int,
    budget_bits: int,
) -> Draft:
    """Word a grant of one version, from now on, drawing on the budget in force or a first one."""
    author, terms = client.author, client.terms(version)
    budget, first = terms.budget, None
    if budget is None:
        first = author.budget(terms.manifest.group, limit_mbit=1000 * budget_bits)
        budget = Budget.from_body(first.body)
    now = author.clock()
    grant = author.draft_grant(
        terms,
        enterprise_name=enterprise_name,
        signatory=signatory,
        signatory_role=role,
        budget=budget,
        valid_from=write_instant(now),
        valid_until=write_instant(now + timedelta(days=days)),
        risk_ticked=True,
        representative_ticked=terms.needs_representative,
        renews=terms.renews,
    )
    return Draft(client, terms, grant, first)
