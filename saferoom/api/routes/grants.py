"""What do enterprises sign, and what is left of their bits?"""

from __future__ import annotations

from fastapi import APIRouter

from saferoom.api.callers import TheCaller, TheRoom, TheWrite
from saferoom.api.models import DigestOut, DigestsOut, Many, Open, RevocationIn, RevocationsIn
from saferoom.app import grants
from saferoom.canonical import Json

router = APIRouter(prefix="/v1", tags=["grants"])


@router.post("/budgets", response_model=DigestsOut)
def sign_budgets(body: Many, write: TheWrite) -> Json:
    """Bring budgets that enterprises signed, all or none."""
    return write.once(
        body.model_dump(),
        lambda: {"digests": [*grants.sign_budgets(write.room, write.caller, body.read())]},
    )


@router.post("/grants", response_model=DigestsOut)
def sign_grants(body: Many, write: TheWrite) -> Json:
    """Bring grants that enterprises signed, all or none."""
    return write.once(
        body.model_dump(),
        lambda: {"digests": [*grants.sign_grants(write.room, write.caller, body.read())]},
    )


@router.get("/grants", response_model=Open)
def list_grants(room: TheRoom, caller: TheCaller) -> Json:
    """List the grants that the caller may know of."""
    return {"grants": [*grants.list_grants(room, caller)]}


@router.get("/ledger", response_model=Open)
def ledger(room: TheRoom, caller: TheCaller) -> Json:
    """State limits and what is spent, in milli-bits."""
    return {"accounts": [*grants.ledger(room, caller)]}


@router.post("/revocations", response_model=DigestOut | DigestsOut)
def revoke(body: RevocationIn | RevocationsIn, write: TheWrite) -> Json:
    """Take a grant back, or many at once, all or none; effective at once."""
    statements = body.read()

    def act() -> Json:
        digests = grants.revoke_all(write.room, write.caller, statements)
        one = isinstance(body, RevocationIn)
        return {"digest": digests[0]} if one else {"digests": [*digests]}

    return write.once(body.model_dump(), act)
