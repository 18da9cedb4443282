"""Who says that a source's data come in, that a snapshot is made of them, that they go?

An order is signed: the source's own steward has its files read, an operator has the features
computed. A token alone does neither, and no order says where files lie: the vault knows that
of each connector. Like a score request an order is fresh, and has one effect.

An enterprise has its own data erased; two operators do it on its behalf, and name the digest of
the paper by which it asked them. Two operators have the keys changed, or copied for a custodian.
What two people sign may be a day old, for they seldom sit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import Digest
from saferoom.core.enrolment import (
    SOON,
    Enrolment,
    Lookup,
    Role,
    check_enterprise,
    check_operators,
    check_signer,
)
from saferoom.core.moment import FRESH, check_not_ahead, read_day, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes, sealing_key_bytes
from saferoom.errors import Refusal

MOST_FILES = 1_000
MOST_KEPT_DAYS = 35  # of a backup of keys: so long what was erased may still be opened by one
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


@dataclass(frozen=True, kw_only=True)
class EraseOrder(Record):
    """Make unreadable what the vault holds of an enterprise, and certify it."""

    KIND: ClassVar[str] = "saferoom/erase-order/1"
    enterprise: str
    evidence: Digest | None  # of the paper by which it asked two operators; None: it signs itself
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.enterprise) <= 18, "enterprise")
        if self.evidence is not None:
            hex_bytes(self.evidence, 32)
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class RotateOrder(Record):
    """Encrypt all facts under new data keys, and wrap every key by a new one."""

    KIND: ClassVar[str] = "saferoom/rotate-order/1"
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class KeyBackupOrder(Record):
    """Seal a copy of the vault's keys to a custodian, for so many days."""

    KIND: ClassVar[str] = "saferoom/key-backup-order/1"
    custodian: str  # X25519, hexadecimal
    kept_days: int
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        sealing_key_bytes(self.custodian)
        check_field(0 < self.kept_days <= MOST_KEPT_DAYS, "kept_days")
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


def check_erase_order(statement: Statement, lookup: Lookup, now: datetime) -> EraseOrder:
    """Accept an order of whoever may give it, of today or yesterday."""
    order = check_who_erases(statement, lookup)
    _check_soon(order.asked_at, now)
    return order


def check_who_erases(statement: Statement, lookup: Lookup) -> EraseOrder:
    """Accept, of whatever age, what the enterprise signed, or two operators with evidence."""
    order = EraseOrder.from_body(statement.body)
    if order.evidence is None:
        check_enterprise(statement, order.enterprise, lookup)
    else:
        check_operators(statement, lookup, 2)
    return order


def check_rotate_order(statement: Statement, lookup: Lookup, now: datetime) -> RotateOrder:
    """Accept an order of two operators."""
    order = RotateOrder.from_body(statement.body)
    check_operators(statement, lookup, 2)
    _check_soon(order.asked_at, now)
    return order


def check_key_backup_order(statement: Statement, lookup: Lookup, now: datetime) -> KeyBackupOrder:
    """Accept an order of two operators, who name the custodian's key."""
    order = KeyBackupOrder.from_body(statement.body)
    check_operators(statement, lookup, 2)
    _check_soon(order.asked_at, now)
    return order


def _check_soon(asked_at: str, now: datetime) -> None:
    """Refuse an order that was kept back, and one from the future."""
    check_not_ahead(asked_at, now, "asked_at")
    if read_instant(asked_at) < now - SOON:
        raise Refusal("REPLAY")


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
