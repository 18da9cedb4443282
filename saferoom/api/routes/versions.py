"""How does a bank's model come in, and in which state is it?"""

from __future__ import annotations

import dataclasses
from typing import cast

from fastapi import APIRouter, Request

from saferoom.api import throttle
from saferoom.api.callers import TheCaller, TheRoom, TheWrite
from saferoom.api.models import DigestPath, One, Open, StateOut, SubmittedOut, VersionIn
from saferoom.app import terms, versions
from saferoom.canonical import Json, digest_bytes

router = APIRouter(prefix="/v1/versions", tags=["versions"])


@router.post("", response_model=SubmittedOut)
def submit(body: VersionIn, request: Request, write: TheWrite) -> Json:
    """Submit a version; the vault reads its sealed artefact strictly, in a cage."""
    quotas = cast("throttle.Quotas", request.app.state.quotas)
    quotas.submissions.spend(write.caller.party, write.room.clock())
    statement, artefact = body.statement.read(), bytes.fromhex(body.artefact)

    def act() -> Json:
        submitted = versions.submit(write.room, write.caller, statement, artefact)
        findings = dataclasses.asdict(submitted.findings)
        findings["features"] = list(submitted.findings.features)
        own: list[Json] = [*submitted.self_reported]
        return {"digest": submitted.digest, "findings": findings, "self_reported": own}

    # The artefact is named by its digest: canonical bytes of 128 MiB of text help nobody.
    return write.once({"statement": statement.to_json(), "artefact": digest_bytes(artefact)}, act)


@router.get("", response_model=Open)
def list_versions(room: TheRoom, caller: TheCaller) -> Json:
    """List the versions that the caller may know of."""
    return {"versions": [*versions.list_versions(room, caller)]}


@router.get("/{digest}", response_model=Open)
def get_version(digest: DigestPath, room: TheRoom, caller: TheCaller) -> Json:
    """Show one version: manifest, state, findings, votes."""
    return versions.get_version(room, caller, digest)


@router.get("/{digest}/terms", response_model=Open)
def show_terms(digest: DigestPath, room: TheRoom, caller: TheCaller) -> Json:
    """Show what granting this version means, in the words that are in force."""
    return terms.show_terms(room, caller, digest)


@router.post("/{digest}/suspension", response_model=StateOut)
def suspend(digest: DigestPath, body: One, write: TheWrite) -> Json:
    """Stop one version at once; an operator, or its bank's modeller or approver, signs."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"state": versions.suspend(write.room, write.caller, digest, statement)},
    )
