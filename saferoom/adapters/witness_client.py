"""How does the room ask a witness, and what may the answer be?

C2SP tlog-witness, the client's half. Where each witness answers stands in HOME/witnesses.json
and is the operator's own affair: whom to believe stands in the trust file. What comes back is
read as signature lines and checked by their keys before it counts (app/witnessing.py).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.trust import Trust
from saferoom.errors import BadInput, Unavailable

ADDRESSES = "witnesses.json"
TIMEOUT = httpx2.Timeout(5.0)
LARGEST_ANSWER = 64 * 1024
_SIZE_TYPE = "text/x.tlog.size"


class WitnessClient:
    """A ports.Witness over HTTP."""

    def __init__(self, name: str, url: str, transport: httpx2.BaseTransport | None = None) -> None:
        self._name = name
        self._base = url.rstrip("/")
        self._url = f"{self._base}/add-checkpoint"
        self._client = httpx2.Client(timeout=TIMEOUT, transport=transport, trust_env=False)

    @property
    def name(self) -> str:
        """Name it as its key in the trust file is named."""
        return self._name

    def add_checkpoint(self, note: str, old_size: int, proof: Sequence[bytes]) -> str | int:
        """Return its signature lines, or the size that it saw last; else Unavailable."""
        lines = [f"old {old_size}", *(base64.b64encode(step).decode() for step in proof)]
        body = "".join(f"{line}\n" for line in lines) + "\n" + note
        try:
            with self._client.stream("POST", self._url, content=body.encode()) as response:
                text = _read_bounded(response).decode()
        except (httpx2.HTTPError, UnicodeDecodeError) as error:
            raise Unavailable("WITNESS_UNAVAILABLE", self._name) from error
        if response.status_code == httpx2.codes.OK:
            return text
        size = text.removesuffix("\n")
        kind = response.headers.get("Content-Type", "")
        conflict = response.status_code == httpx2.codes.CONFLICT and kind == _SIZE_TYPE
        if conflict and size.isdecimal() and size.isascii() and len(size) < 17:
            return int(size)
        detail = f"{self._name}: HTTP {response.status_code}"
        raise Unavailable("WITNESS_UNAVAILABLE", detail)

    def checkpoint(self, origin: str) -> str | None:
        """Return the note of this log that it cosigned last; None: none yet."""
        name = hashlib.sha256(origin.encode()).hexdigest()
        try:
            with self._client.stream("GET", f"{self._base}/{name}/checkpoint") as response:
                text = _read_bounded(response).decode()
        except (httpx2.HTTPError, UnicodeDecodeError) as error:
            raise Unavailable("WITNESS_UNAVAILABLE", self._name) from error
        if response.status_code == httpx2.codes.NOT_FOUND:
            return None
        if response.status_code != httpx2.codes.OK:
            detail = f"{self._name}: HTTP {response.status_code}"
            raise Unavailable("WITNESS_UNAVAILABLE", detail)
        return text

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()


class WitnessBook:
    """The witnesses that last, each with one client for as long as its address stays."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._clients: dict[tuple[str, str], WitnessClient] = {}

    def find(self, trust: Trust) -> tuple[WitnessClient, ...]:
        """Connect to those of the newest set, where the home says now that they answer."""
        addresses = read_addresses(self._home)
        named = dict.fromkeys(key.name for key in trust.watchers.keys if key.lasts)
        wanted = [(name, addresses[name]) for name in named if name in addresses]
        for one in wanted:
            if one not in self._clients:
                self._clients[one] = WitnessClient(*one)
        return tuple(self._clients[one] for one in wanted)

    def close(self) -> None:
        """Give all connections back."""
        for client in self._clients.values():
            client.close()


def read_addresses(home: Path) -> dict[str, str]:
    """Read where witnesses answer, by name; without the file there are none."""
    try:
        body = parse_object((home / ADDRESSES).read_bytes())
    except FileNotFoundError:
        return {}
    if not all(isinstance(url, str) and url.startswith("http") for url in body.values()):
        raise BadInput("FIELD_INVALID", ADDRESSES)
    return {name: str(url) for name, url in body.items()}


def write_addresses(home: Path, addresses: Mapping[str, str]) -> None:
    """Write where witnesses answer."""
    (home / ADDRESSES).write_bytes(canonical_bytes(dict(addresses)))


def _read_bounded(response: httpx2.Response) -> bytes:
    data = bytearray()
    for part in response.iter_bytes():
        data += part
        if len(data) > LARGEST_ANSWER:
            raise httpx2.DecodingError("the answer is too large")
    return bytes(data)
