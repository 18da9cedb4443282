"""How does a bank ask for scores, and what proves them?"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response

from saferoom.api.callers import TheCaller, TheKey, TheRoom
from saferoom.api.metrics import Metrics
from saferoom.api.models import (
    Open,
    ReceiptPath,
    ReceiptsOut,
    ScoreIn,
    ScoresOut,
    VerifyIn,
    VerifyOut,
)
from saferoom.api.throttle import Quotas
from saferoom.app import receipts, scores, verifying
from saferoom.canonical import Json

router = APIRouter(prefix="/v1", tags=["scores"])


@router.post("/scores", response_model=ScoresOut)
def score(body: ScoreIn, request: Request, room: TheRoom, caller: TheCaller, key: TheKey) -> Json:
    """Score through the gate; grades come back sealed, each line with its receipt's id."""
    cast("Quotas", request.app.state.quotas).scores.spend(caller.party, room.clock())
    # The gate keeps its own replies: a retry may deliver what the first try only recorded.
    answer = scores.score(room, caller, body.statement.read(), key)
    cast("Metrics", request.app.state.metrics).count_results(answer.results)
    return answer.to_json()


@router.get("/questions", response_model=Open)
def list_questions(room: TheRoom, _caller: TheCaller) -> Json:
    """List what departments that verify may be asked."""
    return {"questions": [*verifying.list_questions(room)]}


@router.post("/verifications", response_model=VerifyOut)
def verify(body: VerifyIn, request: Request, room: TheRoom, caller: TheCaller, key: TheKey) -> Json:
    """Have a department asked that verifies; the same signed request is charged once."""
    del key  # every write has one; here the signed request itself is what happens once
    cast("Quotas", request.app.state.quotas).scores.spend(caller.party, room.clock())
    return verifying.verify(room, caller, body.statement.read(), body.grant.read())


@router.get("/receipts", response_model=ReceiptsOut)
def list_receipts(
    room: TheRoom,
    caller: TheCaller,
    version: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$")] = None,
    since: Annotated[str | None, Query(pattern=r"^[0-9TZ:-]{10,20}$")] = None,
    kind: Annotated[str, Query(pattern=r"^[a-z_]{1,32}$")] = receipts.RELEASE,
) -> Json:
    """List receipt ids of one kind of log entry, oldest first."""
    return {"receipts": [*receipts.list_receipts(room, caller, version, since, kind)]}


@router.get("/receipts/{receipt_id}", response_class=Response)
def get_receipt(receipt_id: ReceiptPath, room: TheRoom, caller: TheCaller) -> Response:
    """Return one receipt's canonical bytes; 425 until the log has its entry."""
    data = receipts.get(room, caller, receipt_id)
    return Response(data, media_type="application/json")
