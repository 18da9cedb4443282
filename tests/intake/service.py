"""How do tests get a department's service that behaves, or does not?

A real HTTPS server on this machine, with a certificate of an authority of its own. It answers by a
function of the test: bytes as they go over the wire, so that whatever can be wrong with a reply can
be said. `Filings` is one that behaves.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"
NETWORKS = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Request:
    """What a caller asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


Rows = list[dict[str, object]]
Answer = Callable[[Request], bytes | Iterator[bytes]]


def reply(body: bytes, kind: str = "application/json", status: int = 200, **more: str) -> bytes:
    headers = {"Content-Type": kind, "Content-Length": str(len(body))}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return head(status, headers) + body


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True)
class Papers:
    """An authority's certificate, and one that it vouches for with its key."""

    authority: str
    certificate: str
    key: str


def papers(name: str = HOST) -> Papers:
    """Name the certificate for this name."""
    return _issue(name)


@cache
def _issue(name: str) -> Papers:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("authority", root_key, "authority", root_key, is_authority=True)
    own = _certificate(name, key, "authority", root_key, is_authority=False)
    pem = serialization.Encoding.PEM
    written = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Papers(root.public_bytes(pem).decode(), own.public_bytes(pem).decode(), written.decode())


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    with suppress(ValueError):
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    public = signer.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


@dataclass
class Server:
    """One that is running."""

    port: int
    answer: Answer
    heard: list[Request] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"https://{HOST}:{self.port}"


@contextmanager
def serving(
    folder: Path, answer: Answer, *, clients: str | None = None, name: str = HOST
) -> Iterator[Server]:
    """Serve until the test is over; `clients`: whose certificate callers must show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = folder / "server.pem"
    own.write_text(papers(name).certificate + papers(name).key, encoding="ascii")
    context.load_cert_chain(own)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1], answer)
        loop = threading.Thread(target=_accept, args=(listener, context, server), daemon=True)
        loop.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        loop.join(10)


def _accept(listener: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(plain, context, server), daemon=True).start()


def _talk(plain: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    plain.settimeout(30)
    with (
        plain,
        suppress(OSError, ValueError),
        context.wrap_socket(plain, server_side=True) as channel,
        channel.makefile("rb") as file,
    ):
        while (request := _hear(file)) is not None:
            server.heard.append(request)
            said = server.answer(request)
            for part in [said] if isinstance(said, bytes) else said:
                channel.sendall(part)
            if not isinstance(said, bytes):
                return


def _hear(file: object) -> Request | None:
    lines = []
    while (line := file.readline()) not in {b"\r\n", b""}:  # type: ignore[attr-defined]
        lines.append(line.decode().strip())
    if not lines:
        return None
    method, target, _ = lines[0].split(" ")
    headers = {n.lower(): v for n, _, v in (one.partition(": ") for one in lines[1:])}
    body = file.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
    return Request(method, target, headers, body)


@dataclass
class Filings:
    """A service that behaves: rows in the order of their changes, in any style of paging."""

    rows: Rows
    size: int = 4
    token: str | None = None  # without it nobody is let in
    given: int = 0  # tokens so far
    lives: int = 3_600
    version: str = '"1"'

    def __call__(self, request: Request) -> bytes:
        if request.path == "/token":
            return self._give_token(request)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return reply(b"", status=401)
        since = request.query.get("since", "")
        rows = [row for row in self.rows if str(row["changed"]) >= since]
        style = getattr(self, f"_{request.path.rpartition('/')[2]}", None)
        return reply(b"", status=404) if style is None else style(request, rows)

    def _whole(self, request: Request, rows: Rows) -> bytes:
        if request.headers.get("if-none-match") == self.version:
            return head(304, {"ETag": self.version})
        return reply(_json(rows), ETag=self.version)

    def _paged(self, request: Request, rows: Rows) -> bytes:
        return reply(_json(self._page(rows, int(request.query["page"]) - 1)))

    def _cursor(self, request: Request, rows: Rows) -> bytes:
        place = int(request.query.get("cursor", "0"))
        more = place + 1 if (place + 1) * self.size < len(rows) else None
        return reply(_json({"data": self._page(rows, place), "next": more}))

    def _csv(self, _request: Request, rows: Rows) -> bytes:
        return reply(_csv(rows), "text/csv; charset=utf-8")

    def _linked(self, request: Request, rows: Rows) -> bytes:
        place, since = int(request.query.get("at", "0")), request.query.get("since")
        if (place + 1) * self.size >= len(rows):
            return reply(_json(self._page(rows, place)))
        query = f"at={place + 1}" + (f"&since={quote(since)}" if since else "")
        link = f'<{request.path}?at=0>; rel="first", <?{query}>; rel="next"'
        return reply(_json(self._page(rows, place)), Link=link)

    def _page(self, rows: Rows, place: int) -> Rows:
        return rows[place * self.size : (place + 1) * self.size]

    def _give_token(self, request: Request) -> bytes:
        who = base64.b64encode(b"room:s%2Fecret").decode()
        if request.headers.get("authorization") != f"Basic {who}" or request.method != "POST":
            return reply(b"", status=401)
        self.given += 1
        self.token = f"token-{self.given}"
        body = {"access_token": self.token, "token_type": "Bearer", "expires_in": self.lives}
        return reply(_json(body))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _csv(rows: Rows) -> bytes:
    lines = [",".join(rows[0])] if rows else []
    lines += [",".join("" if one is None else str(one) for one in row.values()) for row in rows]
    return "\n".join(lines).encode()
