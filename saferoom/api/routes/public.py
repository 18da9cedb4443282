"""What may anyone see without a token? That the room is there, and its log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from saferoom.api.callers import TheRoom, room_of
from saferoom.api.metrics import CONTENT_TYPE, Metrics
from saferoom.api.models import Open, Readiness
from saferoom.app import health
from saferoom.canonical import Json
from saferoom.errors import NotFound

router = APIRouter(tags=["public"])

# C2SP tlog-tiles: levels and entry bundles, indices in groups of three digits, partial tiles.
_TILE = re.compile(r"(entries|[0-9]{1,2})/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[0-9]{1,3})?")
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/", include_in_schema=False)
def home() -> RedirectResponse:
    """Lead to the documentation until there is a console."""
    return RedirectResponse("/docs")


# Neither waits for the threads of other routes, which a bank's scores may all hold: a probe
# that hangs would have a working room killed.
@router.get("/healthz")
async def healthz() -> dict[str, bool]:
    """Say that the program answers."""
    return {"ok": True}


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(request: Request) -> JSONResponse:
    """Say whether each part of the room is there: database, vault, cage, sinks."""
    own_threads = cast("CapacityLimiter", request.app.state.health_threads)
    parts = await run_sync(health.parts, room_of(request), limiter=own_threads)
    ready = all(state == "ready" for state in parts.values())
    return JSONResponse({"ready": ready, "parts": parts}, status_code=200 if ready else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Count requests, releases and refusals for Prometheus."""
    counted = cast("Metrics", request.app.state.metrics)
    return Response(counted.render(), media_type=CONTENT_TYPE)


@router.get("/v1/room", response_model=Open)
def describe(room: TheRoom) -> Json:
    """Name the room: origin, keys, policy, views, snapshot."""
    return health.describe(room)


@router.get("/log/checkpoint")
def checkpoint(request: Request) -> Response:
    """Serve the newest checkpoint: the newest cosigned one, once witnesses have seen any."""
    try:
        note = _read(request, "cosigned")
    except NotFound:
        note = _read(request, "checkpoint")
    headers = {"Cache-Control": "no-cache"}
    return Response(note, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/log/stamped")
def stamped(request: Request) -> Response:
    """Serve the newest checkpoint that time stamping authorities stamped (RFC 3161)."""
    data = _read(request, "stamped")
    return Response(data, media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.get("/log/tile/{path:path}")
def tile(path: str, request: Request) -> Response:
    """Serve one tile or entry bundle (C2SP tlog-tiles); a tile never changes."""
    if not _TILE.fullmatch(path):
        raise NotFound("NOT_FOUND")
    data = _read(request, f"tile/{path}")
    headers = {"Cache-Control": _FOR_EVER}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _read(request: Request, name: str) -> bytes:
    folder = cast("Path", request.app.state.log_folder)
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise NotFound("NOT_FOUND") from error
