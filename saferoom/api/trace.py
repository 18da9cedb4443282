"""What is remembered of one request while it runs, for its log line and metrics?

Never anything of its content: a random id, the code of its error, how long it took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import cast

from starlette.types import Scope

_KEY = "saferoom.trace"


@dataclass
class Trace:
    """One request."""

    id: str = field(default_factory=lambda: token_hex(16))
    code: str | None = None  # of the error that it ended with
    refused: bool = False
    status: int = 0


def begin(scope: Scope) -> Trace:
    """Give a request its id."""
    trace = Trace()
    scope[_KEY] = trace
    return trace


def trace_of(scope: Scope) -> Trace:
    """Find the request's trace again."""
    return cast("Trace", scope[_KEY])


def route_of(scope: Scope) -> str:
    """Name the route as declared; a path as typed may hold an identifier."""
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))
