"""What should the caller's own party know of?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from saferoom.api.callers import TheCaller, TheRoom, TheWrite
from saferoom.api.models import DigestOut, One, Open
from saferoom.app import contacts, looks, notices
from saferoom.canonical import Json

router = APIRouter(prefix="/v1", tags=["people"])


@router.get("/notices", response_model=Open)
def list_notices(
    room: TheRoom, caller: TheCaller, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> Json:
    """List keys, budgets, grants, releases and suspensions of the caller's party, oldest first."""
    return {"notices": [*notices.list_notices(room, caller, after)]}


@router.get("/looks", response_model=Open)
def list_looks(
    room: TheRoom, caller: TheCaller, first: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> Json:
    """List all that the log holds about the caller's own enterprise, each line with its proof."""
    return looks.list_looks(room, caller, first)


@router.post("/contacts", response_model=DigestOut)
def set_contact(body: One, write: TheWrite) -> Json:
    """Say where one's own party's notices are to go; the old address is told as well."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"digest": contacts.set_contact(write.room, write.caller, statement)},
    )
