"""Who gets a source's files from somewhere else?

`python -m saferoom.intake.fetching`, started by the vault beside intake. It has the network and
what opens the folder, looks into no file, and hands each over the link as a sealed descriptor of
memory; intake reads it behind walls and has neither. Nothing is written to a disk. A file that is
shorter or longer than the folder said is none.
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, BinaryIO

from saferoom.cage import lockdown
from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.core.store import Protocol, Store, check_stored
from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.intake import walls
from saferoom.intake.files import MOST_FILES
from saferoom.wire import receive, send

LARGEST_FILE = 2**30
_CHUNK = 2**20
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Folder:
    """A folder somewhere else."""

    def __init__(self, store: Store) -> None:
        import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415  # the extra `stores`

        self._options: dict[str, Any] = {one.name: one.value for one in store.options}
        self._files, self._path = fsspec.url_to_fs(store.address, **self._options)

    def find(self, pattern: str) -> list[tuple[str, int]]:
        """List a table's files, by name, with their sizes."""
        found = [
            (str(one["name"]).rstrip("/").rpartition("/")[2], one.get("size"))
            for one in self._files.ls(self._path, detail=True)
            if one.get("type") == "file"
        ]
        named = sorted((name, size) for name, size in found if fnmatchcase(name, pattern))
        if any(type(size) is not int or size > LARGEST_FILE for _, size in named):
            raise BadInput("SOURCE_MALFORMED", f"a file of over {LARGEST_FILE} bytes")
        return [(name, int(size)) for name, size in named]

    def copy(self, name: str, size: int, to: BinaryIO) -> None:
        """Copy a file; it must be as long as the folder said."""
        with self._files.open(f"{self._path.rstrip('/')}/{name}", "rb") as file:
            left = size + 1
            while left and (part := file.read(min(_CHUNK, left))):
                to.write(part)
                left -= len(part)
        to.flush()
        if left != 1:
            raise Unavailable("SOURCE_UNAVAILABLE", "a file changed while it was fetched")


def main() -> int:
    """Hand over file after file until there is none."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=os.dup(0)) as link:
        lockdown.keep_only(link.fileno())
        return serve(link)


def serve(link: socket.socket) -> int:
    """Do it for whoever has the link's other end."""
    try:
        _serve(link, receive(link).header)
    except SaferoomError as error:
        said: dict[str, Json] = {"code": error.code, "detail": error.detail}
        send(link, {"say": "refused", **said})
        return error.exit_code
    except ConnectionError:
        return 0  # intake has all that it wanted, or is gone
    except (OSError, ImportError, ValueError):  # their words hold addresses
        send(link, {"say": "refused", "code": "SOURCE_UNAVAILABLE", "detail": "its folder"})
        return 4
    return 0


def _serve(link: socket.socket, job: Mapping[str, Json]) -> None:
    check_field(set(job) == {"protocol", "store", "patterns"}, "job")
    store = Store.from_body(job["store"])
    check_stored(store, Protocol(str(job["protocol"])))
    walls.start_nothing(LARGEST_FILE)
    folder, patterns = Folder(store), job["patterns"]
    check_field(isinstance(patterns, list), "patterns")
    assert isinstance(patterns, list)
    found = [
        (place, *one) for place, pattern in enumerate(patterns) for one in folder.find(str(pattern))
    ]
    if len(found) > MOST_FILES:
        raise BadInput("SOURCE_MALFORMED", f"more than {MOST_FILES} files in the folder")
    for place, name, size in found:
        receive(link)  # intake is ready for the next
        with os.fdopen(
            os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb"
        ) as held:
            folder.copy(name, size, held)
            fcntl.fcntl(held.fileno(), fcntl.F_ADD_SEALS, _SEALS)
            send(link, {"say": "file", "table": place, "name": name})
            socket.send_fds(link, [b"f"], [held.fileno()])
    receive(link)
    send(link, {"say": "done"})


if __name__ == "__main__":
    sys.exit(main())
