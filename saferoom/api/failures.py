"""How does any failure leave this program? In one shape, with a trace id.

`{"error": {"code", "sentence", "remedy", "trace_id"}}`, whatever went wrong: a refusal, a
body that cannot be read, an address that is not there, or a mistake of ours, of which only
the trace id is told. Nothing that a caller sent is echoed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from saferoom.api.trace import trace_of
from saferoom.errors import (
    BadInput,
    Fault,
    NotFound,
    NotYet,
    Refusal,
    SaferoomError,
    TooOften,
    Unauthenticated,
    Unavailable,
)


def add_handlers(app: FastAPI) -> None:
    """Answer everything that can be named; what cannot is caught by the edge."""
    app.add_exception_handler(SaferoomError, _answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


def shape(error: SaferoomError, trace_id: str) -> dict[str, dict[str, str]]:
    """Write the one error shape."""
    told = {"code": error.code, "sentence": error.sentence, "remedy": error.remedy}
    return {"error": {**told, "trace_id": trace_id}}


def respond(error: SaferoomError, request: Request, status: int | None = None) -> JSONResponse:
    """Answer with the shape, and leave the code where the log and metrics find it."""
    trace = trace_of(request.scope)
    trace.code = error.code
    trace.refused = isinstance(error, Refusal)
    return JSONResponse(
        shape(error, trace.id), status_code=status or error.status, headers=_headers(error)
    )


def respond_fault(request: Request) -> JSONResponse:
    """Answer for a mistake of ours."""
    return respond(Fault("INTERNAL"), request)


def _headers(error: SaferoomError) -> dict[str, str]:
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case Unavailable() | NotYet():
            return {"Retry-After": "1"}
        case TooOften():
            return {"Retry-After": "60"}
        case _:
            return {}


async def _answer_ours(request: Request, error: Exception) -> JSONResponse:
    return respond(cast("SaferoomError", error), request)


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    places = [tuple(item["loc"]) for item in cast("RequestValidationError", error).errors()]
    if places[0][0] == "path":  # an identifier that could be nobody's
        return respond(NotFound("NOT_FOUND"), request)
    return respond(BadInput("FIELD_INVALID", _name(places)), request)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    known = cast("HTTPException", error)
    if isinstance(known.__cause__, SaferoomError):  # raised while the body was being read
        return respond(known.__cause__, request)
    match known.status_code:
        case 404:
            return respond(NotFound("NOT_FOUND"), request)
        case 405:
            answer = respond(BadInput("METHOD"), request, status=405)
            answer.headers.update(known.headers or {})
            return answer
        case _:
            return respond(BadInput("FIELD_INVALID", "the body cannot be read"), request)


def _name(places: Sequence[tuple[object, ...]]) -> str:
    """Name the first field by our own schema's words; unknown names were typed by a caller."""
    words = [str(part) for part in places[0][1:] if isinstance(part, int) or _is_ours(part)]
    return ".".join(words) or "the body"


def _is_ours(part: object) -> bool:
    return part in _OUR_FIELDS


_OUR_FIELDS = frozenset(
    {
        "statement",
        "statements",
        "body",
        "signatures",
        "key",
        "signature",
        "artefact",
        "connector",
        "folder",
        "as_of",
        "version",
        "since",
    }
)
