"""Whose recorded release may not be shown now, and why?

A release stays recorded for ever; its sealed answer is shown while the grant that it rests
on, the party and the version live. Asked at each delivery, at each replay of one, and at
each receipt that a bank fetches: what was shown once is not shown for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.app import loading
from saferoom.app.context import Room
from saferoom.app.frames import Asked, load_frame
from saferoom.app.holdings import Checked, check_holding, load_holdings
from saferoom.app.revocations import load_revocations
from saferoom.core.enrolment import Lookup
from saferoom.core.grant import Grant, revoked
from saferoom.core.moment import read_instant
from saferoom.core.request import ScoreRequest
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal

_GRANTS = sa.select(t.permission.c.statement).where(
    t.permission.c.digest.in_(sa.bindparam("digests", expanding=True))
)

Releases = Sequence[Row[*tuple[object, ...]]]


def withheld(
    connection: Connection,
    room: Room,
    asked: Asked,
    releases: Releases,
    checked: Checked,
    *,
    lock: bool,
    find: Lookup | None = None,
) -> dict[str, Refusal]:
    """Check the frame and each grant once more; name the enterprises and what refuses."""
    if not releases:
        return {}
    names = [row.enterprise for row in releases]
    try:
        frame = load_frame(connection, room, asked, lock=lock, find=find)
    except Refusal as error:
        return dict.fromkeys(names, error)
    holdings = load_holdings(connection, frame, names, checked, lock=lock)
    ended = _ended(connection, releases)
    refused = {}
    for row in releases:
        try:
            _check_not_ended(row, ended)
            check_holding(frame, holdings.get(row.enterprise), charge_mbit=0)  # charged already
        except Refusal as error:
            refused[row.enterprise] = error
    return refused


def _check_not_ended(release: Row[*tuple[object, ...]], ended: set[str]) -> None:
    """Refuse also where a newer grant lives: it does not wake an older release."""
    if not release.answer:
        raise Refusal("ERASED")
    if release.grant_digest in ended:
        raise Refusal("AUTH_REVOKED")


def withheld_from_bank(
    connection: Connection, room: Room, release: Row[*tuple[object, ...]]
) -> bool:
    """Say whether a bank may no longer have this answer; whose key asked may be replaced."""
    query = sa.select(t.request).where(t.request.c.digest == release.request)
    row = connection.execute(query).one()
    statement = Statement.from_bytes(row.statement)
    request = ScoreRequest.from_body(statement.body)
    asked = Asked(statement, request, row.party, row.key, read_instant(row.first_asked_at))
    find = loading.lookup_ever(connection)
    return bool(withheld(connection, room, asked, [release], Checked(), lock=False, find=find))


def _ended(connection: Connection, releases: Releases) -> set[str]:
    """Name the grants under which these were released and which were taken back since."""
    named = {"digests": [row.grant_digest for row in releases]}
    grants = [loading.read(Grant, one) for one in connection.scalars(_GRANTS, named)]
    revocations = load_revocations(connection, [grant.enterprise for grant in grants])
    return {
        grant.digest for grant in grants if revoked(grant, revocations.get(grant.enterprise, ()))
    }
