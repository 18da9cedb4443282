"""What would an enterprise agree to, and in which words?

Before it signs it sees everything that its grant will name: the version, whose it is, what it
reads, the wording that is in force, its own budget with that bank and its last grant. A
version's digest is what its bank gives to the enterprises that it asks: whoever holds one may
read the terms, and other banks may not.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.templates import standing_template
from saferoom.canonical import Json
from saferoom.core.admission import Admission
from saferoom.core.budget import Budget
from saferoom.core.enrolment import Role
from saferoom.core.grant import Grant
from saferoom.core.manifest import Manifest
from saferoom.core.state import VersionState
from saferoom.errors import NotFound, Refusal

_SEES_ALL = frozenset({Role.OPERATOR, Role.AUDITOR, Role.ENTERPRISE})


@dataclass(frozen=True)
class Offer:
    """One version, and whose it is."""

    manifest: Manifest
    categories: tuple[str, ...]
    admission: Admission

    def first_misnamed(self, grant: Grant) -> str | None:
        """Name the first of the bank's names that is not as the bank was admitted."""
        said_and_so = {
            "bank_name": (grant.bank_name, self.admission.name),
            "bank_contact": (grant.bank_contact, self.admission.contact),
        }
        return next((name for name, (a, b) in said_and_so.items() if a != b), None)


def load_offer(connection: Connection, digest: str) -> Offer:
    """Read a version with the names of its bank; ORG_INACTIVE where that is not admitted."""
    manifest = loading.manifest_of(connection, digest)
    views = loading.views_of(connection, manifest.views)
    admission = loading.admission_of(connection, manifest.bank)
    if admission is None:
        raise Refusal("ORG_INACTIVE")
    return Offer(manifest, views.categories_of(manifest.features), admission)


def show_terms(room: Room, caller: Caller, digest: str) -> dict[str, Json]:
    """State the terms of one approved version to an enterprise, or to the version's own bank."""
    with reading(room.database) as connection:
        query = sa.select(t.version.c.state, t.version.c.bank).where(t.version.c.digest == digest)
        row = connection.execute(query).one_or_none()
        known = row is not None and (caller.role in _SEES_ALL or row.bank == caller.party)
        if row is None or not known or row.state != VersionState.APPROVED:
            raise NotFound("NOT_FOUND", "version")
        offer = load_offer(connection, digest)
        return {
            "manifest": offer.manifest.to_body(),
            "categories": [*offer.categories],
            "bank_name": offer.admission.name,
            "bank_contact": offer.admission.contact,
            "template": standing_template(connection, room).to_body(),
            "budget": _budget(connection, caller.party, offer.manifest.group),
            "renews": _latest(connection, caller.party, digest),
        }


def _budget(connection: Connection, enterprise: str, group: str) -> Json:
    """Read the caller's own budget with this bank's group; none for whoever is no enterprise."""
    query = (
        sa.select(t.budget.c.statement)
        .join(t.account, t.account.c.budget == t.budget.c.digest)
        .where(t.account.c.enterprise == enterprise, t.account.c.bank_group == group)
    )
    stored = connection.scalar(query)
    return None if stored is None else loading.read(Budget, stored).to_body()


def _latest(connection: Connection, enterprise: str, version: str) -> str | None:
    mine = sa.and_(t.permission.c.enterprise == enterprise, t.permission.c.version == version)
    query = sa.select(t.permission.c.digest).where(mine).order_by(t.permission.c.number.desc())
    return connection.scalar(query.limit(1))
