"""How is a page of a source's service got, in spite of what may pass?

What may pass is tried again: no connection, half a reply, 429, 502, 503 and 504; after a time that
doubles, drawn by chance between its half and its whole, or after what Retry-After says. So often
and so long, no more. An answer of 401 makes it ask for a token anew, once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from saferoom.core.service import Connection, Format, Resource, Service, check_called, read_origin
from saferoom.errors import BadInput, Unavailable
from saferoom.intake.https import CallFailed, Reply, Server, tls_context
from saferoom.intake.tokens import Tokens

TRIES = 5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
PATIENCE_SECONDS = 200.0  # for one page: the vault waits a little longer
_AGAIN = {429, 502, 503, 504}
_MEDIA = {Format.JSON: "application/json", Format.CSV: "text/csv"}


@dataclass
class Pace:
    """When may the next call begin? Time and chance, so that tests pass them in."""

    calls_per_minute: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.SystemRandom().random)
    _next: float = float("-inf")

    def wait(self) -> None:
        """Wait until a call may begin."""
        if (ahead := self._next - self.clock()) > 0:
            self.sleep(ahead)
        self._next = self.clock() + 60.0 / self.calls_per_minute

    def back_off(self, tried: int, retry_after: float | None) -> float:
        """Say how long to wait after so many tries."""
        if retry_after is not None:
            return retry_after
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (tried - 1))
        return longest * (1 + self.chance()) / 2


class Caller:
    """Calls one service for its tables."""

    def __init__(self, connection: Connection, service: Service, pace: Pace) -> None:
        check_called(connection, service)
        self._pace, self._service = pace, service
        self._context = tls_context(connection)
        self._servers: dict[tuple[str, int], Server] = {}
        self._tokens = None
        if connection.token is not None:
            send_there = partial(self._try, connection.token.address)
            self._tokens = Tokens(connection.token, send_there, pace.clock)
        self._address = connection.address
        self._ends = float("inf")  # of a page, its tries and its token together

    def page(self, resource: Resource, target: str, etag: str | None) -> Reply:
        """Get one page; 304 where it is the one of this ETag."""
        self._ends = self._pace.clock() + PATIENCE_SECONDS
        headers = {"Accept": _MEDIA[resource.format]}
        if etag is not None:
            headers["If-None-Match"] = etag
        reply = self._get(target, headers)
        if reply.status == 401 and self._tokens is not None:
            self._tokens.forget()
            reply = self._get(target, headers)
        if reply.status == 304 and etag is not None:
            return reply
        if 300 <= reply.status < 400:
            raise BadInput("SOURCE_MALFORMED", "a redirect")
        if reply.status != 200:
            raise Unavailable("SOURCE_UNAVAILABLE", f"it answers {reply.status}")
        _check_media(resource, reply)
        return reply

    def close(self) -> None:
        """Let go of every connection."""
        for server in self._servers.values():
            server.close()

    def _get(self, target: str, headers: Mapping[str, str]) -> Reply:
        allowed = self._tokens.header() if self._tokens else {}
        return self._try(self._address, "GET", target, {**headers, **allowed}, b"")

    def _server(self, address: str) -> Server:
        origin = read_origin(address)
        where = (origin.host, origin.port)
        if where not in self._servers:
            self._servers[where] = Server(origin, self._service, self._context)
        return self._servers[where]

    def _try(
        self, address: str, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Reply:
        server = self._server(address)
        for tried in range(1, TRIES + 1):
            self._pace.wait()
            try:
                reply = server.call(method, target, headers, body)
            except CallFailed as error:
                why, after = error.why, None
            else:
                if reply.status not in _AGAIN:
                    return reply
                why, after = f"it answers {reply.status}", _retry_after(reply)
            wait = self._pace.back_off(tried, after)
            if (
                tried == TRIES
                or wait > LONGEST_WAIT_SECONDS
                or self._pace.clock() + wait > self._ends
            ):
                break
            self._pace.sleep(wait)
        raise Unavailable("SOURCE_UNAVAILABLE", why)


def _retry_after(reply: Reply) -> float | None:
    """Read RFC 9110 §10.2.3: seconds, or a date."""
    text = reply.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _check_media(resource: Resource, reply: Reply) -> None:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _MEDIA[resource.format]:
        raise BadInput("SOURCE_MALFORMED", "the type of a reply")
