"""Who has to agree before something counts, and did they?

A vote is a signature over (digest, step, decision, nonce); chains are data. Steps go in
order, one refusal ends the chain, and whoever submitted never votes, in whatever role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from saferoom.canonical import Digest
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

Outcome = Literal["open", "approved", "refused"]


class Decision(StrEnum):
    """What a voter says."""

    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Vote(Record):
    """One person's decision on one digest at one step."""

    KIND: ClassVar[str] = "saferoom/vote/1"
    subject: Digest
    step: str
    decision: Decision
    cast_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        hex_bytes(self.subject, 32)
        check_field(0 < len(self.step) <= 32, "step")
        read_instant(self.cast_at)
        hex_bytes(self.nonce, 16)


class SubjectKind(StrEnum):
    """What people vote on."""

    VERSION = "version"
    ADMISSION = "admission"
    SOURCE = "source"
    VIEWS = "views"
    POLICY = "policy"
    MOCK = "mock"
    TEMPLATE = "template"


@dataclass(frozen=True)
class Step:
    """How many people of which role; `own_party` keeps it inside the submitting party."""

    name: str
    role: Role
    count: int
    own_party: bool


_REVIEW = Step("review", Role.OPERATOR, 2, own_party=False)

CHAINS: dict[SubjectKind, tuple[Step, ...]] = {
    SubjectKind.VERSION: (Step("bank", Role.APPROVER, 1, own_party=True), _REVIEW),
    SubjectKind.ADMISSION: (_REVIEW,),
    SubjectKind.SOURCE: (_REVIEW,),
    SubjectKind.VIEWS: (_REVIEW,),
    SubjectKind.POLICY: (_REVIEW,),
    SubjectKind.MOCK: (_REVIEW,),
    SubjectKind.TEMPLATE: (_REVIEW,),
}


@dataclass(frozen=True)
class CastVote:
    """A vote that was checked, and who cast it."""

    vote: Vote
    voter: Enrolment


def check_vote(  # noqa: PLR0917  # the signature is a seam
    statement: Statement,
    kind: SubjectKind,
    submitter: Enrolment | None,
    cast: Sequence[CastVote],
    lookup: Lookup,
    party: str,
) -> CastVote:
    """Accept the next vote of a chain; `party` is whose subject it is."""
    vote = Vote.from_body(statement.body)
    voter = check_signer(statement, lookup, *Role)
    if submitter is not None and voter.person == submitter.person:
        raise Refusal("SELF_APPROVE")
    step = current_step(kind, cast)
    if step is None or vote.step != step.name:
        raise Refusal("VOTE_INVALID", "another step is open, or none")
    if voter.role is not step.role or (step.own_party and voter.party != party):
        raise Refusal("ROLE")
    if any(earlier.voter.person == voter.person for earlier in cast):
        raise Refusal("VOTE_INVALID", "one vote for each person")
    if any(earlier.vote.subject != vote.subject for earlier in cast):
        raise Refusal("VOTE_INVALID", "the votes are on different subjects")
    return CastVote(vote, voter)


def check_complete(kind: SubjectKind, cast: Sequence[CastVote]) -> None:
    """Refuse unless every step of the chain has its approvals and nobody refused."""
    if state(kind, cast) != "approved":
        raise Refusal("APPROVAL_MISSING")


def state(kind: SubjectKind, cast: Sequence[CastVote]) -> Outcome:
    """Say where the chain stands."""
    if any(one.vote.decision is Decision.REFUSE for one in cast):
        return "refused"
    return "approved" if current_step(kind, cast) is None else "open"


def approved_at(cast: Sequence[CastVote]) -> str:
    """Name the instant of the last vote, as its voter signed it."""
    return max(one.vote.cast_at for one in cast)  # instants are texts of one length


def current_step(kind: SubjectKind, cast: Sequence[CastVote]) -> Step | None:
    """Name the step that waits for a vote; None when the chain has ended."""
    if any(one.vote.decision is Decision.REFUSE for one in cast):
        return None
    return next((step for step in CHAINS[kind] if _count(step, cast) < step.count), None)


def _count(step: Step, cast: Sequence[CastVote]) -> int:
    """Count different people of the step's role, so that a doubled row adds nothing."""
    return len(
        {
            one.voter.person
            for one in cast
            if one.vote.step == step.name and one.voter.role is step.role
        }
    )
