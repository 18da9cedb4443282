"""How does a witness run: a small program of its own, at another organisation?

Plain HTTP for a proxy with TLS in front, or for a tunnel. It imports the tree's rules and
the standard library, and nothing of the room: whoever reads it all has an hour's reading.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from saferoom.errors import SaferoomError
from saferoom.witness.home import load
from saferoom.witness.requests import LARGEST_REQUEST, UNKNOWN_LOG, UNREADABLE, Answer
from saferoom.witness.service import Witness

FAULT = Answer(503, "the witness cannot read what it remembers, and signs nothing\n")


class Door(BaseHTTPRequestHandler):
    """Two routes and no more."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30  # seconds in which a request must come in
    witness: ClassVar[Witness]

    def do_POST(self) -> None:  # the library's name
        """Take `add-checkpoint`."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST:
            self.close_connection = True
            return self._say(UNREADABLE)
        data = self.rfile.read(int(length))
        if self.path != "/add-checkpoint":
            return self._say(UNKNOWN_LOG)
        try:
            return self._say(self.witness.add_checkpoint(data))
        except (SaferoomError, OSError):  # fail closed: an unstored checkpoint is not signed
            return self._say(FAULT)

    def do_GET(self) -> None:  # the library's name
        """Show what was cosigned last."""
        name, _, rest = self.path.removeprefix("/").partition("/")
        try:
            self._say(self.witness.checkpoint(name) if rest == "checkpoint" else UNKNOWN_LOG)
        except (SaferoomError, OSError):
            self._say(FAULT)

    def log_message(self, *_: object) -> None:
        """Say nothing of who asks."""

    def _say(self, answer: Answer) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="saferoom witness serve")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        home = load(options.home)
        with home.alone():
            return serve(Witness(home, lambda: datetime.now(UTC)), options.host, options.port)
    except SaferoomError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a program's own words
        return error.exit_code


def serve(witness: Witness, host: str, port: int) -> int:
    """Answer until interrupted."""
    door = type("BoundDoor", (Door,), {"witness": witness})
    with ThreadingHTTPServer((host, port), door) as server:
        server.daemon_threads = True
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
