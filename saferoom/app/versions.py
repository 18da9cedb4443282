"""Which model versions are there, and in which state?

A bank sees its own, an enterprise those that it granted at some time, operators and auditors
all. None of them sees thresholds, points or weights: those are sealed to the vault.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading, suspensions
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.subjects import put_up
from saferoom.app.teaching import queue, teach, teach_now
from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.admission import check_active, check_contract
from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Enrolment, Role, check_signer
from saferoom.core.manifest import Manifest
from saferoom.core.proposals import VersionSuspension, check_version_suspension
from saferoom.core.purpose import check_necessary
from saferoom.core.state import VERSION, PartyState, VersionState, check_transition
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Refusal, Tampered
from saferoom.ports import ModelFindings

_SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})
_STOPS = frozenset({Role.MODELLER, Role.APPROVER})  # their own bank's; an operator any


@dataclass(frozen=True)
class Submitted:
    """A version that was read strictly and now waits for votes."""

    digest: Digest
    findings: ModelFindings
    self_reported: tuple[str, ...]  # of its features: they read an enterprise's own word


def submit(room: Room, _caller: Caller, statement: Statement, artefact: bytes) -> Submitted:
    """Check a sealed model in the vault's cage and put the version up for votes."""
    manifest = Manifest.from_body(statement.body)
    if (digest_bytes(artefact), len(artefact)) != (manifest.artefact, manifest.artefact_bytes):
        raise Tampered("CONTENT_CHANGED", "artefact")
    with reading(room.database) as connection:
        _check(connection, room, statement, manifest)
        own = loading.views_of(connection, manifest.views).self_reported(manifest.features)
        stored = connection.scalar(_findings_of(manifest.digest))
    if stored is not None:
        return Submitted(manifest.digest, _read_findings(stored), own)
    teach(room)  # the vault checks the submitter's key itself
    findings = room.vault.check_model(statement, artefact)
    with writing(room.database) as connection:
        signer = _check(connection, room, statement, manifest)
        kind = SubjectKind.VERSION
        if put_up(connection, room, statement, kind=kind, party=manifest.bank, submitter=signer):
            _store(connection, room, manifest, findings, signer)
            queue(connection, [statement])
    teach_now(room)
    return Submitted(manifest.digest, findings, own)


def list_versions(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """List the versions that this caller may know of."""
    query = sa.select(t.version.c.digest).where(_known_to(caller)).order_by(t.version.c.digest)
    with reading(room.database) as connection:
        return [_describe(connection, digest) for digest in connection.scalars(query).all()]


def get_version(room: Room, caller: Caller, digest: str) -> dict[str, Json]:
    """Show one: manifest body, state, findings, votes."""
    with reading(room.database) as connection:
        query = sa.select(t.version.c.digest).where(t.version.c.digest == digest)
        if connection.scalar(query.where(_known_to(caller))) is None:
            raise NotFound("NOT_FOUND", "version")
        return _describe(connection, digest)


def _known_to(caller: Caller) -> sa.ColumnElement[bool]:
    if caller.role in _SEES_ALL:
        return sa.true()
    if caller.role is not Role.ENTERPRISE:
        return t.version.c.bank == caller.party
    granted = sa.select(t.permission.c.version).where(t.permission.c.enterprise == caller.party)
    return t.version.c.digest.in_(granted)


def suspend(room: Room, caller: Caller, digest: str, statement: Statement) -> str:
    """Stop a version, at once and for good; one signature of those who may bring it.

    It needs no second person: it only takes away.
    """
    suspension = VersionSuspension.from_body(statement.body)
    if suspension.version != digest:
        raise BadInput("FIELD_INVALID", "version")
    with writing(room.database) as connection:
        query = sa.select(t.version.c.state, t.version.c.bank).where(t.version.c.digest == digest)
        row = connection.execute(query.where(_known_to(caller)).with_for_update()).one_or_none()
        if row is None:
            raise NotFound("NOT_FOUND", "version")
        own = caller.role in _STOPS and caller.party == row.bank
        if not (caller.role is Role.OPERATOR or own):
            raise Refusal("ROLE")
        signer = check_version_suspension(statement, loading.lookup(connection), row.bank)
        state = check_transition(VERSION, VersionState(row.state), "suspend")
        suspensions.check_timely(connection, suspension.suspended_at, digest, room.clock())
        suspensions.store(connection, statement, digest)
        change = sa.update(t.version).where(t.version.c.digest == digest)
        connection.execute(change.values(state=str(state)))
        personal: dict[str, Json] = {"by": signer.holder, "statement": statement.digest}
        artefacts = {"version": Digest(digest)}
        draft = Draft("version_suspended", row.bank, personal, artefacts, concerns=[row.bank])
        write_entry(connection, room, draft)
        queue(connection, [statement])
    teach_now(room)
    return str(state)


def _check(
    connection: Connection, room: Room, statement: Statement, manifest: Manifest
) -> Enrolment:
    """Refuse what could never be approved or scored."""
    signer = check_signer(statement, loading.lookup(connection), Role.MODELLER)
    if signer.party != manifest.bank:
        raise Refusal("ROLE", "the version is another party's")
    _check_admitted(connection, room, manifest)
    if manifest.views != loading.standing(connection, "views"):
        raise Refusal("VIEW_UNAPPROVED")
    views = loading.views_of(connection, manifest.views)
    if not set(manifest.features) <= set(views.names()):
        raise BadInput("MODEL_FEATURE_UNKNOWN")
    admission = loading.admission_of(connection, manifest.bank)
    assert admission is not None
    check_contract(admission, manifest.purpose, views.categories_of(manifest.features))
    _surplus(connection, room, manifest)
    return signer


def _surplus(connection: Connection, room: Room, manifest: Manifest) -> list[Json]:
    """Name the views that the purpose does not need; MIN_NECESSARY where they are refused."""
    if loading.standing(connection, "policy") is None:
        return []  # and nothing is scored before there is one
    policy = room.load_policy(loading.standing_subject(connection, "policy").body)
    views = loading.views_of(connection, manifest.views)
    return [*check_necessary(policy.purposes, manifest.purpose, views, manifest.features)]


def _check_admitted(connection: Connection, room: Room, manifest: Manifest) -> None:
    query = sa.select(t.party.c.state).where(t.party.c.party == manifest.bank)
    if connection.scalar(query) != PartyState.ADMITTED:
        raise Refusal("ORG_INACTIVE")
    admission = loading.admission_of(connection, manifest.bank)
    check_active(admission, room.clock())
    assert admission is not None
    if admission.group != manifest.group:
        raise Refusal("CONTRACT_SCOPE", "group")


def _store(
    connection: Connection,
    room: Room,
    manifest: Manifest,
    findings: ModelFindings,
    signer: Enrolment,
) -> None:
    state = check_transition(VERSION, VERSION.start, "submit")
    row = {
        "digest": manifest.digest,
        "bank": manifest.bank,
        "purpose": str(manifest.purpose),
        "state": str(check_transition(VERSION, state, "check")),
        "findings": canonical_bytes(
            {
                "features": findings.features,
                "scorer": findings.scorer,
                "parts": findings.parts,
                "leaves": findings.leaves,
                "grades": findings.grades,
                "depth": findings.depth,
                "surplus": _surplus(connection, room, manifest),
                "self_reported": [
                    *loading.views_of(connection, manifest.views).self_reported(manifest.features)
                ],
            }
        ),
    }
    connection.execute(sa.insert(t.version).values(row))
    personal: dict[str, Json] = {"bank": manifest.bank, "submitter": signer.holder}
    artefacts = {"version": manifest.digest}
    write_entry(connection, room, Draft("version_submitted", manifest.bank, personal, artefacts))


def _findings_of(digest: str) -> sa.Select[bytes]:
    return sa.select(t.version.c.findings).where(t.version.c.digest == digest)


def _read_findings(stored: bytes) -> ModelFindings:
    body = parse_object(stored)
    features = body.pop("features")
    for ours in ("surplus", "self_reported"):  # the policy's findings, not the vault's
        body.pop(ours, None)
    assert isinstance(features, list)
    return ModelFindings(features=tuple(str(name) for name in features), **body)  # type: ignore[arg-type]  # as _store wrote it


def _describe(connection: Connection, digest: str) -> dict[str, Json]:
    query = (
        sa.select(t.version.c.state, t.version.c.findings, t.subject.c.statement)
        .join(t.subject, t.subject.c.digest == t.version.c.digest)
        .where(t.version.c.digest == digest)
    )
    row = connection.execute(query).one()
    return {
        "digest": digest,
        "state": row.state,
        "manifest": Statement.from_bytes(row.statement).body,
        "findings": parse_object(row.findings),
        "votes": [
            {
                "step": one.vote.step,
                "decision": str(one.vote.decision),
                "voter": one.voter.holder,
                "party": one.voter.party,
                "cast_at": one.vote.cast_at,
            }
            for one in loading.cast_votes(connection, digest)
        ],
    }
