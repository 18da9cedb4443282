"""What does an auditor get opened?"""

from __future__ import annotations

from fastapi import APIRouter

from saferoom.api.callers import TheCaller, TheKey, TheRoom
from saferoom.api.models import OpeningsIn, OpeningsOut
from saferoom.app import openings
from saferoom.canonical import Json

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.post("/openings", response_model=OpeningsOut)
def export(body: OpeningsIn, room: TheRoom, caller: TheCaller, _: TheKey) -> Json:
    """Open a page of entries for an auditor; every page given out is logged, a retry too."""
    return openings.export(room, caller, body.first, body.size)
