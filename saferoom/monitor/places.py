"""Where is the log read from: a folder, or a room's address?"""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

from saferoom.errors import BadInput, Unavailable
from saferoom.tlog.tile import WIDTH, Fetch

LARGEST = WIDTH * (2 + 65_535)
TIMEOUT_SECONDS = 30.0


def open_log(place: str) -> Fetch:
    """Read from `http(s)://…`, where the log stands under /log, or from a folder."""
    if place.startswith(("http://", "https://")):
        return _served(place)
    folder = Path(place)
    inner = folder / "log"
    return _folder(inner if (inner / "checkpoint").exists() else folder)


def newest(fetch: Fetch) -> str:
    """Return the newest note: the cosigned one in a folder, what is served at an address."""
    data = fetch("cosigned") or fetch("checkpoint")
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as error:
        raise BadInput("FIELD_INVALID", "a checkpoint is text") from error


def _folder(folder: Path) -> Fetch:
    def fetch(path: str) -> bytes | None:
        try:
            return (folder / path).read_bytes()
        except OSError:
            return None

    return fetch


def _served(url: str) -> Fetch:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)

    def fetch(path: str) -> bytes | None:
        if path == "cosigned":  # an address serves it as its checkpoint
            return None
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}/log/{path}")
            answer = connection.getresponse()
            data = answer.read(LARGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable("ROOM_UNREACHABLE", "the log") from error
        if len(data) > LARGEST:
            connection.close()
        return data if answer.status == http.client.OK and len(data) <= LARGEST else None

    return fetch
