"""How do enterprises come to be asked, and what do they answer?

Each signs a budget and one grant for bank A's trees. Most grants live, some have run out,
some are taken back again. Two enterprises play special parts: one signed a budget that is
nearly used up, one will revoke in the middle of the story.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from saferoom.client.http import RoomClient
from saferoom.client.statements import utc_now
from saferoom.client.terms import Terms
from saferoom.core.budget import DEFAULT_BUDGET_MBIT, Budget
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Manifest
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.demo.opening import OPERATORS, Stage, vouched
from saferoom.demo.steps import Told, check, refused_with
from saferoom.sdk.room import Room

EXPIRED_SHARE = REVOKED_SHARE = 0.15
PORTFOLIO = 200
SIGNATORY = "演示法定代表人"


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
    asked = operator.terms(trees.digest)
    grants = {code: _grant(stage, asked, code, budgets[code], parts) for code in stage.codes}
    operator.sign_grants([*grants.values()])
    _read_and_sign(stage, card, parts.thrifty)
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


def _read_and_sign(stage: Stage, version: Manifest, code: str) -> None:
    """Let one enterprise do it by itself: read every word, tick each box, sign."""
    with Room(RoomClient(stage.url, stage.enterprises.keys(code))) as room:
        draft = room.offer(version.digest, enterprise_name=f"演示企业 {code}", signatory=SIGNATORY)
        for words in (code, version.name, f"{len(version.outcomes)} 种结果", "撤回"):
            check(words in draft.text("zh"), "the text says what is granted")
        with refused_with("FIELD_INVALID"):
            draft.sign(risk=False, representative=True)
        digest = draft.sign(risk=True, representative=draft.needs_representative)
        told = {notice["entry"] for notice in room.client.notices()}
        check(bool(told), "the enterprise finds notices of what it signed")
        check(digest == draft.grant.digest, "what was read is what was signed")


def _budgets(stage: Stage, trees: Manifest, parts: Parts) -> dict[str, Statement]:
    once = charge_mbit(len(trees.outcomes))

    def limit(code: str) -> int:
        return once + once // 2 if code == parts.thrifty else DEFAULT_BUDGET_MBIT

    return {
        code: stage.enterprises.author(code).budget(trees.group, limit_mbit=limit(code))
        for code in stage.codes
    }


def _grant(stage: Stage, terms: Terms, code: str, budget: Statement, parts: Parts) -> Statement:
    now = utc_now()
    ends = now - timedelta(days=1) if code in parts.expired else now + timedelta(days=365)
    return stage.enterprises.author(code).grant(
        terms,
        enterprise_name=f"演示企业 {code}",
        signatory=SIGNATORY,
        budget=Budget.from_body(budget.body),
        valid_from=write_instant(now - timedelta(days=30)),
        valid_until=write_instant(ends),
        risk_ticked=True,
        representative_ticked=terms.needs_representative,
    )
