"""How does someone say something that the room will believe?

An `Author` is a key folder with a clock and randomness. Each method makes one kind of
statement and signs it; nothing here talks to the room. Others add their signatures with
`countersign`: an enrolment needs its own key and two operators, a suspension two operators.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.terms import Terms
from saferoom.core.admission import Admission, PartyKind
from saferoom.core.approval import Decision, Vote
from saferoom.core.budget import DEFAULT_BUDGET_MBIT, DEFAULT_CEILING_MBIT, Budget
from saferoom.core.contact import Contact
from saferoom.core.dispute import Dispute, Why
from saferoom.core.enrolment import Enrolment, Signatory
from saferoom.core.grant import Grant, Revocation
from saferoom.core.grant_text import worded
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Manifest, ModelFormat, Purpose
from saferoom.core.moment import write_instant
from saferoom.core.orders import (
    EraseOrder,
    IngestOrder,
    KeyBackupOrder,
    OrderedFile,
    ProfileOrder,
    RotateOrder,
    SnapshotOrder,
)
from saferoom.core.override import Override
from saferoom.core.own_record import OwnRecordOrder
from saferoom.core.proposals import Exit, Suspension, VersionSuspension
from saferoom.core.request import ScoreRequest
from saferoom.core.trust import Trust
from saferoom.core.witnesses import WitnessKey, WitnessSet
from saferoom.crypto.sealing import SealingPublicKey
from saferoom.crypto.signing import KeyId, Signature, Statement, sign_statement
from saferoom.errors import BadInput

DEFAULT_RETENTION_DAYS = 365  # for which a bank may keep an answer
TOKEN_REQUEST = "saferoom/token-request/1"  # noqa: S105  # a kind's name


Signable = (
    Admission
    | Budget
    | Contact
    | Dispute
    | Enrolment
    | EraseOrder
    | Exit
    | Grant
    | IngestOrder
    | KeyBackupOrder
    | Manifest
    | Override
    | OwnRecordOrder
    | ProfileOrder
    | Revocation
    | RotateOrder
    | ScoreRequest
    | SnapshotOrder
    | Suspension
    | VersionSuspension
    | WitnessSet
    | Vote
)


def utc_now() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)


def countersign(statement: Statement, *others: KeyFolder) -> Statement:
    """Add signatures over the same body; its digest stays the same."""
    marks = [
        Signature(keys.signing.public.id, keys.signing.sign(statement.body)) for keys in others
    ]
    return Statement(statement.body, (*statement.signatures, *marks))


@dataclass(frozen=True)
class Author:
    """One person or system who signs."""

    keys: KeyFolder
    clock: Callable[[], datetime] = utc_now
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    def sign(self, body: Mapping[str, Json]) -> Statement:
        """Sign a body as it is: view sets, source manifests, policy sets."""
        return sign_statement(body, [self.keys.signing])

    def enrolment(self, replaces: KeyId | None = None) -> Statement:
        """Ask for one's own key to be enrolled; two operators countersign."""
        return self._sign(
            Enrolment(
                holder=self.keys.holder,
                party=self.keys.party,
                role=self.keys.role,
                signing_key=self.keys.signing.public.raw.hex(),
                sealing_key=self.keys.sealing.public.raw.hex(),
                replaces=replaces,
                valid_from=self._now(),
                nonce=self._nonce(),
            )
        )

    def admission(
        self,
        party: str,
        party_kind: PartyKind,
        name: str,
        *,
        contact: str,
        purposes: Sequence[str],
        categories: Sequence[str],
        valid_from: str,
        valid_until: str,
        group: str | None = None,
    ) -> Statement:
        """Put an organisation and its contract up for the operators' votes."""
        return self._sign(
            Admission(
                party=party,
                party_kind=party_kind,
                name=name,
                contact=contact,
                group=party if group is None else group,
                purposes=tuple(purposes),
                categories=tuple(categories),
                valid_from=valid_from,
                valid_until=valid_until,
                nonce=self._nonce(),
            )
        )

    def suspension(self, party: str, reason: str) -> Statement:
        """Stop an organisation; another operator countersigns."""
        return self._sign(
            Suspension(party=party, reason=reason, suspended_at=self._now(), nonce=self._nonce())
        )

    def exit(self, party: str, reason: str) -> Statement:
        """End a suspended organisation's place for good; another operator countersigns."""
        return self._sign(
            Exit(party=party, reason=reason, exited_at=self._now(), nonce=self._nonce())
        )

    def version_suspension(self, version: Digest, reason: str) -> Statement:
        """Stop a version for good, as an operator or for its bank."""
        return self._sign(
            VersionSuspension(
                version=version, reason=reason, suspended_at=self._now(), nonce=self._nonce()
            )
        )

    def own_record_order(self, seal_to: SealingPublicKey, vault: str) -> Statement:
        """Order, as an enterprise, one's own rows of this vault, sealed to this key."""
        return self._sign(
            OwnRecordOrder(
                enterprise=self.keys.party,
                seal_to=seal_to.raw.hex(),
                vault=vault,
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def dispute(self, batch: int, row: int, why: Why) -> Statement:
        """Say, as an enterprise, that a row of one's own record is wrong."""
        return self._sign(
            Dispute(
                enterprise=self.keys.party,
                batch=batch,
                row=row,
                why=why,
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def contact(self, address: str) -> Statement:
        """Say where one's own party's notices are to go."""
        return self._sign(
            Contact(party=self.keys.party, address=address, set_at=self._now(), nonce=self._nonce())
        )

    def vote(self, subject: Digest, step: str, decision: Decision = Decision.APPROVE) -> Statement:
        """Say yes or no to one digest at one step."""
        return self._sign(
            Vote(
                subject=subject,
                step=step,
                decision=decision,
                cast_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def version(
        self,
        sealed_artefact: bytes,
        *,
        group: str,
        name: str,
        purpose: Purpose,
        model_format: ModelFormat,
        features: Sequence[str],
        views: Digest,
        grades: Sequence[str],
    ) -> Statement:
        """Declare one model version; grades will be sealed to the bank's delivery key."""
        if self.keys.delivery is None:
            raise BadInput("KEY_FOLDER", "it has no delivery key to receive grades with")
        return self._sign(
            Manifest(
                bank=self.keys.party,
                group=group,
                name=name,
                purpose=purpose,
                model_format=model_format,
                artefact=digest_bytes(sealed_artefact),
                artefact_bytes=len(sealed_artefact),
                features=tuple(features),
                views=views,
                grades=tuple(grades),
                delivery_key=self.keys.delivery.public.raw.hex(),
                created_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def budget(
        self,
        group: str,
        *,
        limit_mbit: int = DEFAULT_BUDGET_MBIT,
        ceiling_mbit: int = DEFAULT_CEILING_MBIT,
        replaces: Digest | None = None,
        revealed_mbit: int = 0,
    ) -> Statement:
        """Limit, as an enterprise, what a bank group may ever learn."""
        return self._sign(
            Budget(
                enterprise=self.keys.holder,
                group=group,
                limit_mbit=limit_mbit,
                ceiling_mbit=ceiling_mbit,
                replaces=replaces,
                revealed_mbit=revealed_mbit,
                signed_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def draft_grant(
        self,
        terms: Terms,
        *,
        enterprise_name: str,
        signatory: str,
        budget: Budget,
        valid_from: str,
        valid_until: str,
        risk_ticked: bool,
        representative_ticked: bool = False,
        signatory_role: Signatory = Signatory.LEGAL_REPRESENTATIVE,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        renews: Digest | None = None,
    ) -> Grant:
        """Word a permit, as an enterprise, one version for one period; unticked it does not exist.

        `renews` names the enterprise's latest grant for this version, also one that ended. Its
        text is rendered from all the other fields: `grant_text.render` shows it.
        """
        version = terms.manifest
        grant = Grant(
            enterprise=self.keys.holder,
            enterprise_name=enterprise_name,
            signatory=signatory,
            signatory_role=signatory_role,
            bank=version.bank,
            bank_name=terms.bank_name,
            bank_contact=terms.bank_contact,
            group=version.group,
            version=version.digest,
            model_name=version.name,
            purpose=version.purpose,
            categories=terms.categories,
            outcomes=len(version.outcomes),
            charge_mbit=charge_mbit(len(version.outcomes)),
            budget=budget.digest,
            budget_mbit=budget.limit_mbit,
            valid_from=valid_from,
            valid_until=valid_until,
            retention_days=retention_days,
            template=terms.template.digest,
            text=Digest("00" * 32),
            risk_ticked=risk_ticked,
            representative_ticked=representative_ticked,
            renews=renews,
            signed_at=self._now(),
            nonce=self._nonce(),
        )
        return worded(terms.template, grant)

    def grant(
        self,
        terms: Terms,
        **fields: Any,  # Any: as `draft_grant` names and types them
    ) -> Statement:
        """Permit what `draft_grant` words, without a second look."""
        return self.sign_draft(self.draft_grant(terms, **fields))

    def sign_draft(self, grant: Grant) -> Statement:
        """Sign what was read."""
        return self._sign(grant)

    def revocation(self, grant: Digest, version: Digest) -> Statement:
        """Take a grant back, and all that was signed for its version up to now."""
        return self._sign(
            Revocation(
                enterprise=self.keys.holder,
                grant=grant,
                version=version,
                revoked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def score_request(
        self,
        version: Digest,
        purpose: Purpose,
        enterprises: Sequence[str],
        loan_reference: str,
    ) -> Statement:
        """Ask for scores; the nonce is the ticket that the vault answers once."""
        return self._sign(
            ScoreRequest(
                version=version,
                purpose=purpose,
                loan_reference=loan_reference,
                enterprises=tuple(enterprises),
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def ingest_order(self, connector: str, files: Mapping[str, Digest] | None = None) -> Statement:
        """Have, as its steward, a connector's folder read: exactly these files, where given."""
        named = (
            None
            if files is None
            else tuple(OrderedFile(name=name, sha256=digest) for name, digest in files.items())
        )
        return self._sign(
            IngestOrder(
                party=self.keys.party,
                connector=connector,
                files=named,
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def snapshot_order(self, as_of: str) -> Statement:
        """Have, as an operator, all views computed as of the end of a local day."""
        return self._sign(SnapshotOrder(as_of=as_of, asked_at=self._now(), nonce=self._nonce()))

    def erase_order(self, enterprise: str, evidence: Digest | None = None) -> Statement:
        """Have one's own data erased; two operators name the paper by which they were asked."""
        return self._sign(
            EraseOrder(
                enterprise=enterprise,
                evidence=evidence,
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def override(self, origin: str, reason: str, lasts: timedelta) -> Statement:
        """Let releases of one log go on without witnesses; the other operator countersigns."""
        now = self.clock()
        return self._sign(
            Override(
                origin=origin,
                reason=reason,
                valid_from=write_instant(now),
                valid_until=write_instant(now + lasts),
                nonce=self._nonce(),
            )
        )

    def witness_set(
        self, trust: Trust, reason: str, keys: Sequence[WitnessKey], quorum: int, begins: datetime
    ) -> Statement:
        """Name the witnesses from an instant on; the other operator countersigns."""
        return self._sign(
            WitnessSet(
                origin=trust.origin,
                previous=trust.eras[-1].digest,
                reason=reason,
                valid_from=write_instant(begins),
                quorum=quorum,
                witnesses=tuple(keys),
                nonce=self._nonce(),
            )
        )

    def rotate_order(self) -> Statement:
        """Have every key of what rests changed; another operator signs too."""
        return self._sign(RotateOrder(asked_at=self._now(), nonce=self._nonce()))

    def key_backup_order(self, custodian: str, kept_days: int) -> Statement:
        """Have a copy of the keys sealed to a custodian; another operator signs too."""
        return self._sign(
            KeyBackupOrder(
                custodian=custodian,
                kept_days=kept_days,
                asked_at=self._now(),
                nonce=self._nonce(),
            )
        )

    def profile_order(self, views: Iterable[str]) -> Statement:
        """Ask, as a steward or an operator, how features are distributed."""
        names = tuple(sorted(set(views)))
        return self._sign(ProfileOrder(views=names, asked_at=self._now(), nonce=self._nonce()))

    def token_request(self, origin: str) -> Statement:
        """Ask one room for a bearer token by showing that the enrolled key is held."""
        return self.sign(
            {
                "kind": TOKEN_REQUEST,
                "origin": origin,
                "holder": self.keys.holder,
                "asked_at": self._now(),
                "nonce": self._nonce(),
            }
        )

    def _sign(self, record: Signable) -> Statement:
        return self.sign(record.to_body())

    def _now(self) -> str:
        return write_instant(self.clock())

    def _nonce(self) -> str:
        return self.random_bytes(16).hex()
