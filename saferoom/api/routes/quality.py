"""How good are the data, in numbers and reasons?"""

from __future__ import annotations

from fastapi import APIRouter

from saferoom.api.callers import TheCaller, TheRoom
from saferoom.api.models import Open
from saferoom.app import quality
from saferoom.canonical import Json

router = APIRouter(prefix="/v1", tags=["sources"])


@router.get("/quality", response_model=Open)
def show(room: TheRoom, caller: TheCaller) -> Json:
    """Show closed tables to all, tickets to the source's steward, an operator and an auditor."""
    return quality.quality(room, caller)
