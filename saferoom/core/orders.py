"""Who says that a source's data come in, and that a snapshot is made of them?

An order is signed: the source's own steward has its files read, an operator has the features
computed. A token alone does neither, and no order says where files lie: the vault knows that
of each connector. Like a score request an order is fresh, and has one effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.moment import FRESH, read_day, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

MOST_FILES = 1_000
MOST_PROFILED = 500


@dataclass(frozen=True, kw_only=True)
class OrderedFile(Record):
    """One file of the source, as its steward knows it."""

    name: str
    sha256: Digest

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.name) <= 100 and "/" not in self.name, "name")
        hex_bytes(self.sha256, 32)


@dataclass(frozen=True, kw_only=True)
class IngestOrder(Record):
    """Read what lies in this connector's folder: all of it, or exactly these files."""

    KIND: ClassVar[str] = "saferoom/ingest-order/1"
    party: str
    connector: str
    files: tuple[OrderedFile, ...] | None
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.party) <= 64, "party")
        check_field(0 < len(self.connector) <= 40, "connector")
        names = [file.name for file in self.files or ()]
        check_field(len(set(names)) == len(names) <= MOST_FILES, "files")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class SnapshotOrder(Record):
    """Compute the approved views as of the end of this local day, and publish them."""

    KIND: ClassVar[str] = "saferoom/snapshot-order/1"
    as_of: str
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        read_day(self.as_of)
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class ProfileOrder(Record):
    """Tell how these features are distributed in the current snapshot, as far as one may."""

    KIND: ClassVar[str] = "saferoom/profile-order/1"
    views: tuple[str, ...]
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.views) <= MOST_PROFILED, "views")
        check_field(list(self.views) == sorted(set(self.views)), "views")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


def check_ingest_order(
    statement: Statement, lookup: Lookup, party: str, now: datetime
) -> IngestOrder:
    """Accept a fresh order of the steward of this party, whose connector it names."""
    order = IngestOrder.from_body(statement.body)
    signer = check_signer(statement, lookup, Role.STEWARD)
    if not signer.party == order.party == party:
        raise Refusal("ROLE", "the source is another party's")
    _check_fresh(order.asked_at, now)
    return order


def check_snapshot_order(statement: Statement, lookup: Lookup, now: datetime) -> SnapshotOrder:
    """Accept a fresh order of an operator."""
    order = SnapshotOrder.from_body(statement.body)
    check_signer(statement, lookup, Role.OPERATOR)
    _check_fresh(order.asked_at, now)
    return order


def check_profile_order(
    statement: Statement, lookup: Lookup, now: datetime
) -> tuple[ProfileOrder, Enrolment]:
    """Accept a fresh order of a steward or of an operator, who reviews; say whose it is."""
    order = ProfileOrder.from_body(statement.body)
    signer = check_signer(statement, lookup, Role.STEWARD, Role.OPERATOR)
    _check_fresh(order.asked_at, now)
    return order, signer


def _check_fresh(asked_at: str, now: datetime) -> None:
    """Refuse an order from another time; whoever obeys remembers what came of it."""
    if abs(now - read_instant(asked_at)) > FRESH:
        raise Refusal("REPLAY")
