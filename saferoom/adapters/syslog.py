"""How does an entry reach a syslog collector, and when may we say that it did?

RFC 5424 messages, octet-counted over TCP (RFC 6587 §3.4.1) or TLS (RFC 5425). Syslog has no
acknowledgement of its own. What counts here: the collector's machine has acknowledged every
byte (TCP), and after that the connection still stands. A collector that dies with bytes that
it received and did not store says nothing of it; so what went over a connection that ended is
sent again, as far as it is among the newest thousand, before anything new. Entries stand twice
then; their ids tell. What is left: a collector and this program that die together. A room that
must be able to restore keeps a file or a folder as well: a collector is given leaves alone.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from saferoom.adapters.sink_lines import entry_line
from saferoom.errors import BadInput, Unavailable

SECONDS = 5.0  # to connect, to send, and to be acknowledged
SENT_AGAIN = 1_000
_PAUSE = 0.001
# RFC 5424 §6: facility 13 (log audit), severity 5; no time, host or process of ours in it: the
# leaf has its hour, and whoever receives stamps what it receives.
_HEAD = b"<109>1 - - saferoom - entry - "


class SyslogSink:
    """A mandatory sink (ports.Sink) at another machine."""

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, name: str = "syslog"
    ) -> None:
        self.name = name  # for /readyz
        self._host, self._port, self._tls = host, port, tls
        self._socket: socket.socket | None = None
        self._sent: deque[bytes] = deque(maxlen=SENT_AGAIN)
        self._lock = Lock()

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Return only when the collector's machine has acknowledged every byte."""
        frames = [frame(entry, leaf) for entry, leaf in entries]
        with self._lock:
            try:
                self._append(frames)
            except OSError as error:
                self._close()
                raise Unavailable("SINK_UNAVAILABLE", self.name) from error

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._close()

    def _append(self, frames: Sequence[bytes]) -> None:
        if self._socket is not None and not _stands(self._socket):
            self._close()
        if self._socket is None:
            self._socket = self._connect()
            self._socket.sendall(b"".join(self._sent))
        self._socket.sendall(b"".join(frames))
        _wait_acknowledged(self._socket)
        self._sent.extend(frames)

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self._host, self._port), timeout=SECONDS)
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self._host)
        except OSError:
            plain.close()
            raise

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def frame(entry: str, leaf: bytes) -> bytes:
    """Write one message with its length before it."""
    message = _HEAD + entry_line(entry, leaf)
    return b"%d %s" % (len(message), message)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Believe these authorities, else the system's; the collector's name is always checked."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadInput("SETTING_INVALID", "sink_ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _wait_acknowledged(connection: socket.socket) -> None:
    until = time.monotonic() + SECONDS
    while _unacknowledged(connection):
        if time.monotonic() > until:
            raise TimeoutError("the collector's machine does not acknowledge")
        time.sleep(_PAUSE)
    if not _stands(connection):
        raise ConnectionError("the collector ended the connection")


def _unacknowledged(connection: socket.socket) -> int:
    """Count the bytes in the kernel's queue that the other machine has not acknowledged."""
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _stands(connection: socket.socket) -> bool:
    """Say whether the collector still listens; what it says, it need not say."""
    connection.settimeout(0.0)
    try:
        while connection.recv(4096):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(SECONDS)
    return False
