"""What does a score request stand in, apart from any one enterprise?

Loaded twice by the same code: for the pre-check without locks, and in the releasing
transaction with them. Signatures of the request and of every vote are checked each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import loading, locking, suspensions, witnessing
from saferoom.app.context import Room
from saferoom.app.replaying import Papers, check_approved, check_votes, load_papers
from saferoom.app.templates import FindTemplate, approved_template
from saferoom.canonical import Digest, Json
from saferoom.core.admission import Admission, active, contract_covers
from saferoom.core.approval import CastVote, SubjectKind, state
from saferoom.core.closing import Closing
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.manifest import Manifest
from saferoom.core.policy import score_facts
from saferoom.core.proposals import PolicySet
from saferoom.core.purpose import check_necessary
from saferoom.core.release import ReleaseFacts, check_release
from saferoom.core.request import ScoreRequest, check_asked, check_fresh
from saferoom.core.state import GrantState, PartyState, VersionState
from saferoom.core.views import ViewSet
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Tampered, Unavailable
from saferoom.ports import Policy

_PARTY = locking.lockable_shared(
    sa.select(t.party.c.state, t.party.c.admission).where(t.party.c.party == sa.bindparam("party"))
)
_VERSION = locking.lockable_shared(
    sa.select(t.version.c.state).where(t.version.c.digest == sa.bindparam("digest"))
)
_STANDING = locking.lockable_shared(
    sa.select(t.standing.c.name, t.standing.c.digest)
    .where(t.standing.c.name.in_(["policy", "snapshot"]))
    .order_by(t.standing.c.name)
)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived, and when it first did: that is when it must be fresh."""

    statement: Statement
    request: ScoreRequest
    party: str  # the caller's
    key: str  # the idempotency key
    first_asked_at: datetime


@dataclass(frozen=True)
class Frame:
    """Everything that all enterprises of a request share."""

    asked: Asked
    manifest: Manifest
    admission: Admission
    caller: Enrolment
    party_state: PartyState
    version_state: VersionState
    approvers: tuple[str, ...]
    approved: bool
    categories: tuple[str, ...]
    highest_level: int
    policy: Policy
    snapshot: Digest
    find_template: FindTemplate
    now: datetime
    override: Digest | None  # of silent witnesses, where one is needed and in force
    closings: tuple[Closing, ...]  # of the logs before this one: grants of then are suspended

    def facts(self, charge_mbit: int) -> dict[str, Json]:
        """State the request for the policy set."""
        return score_facts(
            self.manifest,
            self.admission,
            self.caller,
            categories=self.categories,
            highest_level=self.highest_level,
            enterprises=len(self.asked.request.enterprises),
            charge_mbit=charge_mbit,
        )

    def release_facts(self, **of_enterprise: object) -> ReleaseFacts:
        """Join what is shared with what is one enterprise's."""
        purpose = self.asked.request.purpose
        facts: dict[str, object] = {
            "party_state": self.party_state,
            "contract_live": active(self.admission, self.now),
            "contract_covers": contract_covers(self.admission, purpose, self.categories),
            "version_state": self.version_state,
            "approvals_complete": self.approved,
            "request_signed": True,  # load_frame raised otherwise
            "purpose_matches": purpose is self.manifest.purpose,
            **of_enterprise,
        }
        return ReleaseFacts(**facts)  # type: ignore[arg-type]  # the callers' tests hold the names


def load_frame(
    connection: Connection, room: Room, asked: Asked, *, lock: bool, find: Lookup | None = None
) -> Frame:
    """Load and check what refuses the whole request; `find` says whose keys count."""
    manifest = loading.manifest_of(connection, asked.request.version)
    party = connection.execute(_PARTY[lock], {"party": manifest.bank}).one_or_none()
    version_state = connection.scalar(_VERSION[lock], {"digest": manifest.digest})
    standing = _standing(connection, lock=lock)
    if party is None or party.admission is None:
        raise Refusal("ORG_INACTIVE")
    agreed = _Agreed(party.admission, manifest, standing["policy"])
    papers = load_papers(connection, agreed.digests())
    admission = agreed.admission(connection, room, papers)
    votes = agreed.votes(connection, room, papers)
    policy = agreed.policy(connection, room, papers)
    stopped = suspensions.stopped(connection, [admission.digest, manifest.digest])
    views = agreed.views(papers)
    check_necessary(policy.purposes, manifest.purpose, views, manifest.features)
    levels = [int(view.level[1:]) for view in views.views if view.name in manifest.features]
    frame = Frame(
        asked=asked,
        manifest=manifest,
        admission=admission,
        caller=_check_signed(find or loading.lookup(connection), asked, manifest, admission),
        party_state=(
            PartyState.SUSPENDED if admission.digest in stopped else PartyState(party.state)
        ),
        version_state=(
            VersionState.SUSPENDED
            if manifest.digest in stopped
            else VersionState(str(version_state))
        ),
        approvers=tuple(one.voter.holder for one in votes),
        approved=state(SubjectKind.VERSION, votes) == "approved",
        categories=views.categories_of(manifest.features),
        highest_level=max(levels, default=1),
        policy=policy,
        snapshot=standing["snapshot"],
        find_template=partial(approved_template, room),
        now=room.clock(),
        override=witnessing.check_witnessed(connection, room),
        closings=room.closings,
    )
    _check_shared(frame)
    return frame


def _standing(connection: Connection, *, lock: bool) -> dict[str, Digest]:
    found = {row.name: Digest(row.digest) for row in connection.execute(_STANDING[lock])}
    if len(found) < 2:  # the policy set and the snapshot
        raise Unavailable("NOT_READY")
    return found


def check_caller(asked: Asked, find: Lookup) -> Enrolment:
    """Refuse a request that its bank did not sign, or that another party brings."""
    signer = check_signer(asked.statement, find, Role.MODELLER, Role.SYSTEM)
    if asked.party != signer.party:
        raise Refusal("ROLE", "the request is another party's")
    return signer


def _check_signed(
    find: Lookup, asked: Asked, manifest: Manifest, admission: Admission
) -> Enrolment:
    signer = check_caller(asked, find)
    check_asked(asked.request, signer, manifest, admission)
    check_fresh(asked.request, asked.first_asked_at)
    return signer


@dataclass(frozen=True)
class _Agreed:
    """What a score rests on: each was put up, signed, voted on; and is proved so again."""

    contract: Digest
    manifest: Manifest
    policy_set: Digest

    def digests(self) -> list[Digest]:
        return [self.contract, self.manifest.digest, self.policy_set, self.manifest.views]

    def admission(self, connection: Connection, room: Room, papers: Papers) -> Admission:
        paper, party = papers.get(self.contract), self.manifest.bank
        try:
            check_approved(connection, room, SubjectKind.ADMISSION, paper, party)
        except Refusal as error:
            raise Refusal("ORG_INACTIVE", "the contract was not agreed to") from error
        admission = loading.read(Admission, papers[self.contract].statement)
        if admission.party != party:
            raise Refusal("ORG_INACTIVE", "the contract is another party's")
        return admission

    def votes(self, connection: Connection, room: Room, papers: Papers) -> Sequence[CastVote]:
        paper = papers[self.manifest.digest]
        return check_votes(connection, room, SubjectKind.VERSION, paper, self.manifest.bank)

    def policy(self, connection: Connection, room: Room, papers: Papers) -> Policy:
        paper = papers.get(self.policy_set)
        try:
            check_approved(connection, room, SubjectKind.POLICY, paper, "")
        except Refusal as error:
            raise Refusal("POLICY_DENIED", "the policy set was not agreed to") from error
        stored = papers[self.policy_set].statement
        return room.load_policy(loading.read(PolicySet, stored).to_body())

    def views(self, papers: Papers) -> ViewSet:
        paper = papers.get(self.manifest.views)
        if paper is None:
            raise Unavailable("NOT_READY", "views")
        views = loading.read(ViewSet, paper.statement)
        if views.digest != self.manifest.views:
            raise Tampered("CONTENT_CHANGED", "views")
        return views


def _check_shared(frame: Frame) -> None:
    """Run the order of refusals with a perfect enterprise: what is left is shared."""
    check_release(
        frame.release_facts(
            grant_state=GrantState.GRANTED,
            grant_confirmed=True,
            grant_live=True,
            grant_covers=True,
            charge_mbit=0,
            spent_group_mbit=0,
            limit_mbit=0,
            spent_all_mbit=0,
            ceiling_mbit=0,
            charged_group_mbit=0,
            charged_all_mbit=0,
        )
    )
