"""What happens to what the room keeps of an enterprise that is erased?

The order is stored first, so that it is carried out though the room or the vault should end: the
worker goes on with it. The vault makes its data unreadable; then, in one transaction, the
enterprise's epoch moves, so that a score that runs is evaluated again, the sealed answers that are
stored of it go, and the log says so. Releases, charges and receipts stay: that an answer was
given is not undone, it is only no longer reproducible.

Order and certificate are lessons too: a vault that is restored from before learns them again and
erases again, and what it certifies then takes the old certificate's place. An order that the vault
refused (it was away for longer than an order is fresh) is shown with its code, until the enterprise
signs another, or two operators do with that order as their evidence.
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
from saferoom.app.teaching import queue, teach
from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import Role
from saferoom.core.erasure import CERTIFIED, ORDERED, ErasureCertificate
from saferoom.core.moment import write_instant
from saferoom.core.orders import EraseOrder, check_erase_order, check_rotate_order
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES, Isolation, NotFound, SaferoomError, Tampered, Unavailable

MOST_LISTED = 10_000
_SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})
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
                queue(connection, [order])
                _forget(connection, checked.enterprise)
    _carry_out(room, order)
    return _certificate(room, sa.select(t.erasure).where(t.erasure.c.digest == order.digest))


def certificate(room: Room, caller: Caller, order: Digest) -> dict[str, Json]:
    """Show what the vault certified, and the order that it is about."""
    return _certificate(room, _shown_to(caller).where(t.erasure.c.digest == order))


def list_orders(room: Room, caller: Caller) -> list[dict[str, Json]]:
    """List orders and what came of them: an enterprise's own, all for operators and auditors."""
    query = _shown_to(caller).order_by(t.erasure.c.ordered_at.desc(), t.erasure.c.digest)
    with reading(room.database) as connection:
        rows = connection.execute(query.limit(MOST_LISTED)).all()
    return [
        {
            "order": row.digest,
            "enterprise": row.enterprise,
            "ordered_at": row.ordered_at,
            "state": row.state,
            "remedy": CODES[row.state].remedy if row.state in CODES else None,
        }
        for row in rows
    ]


def _shown_to(caller: Caller) -> sa.Select[*tuple[object, ...]]:
    query = sa.select(t.erasure)
    return (
        query if caller.role in _SEES_ALL else query.where(t.erasure.c.enterprise == caller.party)
    )


def _certificate(room: Room, query: sa.Select[*tuple[object, ...]]) -> dict[str, Json]:
    with reading(room.database) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("NOT_FOUND", "erasure")
    if row.state != CERTIFIED:
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
    """Go on with every order that a crash or a vault that was away left; one may fail alone."""
    query = sa.select(t.erasure.c.statement).where(t.erasure.c.state == ORDERED)
    with reading(room.database) as connection:
        waiting: Sequence[bytes] = connection.scalars(query.order_by(t.erasure.c.ordered_at)).all()
    fault: SaferoomError | None = None
    for stored in waiting:
        try:
            _carry_out(room, Statement.from_bytes(stored))
        except (Unavailable, Isolation):  # of the vault, whatever the order
            raise
        except SaferoomError as error:
            fault = fault or error
    if fault is not None:
        raise fault
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
        mine = t.erasure.c.digest == order.digest
        before = connection.scalar(sa.select(t.erasure.c.certificate).where(mine))
        settled = _settle(connection, order.digest, CERTIFIED, certified.to_bytes())
        if settled and before != certified.to_bytes():
            queue(connection, [certified])
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
    """End an order; of several who carried it out, one ends it. A refused one may be obeyed yet."""
    column = t.erasure.c.state
    open_still = column == ORDERED if certified is None else column != CERTIFIED
    change = sa.update(t.erasure).where(t.erasure.c.digest == order, open_still)
    values = {"state": state} if certified is None else {"state": state, "certificate": certified}
    return connection.execute(change.values(values)).rowcount == 1


def _state(connection: Connection, order: Digest) -> str | None:
    return connection.scalar(sa.select(t.erasure.c.state).where(t.erasure.c.digest == order))
