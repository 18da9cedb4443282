"""Can we listen here? Asked before anything is started, so that nothing has to be undone."""

from __future__ import annotations

import errno
import socket

from saferoom.errors import Unavailable


def listen(host: str, port: int) -> socket.socket:
    """Take the port; whoever serves inherits the socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    )  # not a port in use, only a late one
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise Unavailable("PORT_BUSY", _why(error, port)) from error
    return listener


def check_port(host: str, port: int) -> None:
    """Refuse a port that somebody holds."""
    listen(host, port).close()


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use"
    return f"port {port} cannot be taken on this address"
