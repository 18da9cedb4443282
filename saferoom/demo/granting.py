"""How do enterprises come to be asked, and what do they answer?

Each signs a budget and one grant for bank A's trees. Most grants live, some have run out,
some are taken back again. Two enterprises play special parts: one signed a budget that is
nearly used up, one will revoke in the middle of the story.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from saferoom.canonical import Digest, digest_bytes
from saferoom.client.statements import utc_now
from saferoom.core.budget import DEFAULT_BUDGET_MBIT
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Manifest
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.demo import content
from saferoom.demo.opening import OPERATORS, Stage, vouched
from saferoom.demo.steps import Told, check

EXPIRED_SHARE = REVOKED_SHARE = 0.15
PORTFOLIO = 200
TEXT = """{enterprise} allows {bank} to score it with model "{name}" for credit approval until
{until}. Each score is one of {outcomes} outcomes and reveals at most {bits} bits about the
enterprise; spent bits never come back. You can revoke at any time; past scores stay past."""


@dataclass(frozen=True)
class Parts:
    """Which enterprise plays which part."""

    live: tuple[str, ...]
    expired: tuple[str, ...]
    revoked: tuple[str, ...]

    @classmethod
    def cast(cls, codes: tuple[str, ...]) -> Parts:
        """Give out 70 % live, 15 % expired, 15 % revoked, at least one each."""
        expired = max(1, round(len(codes) * EXPIRED_SHARE))
        revoked = max(1, round(len(codes) * REVOKED_SHARE))
        live = len(codes) - expired - revoked
        return cls(codes[:live], codes[live : live + expired], codes[live + expired :])

    @property
    def single(self) -> str:
        """Name the enterprise that is scored first."""
        return self.live[0]

    @property
    def thrifty(self) -> str:
        """Name the enterprise whose budget bears one score and no second."""
        return self.live[1]

    @property
    def fickle(self) -> str:
        """Name the enterprise that revokes in the middle of the story."""
        return self.live[2]

    @property
    def portfolio(self) -> tuple[str, ...]:
        """Name those who are scored together."""
        return self.live[3 : 3 + PORTFOLIO]


def enrol_enterprises(stage: Stage) -> Told:
    """Enrol every taking-part enterprise's own key."""
    enterprises = stage.enterprises
    statements = vouched(stage, [enterprises.author(code).enrolment() for code in stage.codes])
    stage.client(OPERATORS[0]).enrol(statements)
    return Told(f"{len(stage.codes):,} enterprises enrolled their own keys")


def sign_grants(stage: Stage, trees: Manifest, card: Manifest) -> Told:
    """Sign budgets and grants, and take some grants back."""
    parts, operator = Parts.cast(stage.codes), stage.client(OPERATORS[0])
    budgets = _budgets(stage, trees, parts)
    operator.sign_budgets(list(budgets.values()))
    asked = Asked.of(trees)
    grants = {code: _grant(stage, asked, code, budgets[code], parts) for code in stage.codes}
    second = _grant(stage, Asked.of(card), parts.thrifty, budgets[parts.thrifty], parts)
    operator.sign_grants([*grants.values(), second])
    authors = {code: stage.enterprises.author(code) for code in parts.revoked}
    operator.revoke_all(
        [one.revocation(grants[code].digest, trees.digest) for code, one in authors.items()]
    )
    states = [grant["state"] for grant in operator.grants()]
    check(states.count("revoked") == len(parts.revoked), "the revoked grants are revoked")
    check(len(states) == len(stage.codes) + 1, "every grant is in the room")
    return Told(
        f"{len(states):,} grants signed by the enterprises: {len(parts.live):,} live, "
        f"{len(parts.expired):,} run out, {len(parts.revoked):,} revoked"
    )


def _budgets(stage: Stage, trees: Manifest, parts: Parts) -> dict[str, Statement]:
    once = charge_mbit(len(trees.outcomes))

    def limit(code: str) -> int:
        return once + once // 2 if code == parts.thrifty else DEFAULT_BUDGET_MBIT

    return {
        code: stage.enterprises.author(code).budget(trees.group, limit_mbit=limit(code))
        for code in stage.codes
    }


@dataclass(frozen=True)
class Asked:
    """One version, and which categories of views it reads."""

    version: Manifest
    categories: tuple[str, ...]

    @classmethod
    def of(cls, version: Manifest) -> Asked:
        """Look the categories up once for all enterprises."""
        return cls(version, content.views().categories_of(version.features))


def _grant(stage: Stage, asked: Asked, code: str, budget: Statement, parts: Parts) -> Statement:
    now = utc_now()
    ends = now - timedelta(days=1) if code in parts.expired else now + timedelta(days=365)
    until = write_instant(ends)
    return stage.enterprises.author(code).grant(
        asked.version,
        categories=asked.categories,
        budget=budget.digest,
        valid_from=write_instant(now - timedelta(days=30)),
        valid_until=until,
        text=_text(asked.version, code, until),
        risk_ticked=True,
    )


def _text(version: Manifest, code: str, until: str) -> Digest:
    """Digest the text that the enterprise was shown."""
    outcomes = len(version.outcomes)
    shown = TEXT.format(
        enterprise=code,
        bank=version.bank,
        name=version.name,
        until=until,
        outcomes=outcomes,
        bits=charge_mbit(outcomes) / 1000,
    )
    return digest_bytes(shown.encode())
