"""Who calls a source's service?

`python -m saferoom.intake.calling`, started by the vault beside intake. It has the network and the
credentials, and understands of a reply no more than HTTP's head: bodies go over the link to
intake, which reads them behind walls and has neither. Intake asks for a table's next page; where
that is, is put together here, from the approved manifest. The link is its only descriptor.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NoReturn

from saferoom.cage import lockdown
from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.core.service import Connection, Resource, Service
from saferoom.errors import SaferoomError
from saferoom.intake import walls
from saferoom.intake.caller import Caller, Pace
from saferoom.intake.targets import Targets
from saferoom.wire import receive, send


def main(pace: Callable[[int], Pace] = Pace) -> int:
    """Serve intake until it is gone; `pace` is for tests without patience."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=os.dup(0)) as link:
        lockdown.keep_only(link.fileno())
        return serve(link, pace)


def serve(link: socket.socket, pace: Callable[[int], Pace]) -> int:
    """Get pages for whoever has the link's other end, until nobody has."""
    try:
        _serve(link, receive(link).header, pace)
    except SaferoomError as error:
        said: dict[str, Json] = {"code": error.code, "detail": error.detail}
        send(link, {"say": "refused", **said})
        return error.exit_code
    except ConnectionError:
        return 0  # intake has all that it wanted, or is gone


def _serve(link: socket.socket, job: Mapping[str, Json], pace: Callable[[int], Pace]) -> NoReturn:
    check_field(set(job) == {"service", "connection", "resources"}, "job")
    service, connection = Service.from_body(job["service"]), Connection.from_body(job["connection"])
    resources = job["resources"]
    check_field(isinstance(resources, dict), "resources")
    assert isinstance(resources, dict)
    targets = {
        name: Targets(connection.address, Resource.from_body(body))
        for name, body in resources.items()
    }
    with closing(Caller(connection, service, pace(service.calls_per_minute))) as caller:
        walls.start_nothing()
        while True:
            ask = receive(link).header
            check_field(ask.get("table") in targets, "table")
            there, etag = targets[str(ask["table"])], ask.get("etag")
            check_field(etag is None or isinstance(etag, str), "etag")
            known = None if etag is None else str(etag)
            reply = caller.page(there.resource, there.target(ask), known)
            told: dict[str, Json] = {
                "say": "page",
                "fresh": reply.status == 200,
                "etag": there.etag(reply.headers),
                "linked": there.found_next(reply.headers),
            }
            send(link, told, [reply.body])


if __name__ == "__main__":
    sys.exit(main())
