"""How is one request sent to a source's service, and what may come back?

A name is resolved once, for the whole run; what it was resolved to must be an address that may be
called, every one of them, and to such a one we connect, while the certificate must be of the
name. So no answer of a name server, however it changes, leads a call elsewhere. Redirects are
replies like others and are not followed.

A call has one deadline, however slowly bytes drip in. A reply says its length, or comes in chunks;
one that ends before, or says nothing, is none. It is taken as it comes: what is packed is
refused, so nothing unpacks to a flood.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from saferoom.core.service import Connection, Origin, Service
from saferoom.errors import BadInput, Unavailable

LARGEST_REPLY = 32 * 2**20
CALL_SECONDS = 60.0
_CHUNK = 2**16


@dataclass(frozen=True)
class Reply:
    """What came back whole."""

    status: int
    headers: Mapping[str, str]  # by names in lower case; several of one name together
    body: bytes


class CallFailed(Exception):
    """Nothing came back, or half of it: worth another try."""

    def __init__(self, why: str) -> None:
        self.why = why  # a word of ours
        super().__init__(why)


class _TimedTls(ssl.SSLSocket):
    """A TLS socket whose whole call has one deadline."""

    ends: float

    def recv_into(  # type: ignore[override]  # the stub's names differ
        self, buffer: memoryview, nbytes: int | None = None, flags: int = 0
    ) -> int:
        self.settimeout(_left(self.ends))
        return super().recv_into(buffer, nbytes, flags)


class Server:
    """One host and port, by the addresses to which its name was resolved."""

    def __init__(self, origin: Origin, service: Service, context: ssl.SSLContext) -> None:
        """Resolve the name."""
        self._origin, self._context = origin, context
        self._addresses = _resolve(origin, service)
        self._open: http.client.HTTPConnection | None = None
        port = "" if origin.port == http.client.HTTPS_PORT else f":{origin.port}"
        self._name = origin.host + port

    def call(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """Send one request and read what comes back."""
        ends, keep = time.monotonic() + CALL_SECONDS, False
        known = {"Host": self._name, "Accept-Encoding": "identity", **headers}
        if body:
            known["Content-Length"] = str(len(body))
        try:
            reply, keep = self._exchange(ends, method, target, known, body)
        except TimeoutError as error:
            raise CallFailed("it took too long") from error
        except ssl.SSLError as error:
            raise CallFailed("TLS") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CallFailed("the connection broke") from error
        finally:
            if not keep:
                self.close()
        return reply

    def close(self) -> None:
        """Let go of the connection."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _exchange(
        self, ends: float, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, bool]:
        """Return what came back, and whether the connection may be used again."""
        if self._open is None:
            self._open = self._connect(ends)
        connection = self._open
        _arm(connection, ends)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        with connection.getresponse() as found:
            return _read(found, ends), not found.will_close

    def _connect(self, ends: float) -> http.client.HTTPConnection:
        host, port = self._origin.host, self._origin.port
        failed: OSError | None = None
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, port), _left(ends))
            except OSError as error:
                failed = error
                continue
            plain.settimeout(_left(ends))
            connection = http.client.HTTPConnection(host, port)
            connection.auto_open = 0
            with plain:  # whose descriptor the TLS socket takes over, or nobody
                connection.sock = self._context.wrap_socket(plain, server_hostname=host)
            return connection
        raise failed or OSError("no address")


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Believe whom the connection names, or this machine does; show our certificate."""
    context = ssl.create_default_context(cadata=connection.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TimedTls
    if connection.certificate is not None and connection.key is not None:
        # The library reads certificates from files alone; this one is in memory only.
        held = os.memfd_create("certificate", os.MFD_CLOEXEC)
        with os.fdopen(held, "wb") as file:
            file.write(f"{connection.certificate}\n{connection.key}".encode())
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{held}")
    return context


def _resolve(origin: Origin, service: Service) -> list[str]:
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("SOURCE_UNAVAILABLE", "its name is not known") from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not all(map(service.allows, addresses)):
        raise BadInput("SOURCE_ADDRESS", "a network that connector.toml does not name")
    return addresses


def _arm(connection: http.client.HTTPConnection, ends: float) -> None:
    held = connection.sock
    assert isinstance(held, _TimedTls)
    held.ends = ends
    held.settimeout(_left(ends))


def _read(found: http.client.HTTPResponse, ends: float) -> Reply:
    if found.getheader("content-encoding", "identity").lower() != "identity":
        raise BadInput("SOURCE_MALFORMED", "a packed reply")
    if found.length is None and not found.chunked:
        raise CallFailed("a reply of no stated length")
    parts, size = [], 0
    while part := found.read(_CHUNK):
        size += len(part)
        if size > LARGEST_REPLY:
            raise BadInput("SOURCE_MALFORMED", f"a reply of over {LARGEST_REPLY} bytes")
        parts.append(part)
        _left(ends)
    if found.length:
        raise CallFailed("a reply shorter than it says")
    headers: dict[str, str] = {}
    for name, value in found.getheaders():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return Reply(found.status, headers, b"".join(parts))


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
