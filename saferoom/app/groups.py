"""May a bank change the group that it shares its budgets with?

What was revealed to a bank is remembered in its group's accounts. In another group it would
begin at nothing and could learn everything once more, so it stays where it is as soon as an
enterprise has opened an account for that group.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import loading
from saferoom.core.admission import Admission, PartyKind
from saferoom.errors import Conflict


def check_group_kept(connection: Connection, admission: Admission) -> None:
    """Refuse another group than that of the contract in force, once there are accounts."""
    current = loading.admission_of(connection, admission.party)
    if current is None or current.party_kind is not PartyKind.BANK:
        return
    accounts = sa.select(t.account.c.enterprise).where(t.account.c.bank_group == current.group)
    changed = (admission.group, admission.party_kind) != (current.group, current.party_kind)
    if changed and connection.scalar(accounts.limit(1)) is not None:
        raise Conflict("STATE", "its group has accounts, and would forget what was revealed")
