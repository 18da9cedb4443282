"""How does data come in, and when is it published?

The vault does both, by orders whose signatures it checks itself, and it alone knows where a
source's files lie; the room records that it happened. Snapshots appear when a steward's
schedule or an operator says so, never because of what some enterprise's row holds.
"""

from __future__ import annotations

import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new, insert_or_update
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.lineage import catch_up, keep_snapshot_paper
from saferoom.app.log import acknowledge
from saferoom.app.quality import send_tickets
from saferoom.app.teaching import teach
from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import Role
from saferoom.core.orders import (
    IngestOrder,
    check_ingest_order,
    check_profile_order,
    check_snapshot_order,
)
from saferoom.core.source import SourceManifest
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Refusal, Unavailable
from saferoom.ports import Snapshot


def ingest(room: Room, caller: Caller, party: str, order: Statement) -> dict[str, Json]:
    """Read a connected source by its steward's order, which an operator may bring."""
    own = caller.role is Role.STEWARD and caller.party == party
    if not own and caller.role is not Role.OPERATOR:
        raise Refusal("ROLE")
    if IngestOrder.from_body(order.body).party != party:
        raise BadInput("FIELD_INVALID", "party")
    with reading(room.database) as connection:
        _check_connected(connection, room, order)
    teach(room)
    counts = dict(room.steward.ingest(order))
    catch_up(room)  # before the entry: whoever tries again has none yet
    personal: dict[str, Json] = {
        "source": party,
        "rows": counts.get("rows", 0),
        "quarantined": counts.get("quarantined", 0),
    }
    with writing(room.database) as connection:
        write_entry(connection, room, Draft("ingested", party, personal))
    return counts


def materialise(room: Room, caller: Caller, order: Statement) -> Snapshot:
    """Compute the approved views by an operator's order and publish the snapshot."""
    if caller.role is not Role.OPERATOR:
        raise Refusal("ROLE")
    with reading(room.database) as connection:
        check_snapshot_order(order, loading.lookup(connection), room.clock())
        views = loading.standing(connection, "views")
    if views is None:
        raise Unavailable("NOT_READY", "views")
    teach(room)
    snapshot = room.steward.materialise(order)
    if snapshot.views != views:
        raise Refusal("VIEW_UNAPPROVED", "the vault computes other views")
    _publish(room, snapshot)
    send_tickets(room)
    return snapshot


def profile(room: Room, caller: Caller, order: Statement) -> dict[str, Json]:
    """Tell how features are distributed, once the sinks hold that it was told."""
    if caller.role not in {Role.STEWARD, Role.OPERATOR}:
        raise Refusal("ROLE")
    with reading(room.database) as connection:
        _, signer = check_profile_order(order, loading.lookup(connection), room.clock())
    if signer.role is Role.STEWARD and signer.party != caller.party:
        raise Refusal("ROLE", "another source's order")
    teach(room)
    told = dict(room.steward.profile(order))
    figures = told.get("features")
    personal: dict[str, Json] = {
        "party": signer.party,
        "by": signer.holder,
        "order": order.digest,
        "figures": len(figures) if isinstance(figures, list) else 0,
    }
    artefacts = {name: Digest(str(told.get(name))) for name in ("snapshot", "views")}
    with writing(room.database) as connection:
        entry = write_entry(connection, room, Draft("profiled", signer.party, personal, artefacts))
    try:
        acknowledge(room, [entry])
    except Unavailable as error:
        raise Unavailable("NOT_DELIVERED") from error
    return told


def follow(room: Room) -> None:
    """Publish what the vault computed for a call that ended before the room recorded it.

    Else every score would be of a snapshot that the room does not know, for ever.
    """
    with reading(room.database) as connection:
        views, known = (loading.standing(connection, name) for name in ("views", "snapshot"))
    match room.vault.describe().get("snapshot"):
        case {
            "digest": str(digest),
            "as_of": str(as_of),
            "views": str(of),
            "enterprises": int(enterprises),
            "published_at": str(published_at),
        } if digest != known and of == views:
            _publish(room, Snapshot(Digest(digest), as_of, Digest(of), enterprises, published_at))
        case _:
            return


def _publish(room: Room, snapshot: Snapshot) -> None:
    row = {
        "digest": snapshot.digest,
        "as_of": snapshot.as_of,
        "views": snapshot.views,
        "enterprises": snapshot.enterprises,
        "published_at": snapshot.published_at,
    }
    catch_up(room)
    paper = room.steward.snapshot_paper()
    with writing(room.database) as connection:
        now = {"name": "snapshot", "digest": snapshot.digest}
        insert_or_update(connection, t.standing, [now])
        if paper is not None:
            keep_snapshot_paper(connection, room, paper, snapshot.digest)
        if insert_new(connection, t.snapshot, row):
            artefacts = {"snapshot": snapshot.digest, "views": snapshot.views}
            draft = Draft("snapshot_published", room.origin, {"as_of": snapshot.as_of}, artefacts)
            write_entry(connection, room, draft)


def _check_connected(connection: sa.Connection, room: Room, statement: Statement) -> None:
    order = IngestOrder.from_body(statement.body)
    party = order.party
    query = sa.select(t.subject.c.statement).where(
        t.subject.c.kind == "source", t.subject.c.party == party, t.subject.c.state == "approved"
    )
    statements = (Statement.from_bytes(stored) for stored in connection.scalars(query))
    manifests = (
        SourceManifest.from_body(one.body) for one in statements if one.kind == SourceManifest.KIND
    )
    source = next((one for one in manifests if one.name == order.connector), None)
    if source is None:
        raise NotFound("NOT_FOUND", "an approved source of this party")
    check_ingest_order(statement, loading.lookup(connection), source.party, room.clock())
    query = sa.select(t.party.c.state).where(t.party.c.party == party)
    if connection.scalar(query) != "admitted":
        raise Refusal("ORG_INACTIVE")
