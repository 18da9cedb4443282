"""How does an enterprise get its own rows through a room that cannot read them?

The vault seals them to the key that the enterprise's signed order names; the room checks the order,
relays the bytes and keeps none. That it happened is in the log, and a notice, before it is shown.
"""

from __future__ import annotations

from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.log import acknowledge
from saferoom.app.teaching import teach
from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.own_record import check_own_record_order
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable


def give(room: Room, caller: Caller, order: Statement) -> dict[str, Json]:
    """Relay an enterprise's own record; whoever lost the answer signs another order."""
    if caller.role is not Role.ENTERPRISE:
        raise Refusal("ROLE", "an enterprise's own record")
    with reading(room.database) as connection:
        checked = check_own_record_order(order, loading.lookup(connection), room.clock())
    if checked.enterprise != caller.party:
        raise Refusal("ROLE", "another enterprise's record")
    teach(room)
    sealed = room.steward.own_record(order)
    personal: dict[str, Json] = {"enterprise": caller.party, "order": order.digest}
    with writing(room.database) as connection:
        entry = write_entry(connection, room, Draft("own_record_given", caller.party, personal))
    try:
        acknowledge(room, [entry])
    except Unavailable as error:
        raise Unavailable("NOT_DELIVERED") from error
    return {"sealed": sealed.hex()}
