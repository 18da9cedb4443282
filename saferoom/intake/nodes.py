"""Who asks a department's node whether it is there and what it offers?

`python -m saferoom.intake.nodes`, started for each question: it has the network, and neither keys
nor rows. It calls by the rules of `https` (names, networks, no redirect, bounded replies) and hands
bytes back; whoever started it checks the signatures.
"""

from __future__ import annotations

import sys
from contextlib import closing

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.record import check_field
from saferoom.core.remote import RemoteNode
from saferoom.core.service import Connection, check_called, read_origin
from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.intake.https import CallFailed, Server, tls_context


def main() -> int:
    """Read one job, ask, and write what came back."""
    try:
        told = ask(parse_object(sys.stdin.buffer.read()))
    except SaferoomError as error:
        told = {"code": error.code, "detail": error.detail}
    sys.stdout.buffer.write(canonical_bytes(told))
    return 0


def ask(job: dict[str, Json]) -> dict[str, Json]:
    """Ask one node for its health, then for its offer."""
    check_field(set(job) == {"node", "authority", "nonce"}, "job")
    node = RemoteNode.from_body(job["node"])
    connection = Connection.from_body(
        {
            "kind": Connection.KIND,
            "address": node.address,
            "authority": job["authority"],
            "certificate": None,
            "key": None,
            "token": None,
        }
    )
    check_called(connection, node.service)
    origin = read_origin(node.address)
    with closing(Server(origin, node.service, tls_context(connection))) as server:
        health = _get(server, f"{origin.path}/health?nonce={job['nonce']}")
        return {"health": health, "offer": _get(server, f"{origin.path}/offer")}


def _get(server: Server, target: str) -> Json:
    try:
        reply = server.call("GET", target, {"Accept": "application/json"})
    except CallFailed as error:
        raise Unavailable("SOURCE_UNAVAILABLE", error.why) from error
    if 300 <= reply.status < 400:
        raise BadInput("SOURCE_MALFORMED", "a redirect")
    if reply.status != 200:
        raise Unavailable("SOURCE_UNAVAILABLE", f"it answers {reply.status}")
    return parse_object(reply.body)


if __name__ == "__main__":
    sys.exit(main())
