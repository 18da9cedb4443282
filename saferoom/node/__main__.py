"""How does a department's node answer? Two routes, each a signed statement; no rows."""

from __future__ import annotations

import argparse
import signal
import ssl
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from saferoom.canonical import canonical_bytes
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, SaferoomError
from saferoom.node.home import NodeHome, load


class Door(BaseHTTPRequestHandler):
    """GET /health?nonce=… and GET /offer, no more."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds in which a request must come in
    node: ClassVar[NodeHome]

    def do_GET(self) -> None:  # the library's name
        """Answer with a signed statement, or with a code."""
        try:
            self._say(200, self._statement().to_bytes())
        except NotFound as error:
            self._say(404, canonical_bytes({"code": error.code}))
        except (SaferoomError, OSError):
            self._say(400, canonical_bytes({"code": "FIELD_INVALID"}))

    def log_message(self, *_: object) -> None:
        """Say nothing of who asks."""

    def _statement(self) -> Statement:
        asked = urlsplit(self.path)
        if asked.path == "/offer":
            return self.node.offer()
        if asked.path != "/health":
            raise NotFound("NOT_FOUND", "a route")
        nonce = parse_qs(asked.query).get("nonce", [""])[0]
        return self.node.health(nonce, datetime.now(UTC))

    def _say(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="saferoom node serve")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", type=Path)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        home = load(options.home)
        home.offer()  # refused now rather than at the first question
    except SaferoomError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a program's own words
        return error.exit_code
    return serve(home, options.host, options.port, options.certificate)


def serve(home: NodeHome, host: str, port: int, certificate: Path | None) -> int:
    """Answer until interrupted; without a certificate for a proxy with TLS in front."""
    door = type("BoundDoor", (Door,), {"node": home})
    with ThreadingHTTPServer((host, port), door) as server:
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # Not in accept(), where one silent caller would hold up all others.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        print(server.server_port, flush=True)  # noqa: T201  # for whoever asked for port 0
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
