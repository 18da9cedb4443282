"""How does data come in, and when is it published?"""

from __future__ import annotations

import dataclasses

from fastapi import APIRouter

from saferoom.api.callers import TheWrite
from saferoom.api.models import IngestIn, Open, PartyPath, ProfileIn, SnapshotIn
from saferoom.app import sources
from saferoom.canonical import Json

router = APIRouter(prefix="/v1", tags=["sources"])


@router.post("/sources/{party}/ingest", response_model=Open)
def ingest(party: PartyPath, body: IngestIn, write: TheWrite) -> Json:
    """Have the vault read a source by its steward's order; counts come back, never rows."""
    return write.once(
        body.model_dump(),
        lambda: sources.ingest(write.room, write.caller, party, body.statement.read()),
    )


@router.post("/snapshots", response_model=Open)
def publish(body: SnapshotIn, write: TheWrite) -> Json:
    """Compute all views by an operator's order, and publish the snapshot."""

    def act() -> Json:
        return dataclasses.asdict(
            sources.materialise(write.room, write.caller, body.statement.read())
        )

    return write.once(body.model_dump(), act)


@router.post("/profiles", response_model=Open)
def profile(body: ProfileIn, write: TheWrite) -> Json:
    """Tell how features are distributed, by a signed order; figures of many, never a row."""
    return write.once(
        body.model_dump(),
        lambda: sources.profile(write.room, write.caller, body.statement.read()),
    )
