"""What happens to what the room keeps of an enterprise that is erased?

The order is stored first, so that it is carried out though the room or the vault should end: the
worker goes on with it. The vault makes its data unreadable; then, in one transaction, the
enterprise's epoch moves, so that a score that runs is evaluated again, the sealed answers that are
stored of it go, and the log says so. Releases, charges and receipts stay: that an answer was
given is not undone, it is only no longer reproducible.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.locking import lock_enterprises
from saferoom.app.teaching import teach
from saferoom.canonical import Digest, Json
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.moment import write_instant
from saferoom.core.orders import EraseOrder, check_erase_order, check_rotate_order
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES, Isolation, NotFound, SaferoomError, Tampered, Unavailable

ORDERED, CERTIFIED = "ordered", "certified"
NO_MODELS = "No model of this room was trained on its rows."


def erase(room: Room, _caller: Caller, order: Statement) -> dict[str, Json]:
    """Carry out an order now, or say why it waits; whoever brings it adds no authority.

    What the room itself holds goes with the order: a vault that is away delays only its own part.
    """
    with writing(room.database) as connection:
        if _state(connection, order.digest) is None:
            checked = check_erase_order(order, loading.lookup(connection), room.clock())
            row = {
                "digest": order.digest,
                "enterprise": checked.enterprise,
                "statement": order.to_bytes(),
                "certificate": None,
                "state": ORDERED,
                "ordered_at": write_instant(room.clock()),
            }
            if insert_new(connection, t.erasure, row):
                _forget(connection, checked.enterprise)
    _carry_out(room, order)
    return certificate(room, order.digest)


def certificate(room: Room, order: Digest) -> dict[str, Json]:
    """Show what the vault certified, and the order that it is about."""
    query = sa.select(t.erasure).where(t.erasure.c.digest == order)
    with reading(room.database) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("NOT_FOUND", "erasure")
    if row.certificate is None:
        code = row.state if row.state in CODES else "NOT_READY"
        raise CODES[code].family(code, "the erasure")
    told = Statement.from_bytes(row.certificate)
    said = ErasureCertificate.from_body(told.body)
    return {
        "order": Statement.from_bytes(row.statement).to_json(),
        "certificate": told.to_json(),
        "unreadable_here_at": said.unreadable_here_at,
        "unreadable_everywhere_from": said.unreadable_everywhere_from,
        "models": [*said.models],
        "models_in_words": NO_MODELS if not said.models else "",
    }


def carry_out_waiting(room: Room) -> int:
    """Go on with every order that a crash or a vault that was away left."""
    query = sa.select(t.erasure.c.statement).where(t.erasure.c.state == ORDERED)
    with reading(room.database) as connection:
        waiting: Sequence[bytes] = connection.scalars(query.order_by(t.erasure.c.ordered_at)).all()
    for stored in waiting:
        _carry_out(room, Statement.from_bytes(stored))
    return len(waiting)


def rotate(room: Room, _caller: Caller, order: Statement) -> dict[str, Json]:
    """Have the vault change its keys by two operators' order."""
    with reading(room.database) as connection:
        find = loading.lookup(connection)
        check_rotate_order(order, find, room.clock())
        voters = [str(one and one.holder) for one in map(find, order.signers())]
    teach(room)
    told = dict(room.steward.rotate(order))
    personal: dict[str, Json] = {"statement": order.digest, "voters": [*voters]}
    with writing(room.database) as connection:
        write_entry(connection, room, Draft("keys_rotated", room.origin, personal))
    return told


def _carry_out(room: Room, order: Statement) -> None:
    """Let the vault do it, then let the room forget; what the vault refuses has ended."""
    teach(room)
    try:
        certified = room.steward.erase(order)
    except (Unavailable, Isolation, Tampered):  # a damaged file is mended, and the order waits
        raise
    except SaferoomError as error:
        with writing(room.database) as connection:
            _settle(connection, order.digest, error.code)
        raise
    with writing(room.database) as connection:
        code = EraseOrder.from_body(order.body).enterprise
        if _settle(connection, order.digest, CERTIFIED, certified.to_bytes()):
            _forget(connection, code)
            personal: dict[str, Json] = {
                "enterprise": code,
                "statement": order.digest,
                "certificate": certified.digest,
            }
            write_entry(connection, room, Draft("erased", code, personal))


def _forget(connection: Connection, code: str) -> None:
    """Show no stored answer again, and let nothing be recorded that was evaluated before."""
    lock_enterprises(connection, [code])
    mine = t.enterprise.c.code == code
    connection.execute(sa.update(t.enterprise).where(mine).values(epoch=t.enterprise.c.epoch + 1))
    stored = sa.update(t.release).where(t.release.c.enterprise == code)
    connection.execute(stored.values(answer=b""))


def _settle(
    connection: Connection, order: Digest, state: str, certified: bytes | None = None
) -> bool:
    """End an order that waits; of several who carried it out, one ends it."""
    waiting = sa.and_(t.erasure.c.digest == order, t.erasure.c.state == ORDERED)
    change = sa.update(t.erasure).where(waiting).values(state=state, certificate=certified)
    return connection.execute(change).rowcount == 1


def _state(connection: Connection, order: Digest) -> str | None:
    return connection.scalar(sa.select(t.erasure.c.state).where(t.erasure.c.digest == order))
