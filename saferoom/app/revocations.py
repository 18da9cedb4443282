"""What did enterprises take back?

Read from the statements that were signed. All of an enterprise's revocations are read, not
one version's: a revocation also ends the grant that it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.app import loading
from saferoom.core.grant import Revocation

_OF_THESE = sa.select(t.revocation.c.enterprise, t.revocation.c.statement).where(
    t.revocation.c.enterprise.in_(sa.bindparam("codes", expanding=True))
)


def load_revocations(
    connection: Connection, enterprises: Collection[str]
) -> Mapping[str, Sequence[Revocation]]:
    """Read these enterprises' revocations, by enterprise."""
    found: defaultdict[str, list[Revocation]] = defaultdict(list)
    for row in connection.execute(_OF_THESE, {"codes": list(enterprises)}):
        found[row.enterprise].append(loading.read(Revocation, row.statement))
    return found
