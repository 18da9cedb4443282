"""Who is calling, and is this write a new one?

Authentication is never off: every route under /v1 asks for a caller, except the two that
say otherwise. A write runs inside `Write.once`, so a retry gets the first answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from saferoom.app import idempotency, people
from saferoom.app.context import Caller, Room
from saferoom.canonical import Json, digest
from saferoom.errors import BadInput, Unauthenticated

_KEY = re.compile(r"[A-Za-z0-9-]{16,64}")
_bearer = HTTPBearer(auto_error=False, description="A token from POST /v1/tokens.")


def room_of(request: Request) -> Room:
    """Return the room that this program serves."""
    return cast("Room", request.app.state.room)


TheRoom = Annotated[Room, Depends(room_of)]


def caller_of(
    room: TheRoom, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Name the caller by the token, or refuse."""
    if bearer is None:
        raise Unauthenticated("TOKEN_MISSING")
    return people.who(room, bearer.credentials)


TheCaller = Annotated[Caller, Depends(caller_of)]


def idempotency_key_of(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A fresh random key for each write, and the same one when trying again.",
            examples=["3f0c2b6de5b94a0d8f6a"],
        ),
    ] = None,
) -> str:
    """Refuse a write without a usable key."""
    if idempotency_key is None or not _KEY.fullmatch(idempotency_key):
        raise BadInput("IDEMPOTENCY_KEY")
    return idempotency_key


TheKey = Annotated[str, Depends(idempotency_key_of)]


@dataclass(frozen=True)
class Write:
    """One write of one caller under one key."""

    room: Room
    caller: Caller
    key: str
    path: str

    def once(self, body: Json, act: Callable[[], Json]) -> Json:
        """Do it, or answer what was answered to the same request before."""
        request = digest({"path": self.path, "body": body})
        return idempotency.once(self.room, self.caller, self.key, request, act)


def write_of(request: Request, room: TheRoom, caller: TheCaller, key: TheKey) -> Write:
    """Gather what a write needs."""
    return Write(room, caller, key, request.url.path)


TheWrite = Annotated[Write, Depends(write_of)]
