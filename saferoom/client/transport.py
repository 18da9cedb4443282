"""How does one request reach the room, and what if the answer gets lost?

A write carries an idempotency key; when the connection breaks or a part of the room is
away, the very same request goes out again with the very same key, so nothing happens
twice. What the room refuses comes back as the class of `saferoom.errors` that it raised.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import httpx2

from saferoom.canonical import Json
from saferoom.errors import CODES, BadInput, NotYet, SaferoomError, Unavailable

PATIENCE = (0.1, 0.3, 0.8, 2.0)  # seconds before each further attempt
TIMEOUT = httpx2.Timeout(10.0, read=120.0)


@dataclass
class Transport:
    """One HTTP connection pool to one room."""

    url: str
    sleep: Callable[[float], None] = time.sleep
    client: httpx2.Client = field(init=False, repr=False)
    transport: httpx2.BaseTransport | None = field(default=None, repr=False)  # tests pass theirs

    def __post_init__(self) -> None:
        try:
            address = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            raise BadInput("FIELD_INVALID", "the room's address") from error
        if address.scheme not in {"http", "https"} or not address.host:
            raise BadInput("FIELD_INVALID", "the room's address starts with https:// or http://")
        if address.scheme == "http" and not _is_loopback(address.host):
            raise BadInput("ADDRESS_INSECURE")
        self.client = httpx2.Client(
            base_url=address,
            timeout=TIMEOUT,
            transport=self.transport,
            trust_env=not _is_loopback(address.host),  # no proxy stands before our own machine
        )

    def get(
        self, path: str, *, token: str | None = None, params: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Read; try again while the room is away."""
        request = self.client.build_request(
            "GET", path, params=dict(params or {}), headers=_headers(token)
        )
        return self._send(request)

    def post(
        self,
        path: str,
        body: Mapping[str, Json],
        *,
        token: str | None = None,
        idempotency_key: str | None = None,
    ) -> httpx2.Response:
        """Write once, however often it has to be sent."""
        key = idempotency_key or secrets.token_hex(16)
        headers = {**_headers(token), "Idempotency-Key": key}
        return self._send(self.client.build_request("POST", path, json=body, headers=headers))

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        last: SaferoomError = Unavailable("ROOM_UNREACHABLE")
        for pause in (*PATIENCE, None):
            asked = None
            try:
                response = self.client.send(request)
            except httpx2.TransportError as error:
                last = Unavailable("ROOM_UNREACHABLE")
                last.__cause__ = error
            else:
                if response.is_success:
                    return response
                last = read_error(response)
                if not isinstance(last, Unavailable | NotYet):
                    raise last
                asked = _retry_after(response)
            if pause is not None:  # jitter: many clients do not come back as one
                self.sleep(asked or pause * random.uniform(0.75, 1.25))  # noqa: S311
        raise last


def read_error(response: httpx2.Response) -> SaferoomError:
    """Turn the one error shape back into the class that was raised."""
    try:
        told = response.json()["error"]
        code, sentence = str(told["code"]), str(told["sentence"])
        remedy, trace = str(told["remedy"]), str(told["trace_id"])
        family = CODES[code].family
    except (ValueError, KeyError, TypeError):  # a proxy's page, or a newer room's code
        detail = f"HTTP {response.status_code}"
        return Unavailable("ROOM_UNREACHABLE", detail)
    error = family(code)
    error.sentence, error.remedy, error.trace_id = sentence, remedy, trace
    error.args = (f"{code}: {sentence} {remedy}",)
    return error


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 5.0) if text.isdecimal() else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
