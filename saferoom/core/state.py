"""In which state is it, what may happen next, and who minds it meanwhile?

Literal tables: a state and an event that are not in a table are refused. The audit kind
is that of the log entry which the same transaction writes; None where nothing that a
release depends on has changed. The diagram in the documentation is `diagram(machine)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from saferoom.errors import Conflict

S = TypeVar("S", bound=StrEnum)


class PartyState(StrEnum):
    """An organisation's way into the room and out of it."""

    APPLIED = "applied"
    ASSESSED = "assessed"
    ADMITTED = "admitted"
    SUSPENDED = "suspended"
    EXITED = "exited"


class VersionState(StrEnum):
    """A model version's way."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    CHECKED = "checked"
    UNDER_REVIEW = "under_review"
    APPROVED = "approved"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class GrantState(StrEnum):
    """A grant's way; a renewal is a new grant that names the old one."""

    REQUESTED = "requested"
    GRANTED = "granted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Owner(StrEnum):
    """Who has to act next; nobody once a state is final."""

    BANK = "bank"
    OPERATOR = "operator"
    ENTERPRISE = "enterprise"
    ROOM = "room"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Transition(Generic[S]):
    """Where an event leads and which kind of log entry it writes."""

    next: S
    audit: str | None


@dataclass(frozen=True)
class Machine(Generic[S]):
    """One literal table."""

    name: str
    start: S
    owners: Mapping[S, Owner]
    transitions: Mapping[S, Mapping[str, Transition[S]]]


PARTY: Machine[PartyState] = Machine(
    name="party",
    start=PartyState.APPLIED,
    owners={
        PartyState.APPLIED: Owner.OPERATOR,
        PartyState.ASSESSED: Owner.OPERATOR,
        PartyState.ADMITTED: Owner.OPERATOR,
        PartyState.SUSPENDED: Owner.OPERATOR,
        PartyState.EXITED: Owner.NOBODY,
    },
    transitions={
        PartyState.APPLIED: {"assess": Transition(PartyState.ASSESSED, "vote_cast")},
        PartyState.ASSESSED: {"admit": Transition(PartyState.ADMITTED, "party_admitted")},
        PartyState.ADMITTED: {"suspend": Transition(PartyState.SUSPENDED, "party_suspended")},
        PartyState.SUSPENDED: {
            "resume": Transition(PartyState.ADMITTED, "party_admitted"),
            "exit": Transition(PartyState.EXITED, "party_suspended"),
        },
        PartyState.EXITED: {},
    },
)

VERSION: Machine[VersionState] = Machine(
    name="version",
    start=VersionState.DRAFT,
    owners={
        VersionState.DRAFT: Owner.BANK,
        VersionState.SUBMITTED: Owner.ROOM,
        VersionState.CHECKED: Owner.ROOM,
        VersionState.UNDER_REVIEW: Owner.OPERATOR,
        VersionState.APPROVED: Owner.BANK,
        VersionState.REFUSED: Owner.NOBODY,
        VersionState.SUSPENDED: Owner.OPERATOR,
        VersionState.RETIRED: Owner.NOBODY,
    },
    transitions={
        VersionState.DRAFT: {"submit": Transition(VersionState.SUBMITTED, "version_submitted")},
        VersionState.SUBMITTED: {"check": Transition(VersionState.CHECKED, None)},
        VersionState.CHECKED: {"review": Transition(VersionState.UNDER_REVIEW, None)},
        VersionState.UNDER_REVIEW: {
            "approve": Transition(VersionState.APPROVED, "version_approved"),
            "refuse": Transition(VersionState.REFUSED, "vote_cast"),
        },
        VersionState.APPROVED: {
            "suspend": Transition(VersionState.SUSPENDED, "version_suspended"),
            "retire": Transition(VersionState.RETIRED, "version_suspended"),
        },
        VersionState.REFUSED: {},
        VersionState.SUSPENDED: {
            "resume": Transition(VersionState.APPROVED, "version_approved"),
            "retire": Transition(VersionState.RETIRED, "version_suspended"),
        },
        VersionState.RETIRED: {},
    },
)

GRANT: Machine[GrantState] = Machine(
    name="grant",
    start=GrantState.REQUESTED,
    owners={
        GrantState.REQUESTED: Owner.ENTERPRISE,
        GrantState.GRANTED: Owner.ENTERPRISE,
        GrantState.DECLINED: Owner.NOBODY,
        GrantState.LAPSED: Owner.NOBODY,
        GrantState.EXPIRED: Owner.NOBODY,
        GrantState.REVOKED: Owner.NOBODY,
    },
    transitions={
        GrantState.REQUESTED: {
            "grant": Transition(GrantState.GRANTED, "grant_signed"),
            "decline": Transition(GrantState.DECLINED, None),
            "lapse": Transition(GrantState.LAPSED, None),
        },
        GrantState.GRANTED: {
            "expire": Transition(GrantState.EXPIRED, None),
            "revoke": Transition(GrantState.REVOKED, "grant_revoked"),
        },
        GrantState.DECLINED: {},
        GrantState.LAPSED: {},
        GrantState.EXPIRED: {},
        GrantState.REVOKED: {},
    },
)


def check_transition(machine: Machine[S], current: S, event: str) -> S:
    """Return the next state, or refuse an event that the table does not hold."""
    transition = machine.transitions[current].get(event)
    if transition is None:
        raise Conflict("STATE", f"{machine.name} is {current}, so it cannot {event}")
    return transition.next


def diagram(machine: Machine[S]) -> str:
    """Render the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {machine.start}"]
    for state, events in machine.transitions.items():
        lines += [f"    {state} --> {way.next}: {event}" for event, way in events.items()]
        if not events:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines) + "\n"
