"""What do the releases themselves say was revealed?

An account's balance is one number in one row, and whoever may write the database could set
it back. Each release's row holds what it was charged and points into the log, so the gate
adds these up and refuses where an account says less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t

_CHARGE = t.release.c.charge_mbit
_TO_GROUP = sa.case((t.release.c.bank_group == sa.bindparam("group"), _CHARGE), else_=0)
_CHARGED = (
    sa.select(
        t.release.c.enterprise,
        sa.func.sum(_CHARGE).label("to_all"),
        sa.func.sum(_TO_GROUP).label("to_group"),
    )
    .where(t.release.c.enterprise.in_(sa.bindparam("codes", expanding=True)), _CHARGE > 0)
    .group_by(t.release.c.enterprise)
)


class Charged(NamedTuple):
    """Milli-bits, by the release rows of one enterprise."""

    to_all: int = 0
    to_group: int = 0


def load_charged(
    connection: Connection, enterprises: Sequence[str], group: str
) -> Mapping[str, Charged]:
    """Add up; read it before the accounts, which only grow, so that no release falls between."""
    found = connection.execute(_CHARGED, {"codes": list(enterprises), "group": group})
    return {row.enterprise: Charged(int(row.to_all), int(row.to_group)) for row in found}
