"""What else do operators put up for votes, and how is a party or a version stopped?

View sets and source manifests have modules of their own. A policy set holds its files'
texts, so what two operators agreed to is what is evaluated, wherever the folder went.
A suspension works once and soon: old paper does not stop what was agreed to after it. And
votes cast before a suspension do not let a party on again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.approval import CastVote, Vote, approved_at
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.moment import check_not_ahead, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

LARGEST_POLICY = 256 * 2**10
SOON = timedelta(days=1)  # within which a signed suspension is brought


@dataclass(frozen=True, kw_only=True)
class PolicyFile(Record):
    """One file of a policy set, by name and text."""

    name: str
    text: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.name) <= 100 and "/" not in self.name, "name")
        check_field(0 < len(self.text) <= LARGEST_POLICY, "text")


@dataclass(frozen=True, kw_only=True)
class PolicySet(Record):
    """Schema and policies, sorted by name; its digest stands in every release."""

    KIND: ClassVar[str] = "saferoom/policy-set/1"
    files: tuple[PolicyFile, ...]

    def __post_init__(self) -> None:
        """Keep the order canonical."""
        names = [file.name for file in self.files]
        check_field(bool(names) and names == sorted(set(names)), "files")


@dataclass(frozen=True, kw_only=True)
class Suspension(Record):
    """Two operators stop a party, at once."""

    KIND: ClassVar[str] = "saferoom/suspension/1"
    party: str
    reason: str
    suspended_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.party) <= 64, "party")
        check_field(0 < len(self.reason) <= 200, "reason")
        read_instant(self.suspended_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class Exit(Record):
    """Two operators end a suspended party's place in the room, for good."""

    KIND: ClassVar[str] = "saferoom/exit/1"
    party: str
    reason: str
    exited_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.party) <= 64, "party")
        check_field(0 < len(self.reason) <= 200, "reason")
        read_instant(self.exited_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class VersionSuspension(Record):
    """One person stops a model version, at once and for good."""

    KIND: ClassVar[str] = "saferoom/version-suspension/1"
    version: Digest
    reason: str
    suspended_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        hex_bytes(self.version, 32)
        check_field(0 < len(self.reason) <= 200, "reason")
        read_instant(self.suspended_at)
        hex_bytes(self.nonce, 16)


def check_version_suspension(statement: Statement, lookup: Lookup, bank: str) -> Enrolment:
    """Return who stops the version: an operator, or a modeller or approver of its own bank."""
    VersionSuspension.from_body(statement.body)
    signer = check_signer(statement, lookup, Role.OPERATOR, Role.MODELLER, Role.APPROVER)
    if signer.role is not Role.OPERATOR and signer.party != bank:
        raise Refusal("ROLE", "the version is another party's")
    return signer


def check_soon(suspended_at: str, now: datetime) -> None:
    """Refuse a suspension that was kept back, and one from the future."""
    check_not_ahead(suspended_at, now, "suspended_at")
    if read_instant(suspended_at) < now - SOON:
        raise Refusal("REPLAY")


def check_newer(suspended_at: str, cast: Sequence[CastVote]) -> None:
    """Refuse a suspension that is older than the approval which it would undo."""
    if read_instant(suspended_at) < read_instant(approved_at(cast)):
        raise Refusal("REPLAY")


def check_cast_since(vote: Vote, suspended_at: str | None) -> None:
    """Refuse a vote on a party that is older than the party's last suspension."""
    if suspended_at is not None and read_instant(vote.cast_at) < read_instant(suspended_at):
        raise Refusal("VOTE_INVALID", "cast before the suspension")
