"""What does the room answer over HTTP?

One router per thing, each a thin door to a use case of `saferoom/app`: read strictly, call,
write. No route decides anything.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from saferoom import __version__
from saferoom.api.docs import render
from saferoom.api.edge import Edge
from saferoom.api.failures import add_handlers
from saferoom.api.metrics import Metrics
from saferoom.api.models import Failure
from saferoom.api.routes import (
    audit,
    grants,
    notices,
    own,
    people,
    public,
    quality,
    scores,
    sources,
    versions,
)
from saferoom.api.throttle import Quotas, Throttle
from saferoom.app import people as tokens
from saferoom.app.context import Room

HEALTH_THREADS = 2
_FAILURES: dict[int | str, dict[str, object]] = {
    "4XX": {"model": Failure, "description": "Refused, and why"},
    "5XX": {"model": Failure, "description": "A part of the room is away, or at fault"},
}


def create(room: Room, log_folder: Path, quotas: Quotas | None = None) -> FastAPI:
    """Build the application over one room; the log's public files lie in `log_folder`."""
    app = FastAPI(
        title="saferoom",
        version=__version__,
        description="The model comes to the data, a score comes out, the rows stay.",
        docs_url=None,  # ours loads no script from elsewhere into the room's own origin
        redoc_url=None,
        responses=_FAILURES,
    )
    app.state.room = room
    app.state.log_folder = log_folder
    app.state.metrics = Metrics()
    app.state.throttle = Throttle()
    app.state.health_threads = CapacityLimiter(HEALTH_THREADS)
    app.state.quotas = quotas or Quotas()
    for module in (
        *(public, people, notices, versions, grants, scores, own, sources, quality, audit),
    ):
        app.include_router(module.router)
    add_handlers(app)
    app.add_middleware(Edge, metrics=app.state.metrics, check_token=partial(tokens.who, room))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Describe every route, readable without scripts."""
        return render(app.openapi())

    return app
