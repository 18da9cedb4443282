"""What does every request meet first and last?

A trace id, a bound on its body that holds for streams too (and a low one for whoever shows no
token that lives), headers that say what a browser
must not do, one log line without values, metrics, and the net under mistakes of ours.
Plain ASGI, because Starlette's own middleware class would buffer bodies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saferoom.api.failures import respond, respond_fault
from saferoom.api.metrics import Metrics
from saferoom.api.trace import Trace, begin, route_of
from saferoom.errors import BadInput, SaferoomError, Unauthenticated

MOST_BYTES = 4 * 2**20
MOST_BYTES_OF = {"/v1/versions": 130 * 2**20}  # a sealed artefact of 64 MiB, as hexadecimal
MOST_BYTES_OF_STRANGERS = 256 * 2**10  # nothing larger is taken from who shows no token
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_log = structlog.get_logger("saferoom.api")


@dataclass
class Edge:
    """The outermost of our own layers."""

    app: ASGIApp
    metrics: Metrics
    check_token: Callable[[str], object]  # raises Unauthenticated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace, started = begin(scope), time.perf_counter()
        outbox = _Outbox(trace, send, private=scope["path"].startswith("/v1/"))
        try:
            await self._serve(scope, self._bounded(scope, receive), outbox)
        finally:
            self._tell(scope, trace, time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, outbox: _Outbox) -> None:
        try:
            try:
                await self._check_size(scope, 0, _declared_length(scope))
            except SaferoomError as error:
                await respond(error, Request(scope))(scope, receive, outbox)
                return
            await self.app(scope, receive, outbox)
        except Exception as error:  # noqa: BLE001  # the API's edge
            where = _places(error)
            _log.error("fault", trace_id=outbox.trace.id, type=type(error).__name__, where=where)
            if outbox.started:
                raise RuntimeError(outbox.trace.id) from None
            await respond_fault(Request(scope))(scope, receive, outbox)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            before, taken = taken, taken + len(message.get("body", b""))
            await self._check_size(scope, before, taken)
            return message

        return bounded

    async def _check_size(self, scope: Scope, before: int, taken: int) -> None:
        """Refuse what is beyond the route's bound, and what is large and comes from nobody."""
        if taken > _most_bytes(scope):
            raise BadInput("TOO_LARGE")
        if before <= MOST_BYTES_OF_STRANGERS < taken:
            await run_in_threadpool(self.check_token, _bearer(scope))

    def _tell(self, scope: Scope, trace: Trace, seconds: float) -> None:
        route = route_of(scope)
        self.metrics.observe(route, trace, seconds)
        _log.info(
            "request",
            method=scope["method"],
            route=route,
            status=trace.status,
            code=trace.code,
            milliseconds=round(seconds * 1000, 1),
            trace_id=trace.id,
        )


class _Outbox:
    def __init__(self, trace: Trace, send: Send, *, private: bool) -> None:
        self.trace = trace
        self.started = False
        self._send = send
        self._private = private

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.trace.status = message["status"]
            extra = [*_HEADERS, (b"x-trace-id", self.trace.id.encode())]
            if self._private:
                extra.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await self._send(message)


def _most_bytes(scope: Scope) -> int:
    return MOST_BYTES_OF.get(scope["path"], MOST_BYTES)


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        scheme, _, token = value.partition(b" ")
        if name == b"authorization" and scheme.lower() == b"bearer":
            return str(token.decode("latin-1").strip())
    raise Unauthenticated("TOKEN_MISSING")


def _places(error: BaseException) -> list[str]:
    """Say where it broke in our own code, never with which values."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "saferoom" in code.co_filename:
            places.append(f"{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places[-5:]
