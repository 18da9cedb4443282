"""How does an enterprise say that a record about it is wrong?

By naming the row as its own record shows it: so many of such a batch. Nothing is deleted and
nothing is decided here: from the next snapshot on the record counts as disputed, which refuses
rather than grades, until its source sends a version that it knows later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from saferoom.core.enrolment import Lookup, check_enterprise
from saferoom.core.moment import FRESH, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal

NOTE_AAD = b"saferoom/dispute-note/1"


class Why(StrEnum):
    """What is wrong with it; words of ours, so that no value travels in a reason."""

    NOT_OURS = "not_ours"
    WRONG_VALUE = "wrong_value"
    OUTDATED = "outdated"


@dataclass(frozen=True, kw_only=True)
class Dispute(Record):
    """A row about me is wrong."""

    KIND: ClassVar[str] = "saferoom/dispute/1"
    enterprise: str
    batch: int
    row: int
    why: Why
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.enterprise) <= 18, "enterprise")
        check_field(0 < self.batch < 2**31, "batch")
        check_field(0 <= self.row < 2**31, "row")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


def check_dispute(statement: Statement, lookup: Lookup, now: datetime) -> Dispute:
    """Accept a fresh statement of the enterprise itself."""
    dispute = Dispute.from_body(statement.body)
    check_enterprise(statement, dispute.enterprise, lookup)
    if abs(now - read_instant(dispute.asked_at)) > FRESH:
        raise Refusal("REPLAY")
    return dispute
