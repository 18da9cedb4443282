"""How does data come in, when is it published, and how does it go?"""

from __future__ import annotations

import dataclasses
from typing import cast

from fastapi import APIRouter, Request

from saferoom.api import throttle
from saferoom.api.callers import TheCaller, TheRoom, TheWrite
from saferoom.api.models import (
    DigestPath,
    EraseIn,
    ErasuresOut,
    IngestIn,
    Open,
    PartyPath,
    ProfileIn,
    ReportIn,
    RotateIn,
    SnapshotIn,
)
from saferoom.app import erasures, self_reports, sources
from saferoom.canonical import Digest, Json

router = APIRouter(prefix="/v1", tags=["sources"])


@router.post("/sources/{party}/ingest", response_model=Open)
def ingest(party: PartyPath, body: IngestIn, write: TheWrite) -> Json:
    """Have the vault read a source by its steward's order; counts come back, never rows."""
    return write.once(
        body.model_dump(),
        lambda: sources.ingest(write.room, write.caller, party, body.statement.read()),
    )


@router.post("/self-reports", response_model=Open)
def report(body: ReportIn, request: Request, write: TheWrite) -> Json:
    """Pass an enterprise's own figures on to the vault, which alone can read them."""
    quotas = cast("throttle.Quotas", request.app.state.quotas)
    quotas.reports.spend(write.caller.party, write.room.clock())
    return write.once(
        body.model_dump(),
        lambda: self_reports.report(write.room, write.caller, body.statement.read()),
    )


@router.post("/snapshots", response_model=Open)
def publish(body: SnapshotIn, write: TheWrite) -> Json:
    """Compute all views by an operator's order, and publish the snapshot."""

    def act() -> Json:
        return dataclasses.asdict(
            sources.materialise(write.room, write.caller, body.statement.read())
        )

    return write.once(body.model_dump(), act)


@router.post("/erasures", response_model=Open)
def erase(body: EraseIn, write: TheWrite) -> Json:
    """Make what the vault holds of an enterprise unreadable; its certificate comes back."""
    return write.once(
        body.model_dump(),
        lambda: erasures.erase(write.room, write.caller, body.statement.read()),
    )


@router.get("/erasures", response_model=ErasuresOut)
def list_erasures(room: TheRoom, caller: TheCaller) -> Json:
    """List orders of erasure and what came of each: one's own, or all for who reviews."""
    return {"erasures": [*erasures.list_orders(room, caller)]}


@router.get("/erasures/{digest}", response_model=Open)
def show_erasure(room: TheRoom, caller: TheCaller, digest: DigestPath) -> Json:
    """Show the vault's certificate of an order that was obeyed, also when that took days."""
    return erasures.certificate(room, caller, Digest(digest))


@router.post("/rotations", response_model=Open)
def rotate(body: RotateIn, write: TheWrite) -> Json:
    """Change every key of what rests in the vault, while scores go on."""
    return write.once(
        body.model_dump(),
        lambda: erasures.rotate(write.room, write.caller, body.statement.read()),
    )


@router.post("/profiles", response_model=Open)
def profile(body: ProfileIn, write: TheWrite) -> Json:
    """Tell how features are distributed, by a signed order; figures of many, never a row."""
    return write.once(
        body.model_dump(),
        lambda: sources.profile(write.room, write.caller, body.statement.read()),
    )
