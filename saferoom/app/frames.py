"""What does a score request stand in, apart from any one enterprise?

Loaded twice by the same code: for the pre-check without locks, and in the releasing
transaction with them. Signatures of the request and of every vote are checked each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import loading, locking, suspensions
from saferoom.app.context import Room
from saferoom.app.replaying import check_approved, check_votes, load_papers
from saferoom.canonical import Digest, Json
from saferoom.core.admission import Admission, active, contract_covers
from saferoom.core.approval import CastVote, SubjectKind, state
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.manifest import Manifest
from saferoom.core.policy import score_facts
from saferoom.core.release import ReleaseFacts, check_release
from saferoom.core.request import ScoreRequest, check_asked, check_fresh
from saferoom.core.state import GrantState, PartyState, VersionState
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable
from saferoom.ports import Policy


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
    now: datetime

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
    held = locking.shared if lock else locking.unlocked
    manifest = loading.manifest_of(connection, asked.request.version)
    party_query = sa.select(t.party.c.state).where(t.party.c.party == manifest.bank)
    party_state = connection.scalar(held(party_query))
    version_query = sa.select(t.version.c.state).where(t.version.c.digest == manifest.digest)
    version_state = connection.scalar(held(version_query))
    policy, snapshot = _standing(connection, room, lock=lock)
    admission = loading.admission_of(connection, manifest.bank)
    if party_state is None or admission is None:
        raise Refusal("ORG_INACTIVE")
    stopped = suspensions.stopped(connection, [admission.digest, manifest.digest])
    votes = _check_agreed(connection, room, manifest, admission, policy.digest)
    views = loading.views_of(connection, manifest.views)
    levels = [int(view.level[1:]) for view in views.views if view.name in manifest.features]
    frame = Frame(
        asked=asked,
        manifest=manifest,
        admission=admission,
        caller=_check_signed(find or loading.lookup(connection), asked, manifest, admission),
        party_state=(
            PartyState.SUSPENDED if admission.digest in stopped else PartyState(party_state)
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
        snapshot=snapshot,
        now=room.clock(),
    )
    _check_shared(frame)
    return frame


def _standing(connection: Connection, room: Room, *, lock: bool) -> tuple[Policy, Digest]:
    held = locking.shared if lock else locking.unlocked
    query = sa.select(t.standing).where(t.standing.c.name.in_(["policy", "snapshot"]))
    found = {
        row.name: row.digest for row in connection.execute(held(query.order_by(t.standing.c.name)))
    }
    if "policy" not in found or "snapshot" not in found:
        raise Unavailable("NOT_READY")
    policy = room.load_policy(loading.standing_subject(connection, "policy").body)
    return policy, Digest(found["snapshot"])


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


def _check_agreed(
    connection: Connection, room: Room, manifest: Manifest, admission: Admission, policy: Digest
) -> Sequence[CastVote]:
    """Prove what the contract, the version and the policy set rest on; return who voted."""
    papers = load_papers(connection, [admission.digest, manifest.digest, policy])
    contract, policy_set = papers.get(admission.digest), papers.get(policy)
    try:
        check_approved(connection, room, SubjectKind.ADMISSION, contract, admission.party)
    except Refusal as error:
        raise Refusal("ORG_INACTIVE", "the contract was not agreed to") from error
    if admission.party != manifest.bank:
        raise Refusal("ORG_INACTIVE", "the contract is another party's")
    version = papers[manifest.digest]
    votes = check_votes(connection, room, SubjectKind.VERSION, version, manifest.bank)
    try:
        check_approved(connection, room, SubjectKind.POLICY, policy_set, "")
    except Refusal as error:
        raise Refusal("POLICY_DENIED", "the policy set was not agreed to") from error
    return votes


def _check_shared(frame: Frame) -> None:
    """Run the order of refusals with a perfect enterprise: what is left is shared."""
    check_release(
        frame.release_facts(
            grant_state=GrantState.GRANTED,
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
