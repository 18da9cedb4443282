"""How do people get in, and how do they agree on things?"""

from __future__ import annotations

from fastapi import APIRouter, Request

from saferoom.api.callers import TheCaller, TheKey, TheRoom, TheWrite
from saferoom.api.models import (
    DigestOut,
    DigestsOut,
    Many,
    Me,
    One,
    Open,
    PartyPath,
    StateOut,
    SubjectOut,
    Token,
    TokenIn,
    VoteIn,
)
from saferoom.app import health, parties, people, subjects, votes, witnessing
from saferoom.canonical import Json
from saferoom.errors import SaferoomError

router = APIRouter(prefix="/v1", tags=["people"])


@router.post("/tokens", response_model=Token)
def issue_token(body: TokenIn, request: Request, room: TheRoom, _: TheKey) -> Json:
    """Trade a request signed by an enrolled key for a bearer token; needs no token."""
    address = request.client.host if request.client else ""
    throttle = request.app.state.throttle
    throttle.check(address, room.clock())
    try:
        token, expires_at = people.issue_token(room, body.statement.read())
    except SaferoomError:
        throttle.fail(address, room.clock())
        raise
    return {"token": token, "expires_at": expires_at}


@router.get("/me", response_model=Me)
def me(caller: TheCaller) -> Json:
    """Say who the room takes the caller for."""
    return {"holder": caller.holder, "party": caller.party, "role": str(caller.role)}


@router.get("/catalogue", response_model=Open)
def catalogue(room: TheRoom, _: TheCaller) -> Json:
    """Show the approved feature views."""
    return health.catalogue(room)


@router.get("/mock", response_model=Open)
def mock_set(room: TheRoom, _: TheCaller) -> Json:
    """Show the approved declarations that mock data are made of, on the modeller's machine."""
    return health.mock_set(room)


@router.post("/enrolments", response_model=DigestsOut)
def enrol(body: Many, write: TheWrite) -> Json:
    """Enrol keys; each statement is signed by its own key and two operators."""
    return write.once(
        body.model_dump(),
        lambda: {"digests": [*people.enrol(write.room, write.caller, body.read())]},
    )


@router.post("/admissions", response_model=DigestOut)
def admit(body: One, write: TheWrite) -> Json:
    """Put an organisation up for the operators' votes."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"digest": parties.apply(write.room, write.caller, statement)},
    )


@router.get("/parties", response_model=Open)
def list_parties(room: TheRoom, caller: TheCaller) -> Json:
    """List organisations with their states."""
    return {"parties": [*parties.list_parties(room, caller)]}


@router.post("/parties/{party}/suspension", response_model=StateOut)
def suspend_party(party: PartyPath, body: One, write: TheWrite) -> Json:
    """Suspend an organisation; two operators sign."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"state": parties.suspend(write.room, write.caller, party, statement)},
    )


@router.post("/parties/{party}/exit", response_model=StateOut)
def end_party(party: PartyPath, body: One, write: TheWrite) -> Json:
    """End a suspended organisation's place for good; two operators sign."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"state": parties.leave(write.room, write.caller, party, statement)},
    )


@router.post("/overrides", response_model=DigestOut)
def override_witnesses(body: One, write: TheWrite) -> Json:
    """Let releases go on without witnesses for a while; the trust file's operators sign."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"digest": witnessing.override(write.room, write.caller, statement)},
    )


@router.post("/votes", response_model=SubjectOut)
def vote(body: VoteIn, write: TheWrite) -> Json:
    """Cast a vote on one digest at one step."""

    def cast() -> Json:
        subject, state = votes.cast(write.room, write.caller, body.statement.read())
        return {"subject": subject, "state": state}

    return write.once(body.model_dump(), cast)


@router.post("/subjects", response_model=DigestOut)
def propose(body: One, write: TheWrite) -> Json:
    """Put a view set, a source's manifest, a policy set or mock declarations up for votes."""
    statement = body.statement.read()
    return write.once(
        body.model_dump(),
        lambda: {"digest": subjects.propose(write.room, write.caller, statement)},
    )
