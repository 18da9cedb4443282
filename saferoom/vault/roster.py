"""Who is who, and what was agreed to, as far as the vault has verified it itself?

Every statement is checked by the core's rules before it counts, whoever brings it, also
when the vault's own journal is read again at a start. A body that is known already changes
nothing, whoever signs it again. State only: the journal and the lock are `memory.py`; no
clock, for what was accepted once is accepted at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from saferoom.canonical import Digest
from saferoom.core.admission import Admission
from saferoom.core.approval import CastVote, SubjectKind, Vote, check_vote, state
from saferoom.core.closing import Closing, confirmed
from saferoom.core.enrolment import (
    Enrolment,
    Role,
    check_enrolment,
    check_only_key,
    check_operators,
    check_signer,
)
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.grant import Revocable, Revocation, check_revocation, revoked
from saferoom.core.grant_text import GrantTemplate
from saferoom.core.manifest import Manifest
from saferoom.core.orders import EraseOrder
from saferoom.core.proposals import (
    Suspension,
    VersionSuspension,
    check_cast_since,
    check_newer,
    check_version_suspension,
)
from saferoom.core.remote import RemoteNode
from saferoom.core.source import SourceManifest
from saferoom.core.verification import Verifier
from saferoom.core.views import ViewSet
from saferoom.crypto.sealing import SealingPublicKey
from saferoom.crypto.signing import KeyId, Statement, VerifyKey
from saferoom.errors import BadInput, Refusal
from saferoom.vault.obeyed import Obeyed

Votable = Admission | GrantTemplate | Manifest | RemoteNode | SourceManifest | Verifier | ViewSet
CONNECTED: Mapping[str, type[SourceManifest | Verifier | RemoteNode]] = {
    kind.KIND: kind for kind in (SourceManifest, Verifier, RemoteNode)
}


@dataclass
class Subject:
    """Something put up for votes, and the votes so far."""

    kind: SubjectKind
    record: Votable
    party: str
    submitter: Enrolment
    cast: list[CastVote] = field(default_factory=list)
    closed: bool = False  # another admission or a suspension of its party came in between

    @property
    def approved(self) -> bool:
        """Say whether its chain is complete and nobody refused."""
        return state(self.kind, self.cast) == "approved"


class Roster:
    """The verified state."""

    def __init__(self, founders: Sequence[Enrolment], own: VerifyKey) -> None:
        """Start from the trust file's two operators; `own` is this vault's answer key."""
        self.erasures = Obeyed(own)
        self._in_force = {founder.key_id: founder for founder in founders}
        self._held = {founder.place: founder.key_id for founder in founders}
        self._known: set[tuple[Digest, frozenset[KeyId]]] = set()
        self._retired: set[KeyId] = set()
        self._subjects: dict[Digest, Subject] = {}
        self._admitted: dict[str, Subject] = {}
        self._revocations: dict[str, list[Revocation]] = {}
        self._suspended_at: dict[str, str] = {}  # party → its last suspension
        self._suspensions: set[Digest] = set()  # a suspension works once
        self._stopped: set[Digest] = set()
        self._closings: list[Closing] = []  # of the room's logs
        self._learners: Mapping[str, Callable[[Statement], None]] = {
            Enrolment.KIND: self._enrolment,
            Admission.KIND: self._admission,
            Manifest.KIND: self._version,
            ViewSet.KIND: self._views,
            SourceManifest.KIND: self._source,
            Verifier.KIND: self._source,
            RemoteNode.KIND: self._source,
            GrantTemplate.KIND: self._template,
            Vote.KIND: self._vote,
            Revocation.KIND: self._revocation,
            Closing.KIND: self._closing,
            Suspension.KIND: self._suspension,
            VersionSuspension.KIND: self._version_suspension,
            EraseOrder.KIND: lambda one: self.erasures.learn_order(one, self.lookup),
            ErasureCertificate.KIND: self.erasures.learn_certificate,
        }

    def lookup(self, key: KeyId) -> Enrolment | None:
        """Find the enrolment in force: the rules' Lookup."""
        return self._in_force.get(key)

    def sealing_keys(self, party: str, role: Role) -> list[SealingPublicKey]:
        """Name what may be sealed to a party's people of this role."""
        held = (one for one in self._in_force.values() if (one.party, one.role) == (party, role))
        return [SealingPublicKey.from_hex(one.sealing_key) for one in held]

    def learn(self, statement: Statement) -> bool:
        """Verify and accept; False if it was known."""
        # Two voters may sign one body, so a statement is known by body and signers.
        known = (statement.digest, frozenset(statement.signers()))
        if known in self._known:
            return False
        learner = self._learners.get(statement.kind)
        if learner is None:
            raise BadInput("FIELD_INVALID", "kind")
        learner(statement)
        self._known.add(known)
        return True

    def version(self, digest: Digest) -> Subject | None:
        """Find a version that was put up and is not suspended."""
        subject = self._subjects.get(digest)
        if subject is None or subject.kind is not SubjectKind.VERSION:
            return None
        return None if digest in self._stopped else subject

    def admission(self, party: str) -> Admission | None:
        """Find the contract in force; None while the party is suspended."""
        subject = self._admitted.get(party)
        if subject is None:
            return None
        assert isinstance(subject.record, Admission)
        return subject.record

    def approved(self, digest: Digest) -> bool:
        """Say whether this view set or source was approved."""
        subject = self._subjects.get(digest)
        return subject is not None and subject.approved

    def template(self, digest: Digest) -> GrantTemplate | None:
        """Find the wording of grants, if two operators approved it."""
        subject = self._subjects.get(digest)
        if subject is None or not subject.approved:
            return None
        return subject.record if isinstance(subject.record, GrantTemplate) else None

    def revoked(self, grant: Revocable) -> bool:
        """Say whether the enterprise took this grant back, or signed it before it did."""
        return revoked(grant, self._revocations.get(grant.enterprise, ()))

    def confirmed(self, grant: Revocable) -> bool:
        """Say whether it was signed since entries of the room's log were lost."""
        return confirmed(grant.signed_at, self._closings)

    def _enrolment(self, statement: Statement) -> None:
        enrolment = check_enrolment(statement, self.lookup)
        if enrolment.key_id in self._retired:
            raise Refusal("KEY_UNKNOWN", "a replaced key does not come back")
        check_only_key(enrolment, self._held)
        if enrolment.replaces is not None:
            del self._in_force[enrolment.replaces]
            self._retired.add(enrolment.replaces)
        self._in_force[enrolment.key_id] = enrolment
        self._held[enrolment.place] = enrolment.key_id

    def _admission(self, statement: Statement) -> None:
        submitter = check_signer(statement, self.lookup, Role.OPERATOR)
        admission = Admission.from_body(statement.body)
        self._put_up(statement, SubjectKind.ADMISSION, admission, admission.party, submitter)

    def _views(self, statement: Statement) -> None:
        submitter = check_signer(statement, self.lookup, Role.OPERATOR)
        views = ViewSet.from_body(statement.body)
        self._put_up(statement, SubjectKind.VIEWS, views, submitter.party, submitter)

    def _template(self, statement: Statement) -> None:
        submitter = check_signer(statement, self.lookup, Role.OPERATOR)
        template = GrantTemplate.from_body(statement.body)
        self._put_up(statement, SubjectKind.TEMPLATE, template, submitter.party, submitter)

    def _source(self, statement: Statement) -> None:
        submitter = check_signer(statement, self.lookup, Role.OPERATOR, Role.STEWARD)
        source = CONNECTED[statement.kind].from_body(statement.body)
        if submitter.role is Role.STEWARD and submitter.party != source.party:
            raise Refusal("ROLE", "another party's steward")
        self._put_up(statement, SubjectKind.SOURCE, source, source.party, submitter)

    def _version(self, statement: Statement) -> None:
        submitter = check_signer(statement, self.lookup, Role.MODELLER)
        manifest = Manifest.from_body(statement.body)
        if submitter.party != manifest.bank:
            raise Refusal("ROLE", "another party's modeller")
        self._put_up(statement, SubjectKind.VERSION, manifest, manifest.bank, submitter)

    def _put_up(
        self,
        statement: Statement,
        kind: SubjectKind,
        record: Votable,
        party: str,
        submitter: Enrolment,
    ) -> None:
        known = self._subjects.get(statement.digest)
        if known is None:  # else whoever signs it again would reset its submitter and votes
            self._subjects[statement.digest] = Subject(kind, record, party, submitter)

    def _vote(self, statement: Statement) -> None:
        vote = Vote.from_body(statement.body)
        subject = self._subjects.get(vote.subject)
        if subject is None:
            raise Refusal("VOTE_INVALID", "the vault does not know the subject")
        if subject.closed:
            raise Refusal("VOTE_INVALID", "the subject is closed")
        if subject.kind is SubjectKind.ADMISSION:
            check_cast_since(vote, self._suspended_at.get(subject.party))
        cast = check_vote(
            statement, subject.kind, subject.submitter, subject.cast, self.lookup, subject.party
        )
        subject.cast.append(cast)
        if subject.approved and subject.kind is SubjectKind.ADMISSION:
            self._admitted[subject.party] = subject
            self._close_admissions(subject.party)

    def _revocation(self, statement: Statement) -> None:
        revocation = check_revocation(statement, self.lookup)
        self._revocations.setdefault(revocation.enterprise, []).append(revocation)

    def _closing(self, statement: Statement) -> None:
        check_operators(statement, self.lookup, 2)
        self._closings.append(Closing.from_body(statement.body))

    def _suspension(self, statement: Statement) -> None:
        """Two operators stop a party; only a contract put up afterwards lets it on again.

        How long ago they signed is not asked: the vault may have been away meanwhile.
        """
        check_operators(statement, self.lookup, 2)
        suspension = Suspension.from_body(statement.body)
        if statement.digest in self._suspensions:  # signed again by other operators
            return
        if suspension.party in self._admitted:
            check_newer(suspension.suspended_at, self._admitted[suspension.party].cast)
            del self._admitted[suspension.party]
        self._suspensions.add(statement.digest)
        before = self._suspended_at.get(suspension.party, "")
        self._suspended_at[suspension.party] = max(before, suspension.suspended_at)
        self._close_admissions(suspension.party)

    def _version_suspension(self, statement: Statement) -> None:
        """Stop a version for good; an operator or its bank signs."""
        suspension = VersionSuspension.from_body(statement.body)
        subject = self._subjects.get(suspension.version)
        if subject is None or subject.kind is not SubjectKind.VERSION:
            raise Refusal("MODEL_UNFILED")
        check_version_suspension(statement, self.lookup, subject.party)
        self._stopped.add(suspension.version)

    def _close_admissions(self, party: str) -> None:
        """End every admission of this party that still waits for votes."""
        for subject in self._subjects.values():
            if subject.kind is SubjectKind.ADMISSION and subject.party == party:
                subject.closed = True


def version_of(subject: Subject) -> Manifest:
    """Return the manifest of a version's subject."""
    assert isinstance(subject.record, Manifest)
    return subject.record
