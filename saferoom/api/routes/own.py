"""What has an enterprise a right to of its own, and where does what was told come from?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from saferoom.api.callers import TheCaller, TheKey, TheRoom, TheWrite
from saferoom.api.models import DigestOut, DigestPath, One, Open, ReceiptPath
from saferoom.app import disputes, lineage, own_records, whereabouts
from saferoom.canonical import Digest, Json

router = APIRouter(prefix="/v1", tags=["own"])


@router.post("/own-records", response_model=Open)
def give_own_record(body: One, room: TheRoom, caller: TheCaller, _: TheKey) -> Json:
    """Relay an enterprise's own rows, sealed to a key of its order; an order works once."""
    return own_records.give(room, caller, body.statement.read())


@router.post("/disputes", response_model=DigestOut)
def dispute(body: One, write: TheWrite) -> Json:
    """Let a record count as disputed, by its enterprise's own statement; nothing is deleted."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"digest": disputes.dispute(write.room, write.caller, statement)},
    )


@router.get("/disputes", response_model=Open)
def list_disputes(room: TheRoom, caller: TheCaller) -> Json:
    """List what one disputed; a steward, what of its source was, in notes sealed to it."""
    return {"disputes": [*disputes.list_disputes(room, caller)]}


@router.get("/lineage/{receipt_id}", response_model=Open)
def of_release(receipt_id: ReceiptPath, room: TheRoom, caller: TheCaller) -> Json:
    """Show what a release rests on, down to the batches, with a proof of every link."""
    return lineage.of_release(room, caller, receipt_id)


@router.get("/lineage/batches/{number}", response_model=Open)
def of_batch(
    number: Annotated[int, Path(ge=1, le=2**31 - 1)], room: TheRoom, caller: TheCaller
) -> Json:
    """Show a source where its batch went: snapshots, features, versions."""
    return whereabouts.of_batch(room, caller, number)


@router.get("/lineage/erasures/{digest}", response_model=Open)
def of_erasure(digest: DigestPath, room: TheRoom, caller: TheCaller) -> Json:
    """List the models that an erased enterprise touched, for people to decide."""
    return whereabouts.of_erasure(room, caller, Digest(digest))
