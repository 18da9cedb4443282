"""Who of those that may see everybody's looked, and at whom?

An operator or an auditor who reads an enterprise's receipt, or the accounts or grants of all,
leaves an entry in the log before anything is shown; the enterprise finds it in its list
(`looks.py`). Banks and enterprises read their own, which concerns nobody else.
"""

from __future__ import annotations

from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft
from saferoom.app.together import write_together
from saferoom.canonical import Json
from saferoom.core.enrolment import Role

SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR})


def note_lookup(room: Room, caller: Caller, what: str, enterprise: str | None = None) -> None:
    """Log that somebody who sees all looks at one enterprise's affairs, or (None) at all of them.

    What concerns one is committed to under its key, so it is shredded with the rest of its own.
    """
    if caller.role not in SEES_ALL:
        return
    personal: dict[str, Json] = {
        "by": caller.holder,
        "role": str(caller.role),
        "what": what,
        "enterprise": enterprise,
    }
    write_together(room, Draft("looked_up", enterprise or caller.holder, personal))
