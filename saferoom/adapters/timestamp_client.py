"""How is a time stamping authority asked, and where are ours pinned?

RFC 3161 §3.4: a request by HTTP, an answer of bounded size, no redirect, no patience. What comes
back is checked by the pinned certificate before it counts (app/stamping.py).
"""

from __future__ import annotations

from pathlib import Path

import httpx2

from saferoom.core.stamped import Authority, read_authorities
from saferoom.crypto.timestamps import LARGEST
from saferoom.errors import Unavailable

FILE = "authorities.json"
TIMEOUT = httpx2.Timeout(10.0)
_ANSWER = "application/timestamp-reply"


class TimestampClient:
    """A ports.TimestampAuthority over HTTP."""

    def __init__(self, pinned: Authority, transport: httpx2.BaseTransport | None = None) -> None:
        self._pinned = pinned
        self._client = httpx2.Client(timeout=TIMEOUT, transport=transport, follow_redirects=False)

    @property
    def pinned(self) -> Authority:
        """Name it, with its certificate."""
        return self._pinned

    def ask(self, request: bytes) -> bytes:
        """Return what it answered, or Unavailable."""
        kind = {"Content-Type": "application/timestamp-query"}
        try:
            with self._client.stream(
                "POST", self._pinned.url, content=request, headers=kind
            ) as response:
                data = _read_bounded(response)
        except httpx2.HTTPError as error:
            raise Unavailable("TIMESTAMP_UNAVAILABLE", self._pinned.name) from error
        told = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if response.status_code != httpx2.codes.OK or told != _ANSWER:
            raise Unavailable("TIMESTAMP_UNAVAILABLE", self._pinned.name)
        return data

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()


def open_authorities(home: Path) -> tuple[TimestampClient, ...]:
    """Connect to the authorities that the home pins; without the file there are none."""
    try:
        data = (home / FILE).read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(TimestampClient(pinned) for pinned in read_authorities(data))


def _read_bounded(response: httpx2.Response) -> bytes:
    data = bytearray()
    for part in response.iter_bytes():
        data += part
        if len(data) > LARGEST:
            raise httpx2.DecodingError("the answer is too large")
    return bytes(data)
