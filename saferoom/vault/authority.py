"""May this request be evaluated at all, and for which enterprises?

The vault's own answer, from signatures that it verifies itself: nothing that a caller
says counts. Refusals of the whole request raise; those of one enterprise are collected,
and none of them needs its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Digest
from saferoom.core.admission import PartyKind, check_active, check_contract
from saferoom.core.approval import SubjectKind, check_complete
from saferoom.core.enrolment import Role, check_signer
from saferoom.core.grant import check_covers, check_grant
from saferoom.core.grant_text import check_text
from saferoom.core.manifest import Manifest
from saferoom.core.orders import IngestOrder, check_ingest_order
from saferoom.core.request import ScoreRequest, check_request
from saferoom.core.source import SourceManifest
from saferoom.core.views import ViewSet
from saferoom.crypto.sealing import SealingPublicKey
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, SaferoomError
from saferoom.vault.roster import Roster, version_of


@dataclass(frozen=True)
class Permit:
    """Who may be evaluated for what; made only by `check_score`."""

    request: ScoreRequest
    ticket: Digest
    manifest: Manifest
    granted: Mapping[str, SealingPublicKey]  # in the request's order
    refusals: Mapping[str, str]


def check_score(
    roster: Roster,
    request: Statement,
    grants: Sequence[Statement],
    views: ViewSet,
    now: datetime,
) -> Permit:
    """Verify a request and each of its grants."""
    manifest = _version(roster, request)
    admission = roster.admission(manifest.bank)
    asked, _ = check_request(request, roster.lookup, manifest, admission, now)
    categories = views.categories_of(manifest.features)
    assert admission is not None  # check_request refused
    check_contract(admission, asked.purpose, categories)
    if manifest.views != views.digest or not roster.approved(views.digest):
        raise Refusal("VIEW_UNAPPROVED")
    by_enterprise = _sort(grants, asked)
    granted: dict[str, SealingPublicKey] = {}
    refusals: dict[str, str] = {}
    for enterprise in asked.enterprises:
        try:
            statement = by_enterprise.get(enterprise)
            granted[enterprise] = _check_one(roster, statement, manifest, categories, now)
        except SaferoomError as error:
            refusals[enterprise] = error.code
    return Permit(asked, request.digest, manifest, granted, refusals)


def check_ingestion(
    roster: Roster, statement: Statement, source: SourceManifest, now: datetime
) -> IngestOrder:
    """Verify that an admitted source's steward has its approved connector read."""
    order = check_ingest_order(statement, roster.lookup, source.party, now)
    admission = roster.admission(source.party)
    check_active(admission, now)
    assert admission is not None  # check_active refused
    tables = {one.table for one in source.tables}
    if admission.party_kind is not PartyKind.SOURCE or not tables <= set(admission.categories):
        raise Refusal("CONTRACT_SCOPE", "tables")
    if not roster.approved(source.digest):
        raise Refusal("APPROVAL_MISSING", "the source's connector")
    return order


def check_submission(
    roster: Roster, statement: Statement, views: ViewSet, now: datetime
) -> Manifest:
    """Verify that an admitted bank's modeller submits, against the catalogue as it is."""
    signer = check_signer(statement, roster.lookup, Role.MODELLER)
    manifest = Manifest.from_body(statement.body)
    if signer.party != manifest.bank:
        raise Refusal("ROLE", "another party's modeller")
    admission = roster.admission(manifest.bank)
    check_active(admission, now)
    assert admission is not None  # check_active refused
    if admission.group != manifest.group:
        raise Refusal("CONTRACT_SCOPE", "group")
    unknown = set(manifest.features) - set(views.names())
    if unknown:
        raise BadInput("MODEL_FEATURE_UNKNOWN", f"features: {len(unknown)}")
    if manifest.views != views.digest or not roster.approved(views.digest):
        raise Refusal("VIEW_UNAPPROVED")
    check_contract(admission, manifest.purpose, views.categories_of(manifest.features))
    return manifest


def _version(roster: Roster, request: Statement) -> Manifest:
    version = request.body.get("version")
    subject = roster.version(Digest(version)) if isinstance(version, str) else None
    if subject is None:
        raise Refusal("MODEL_UNFILED")
    check_complete(SubjectKind.VERSION, subject.cast)
    return version_of(subject)


def _sort(grants: Sequence[Statement], request: ScoreRequest) -> dict[str, Statement]:
    sorted_grants: dict[str, Statement] = {}
    for statement in grants:
        enterprise = statement.body.get("enterprise")
        if not isinstance(enterprise, str) or enterprise in sorted_grants:
            raise BadInput("FIELD_INVALID", "one grant for each enterprise")
        sorted_grants[enterprise] = statement
    if not set(sorted_grants) <= set(request.enterprises):
        raise BadInput("FIELD_INVALID", "a grant of an enterprise that was not asked for")
    return sorted_grants


def _check_one(
    roster: Roster,
    statement: Statement | None,
    manifest: Manifest,
    categories: tuple[str, ...],
    now: datetime,
) -> SealingPublicKey:
    """Return whom to seal to: the enterprise whose key signed the grant."""
    if statement is None:
        raise Refusal("AUTH_MISSING")
    grant = check_grant(statement, roster.lookup)
    if roster.revoked(grant):
        raise Refusal("AUTH_REVOKED")
    if not roster.confirmed(grant):
        raise Refusal("AUTH_UNCONFIRMED")
    check_covers(grant, manifest, categories, manifest.purpose, manifest.bank, now)
    check_text(roster.template(grant.template), grant)
    signer = roster.lookup(statement.signatures[0].key)
    assert signer is not None  # check_grant refused
    return SealingPublicKey.from_hex(signer.sealing_key)
