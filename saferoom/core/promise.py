"""Did the room keep its word to log an entry by a deadline?

A promise is a statement by the log's key over the entry's leaf hash. It is answered at once;
the receipt follows. A promise whose deadline has passed and whose entry is in no checkpoint
is proof of misconduct, and that is said, not smoothed over.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from saferoom.core.moment import read_instant
from saferoom.core.record import Record
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal, Tampered
from saferoom.tlog.checkpoint import check_name

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.trust import Trust


@dataclass(frozen=True, kw_only=True)
class Promise(Record):
    """What the log's key signs before the entry has its place."""

    KIND: ClassVar[str] = "saferoom/promise/1"
    origin: str
    entry: str  # the leaf's hash
    deadline: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_name(self.origin)
        hex_bytes(self.entry, 32)
        read_instant(self.deadline)


class Kept(StrEnum):
    """How a promise stands."""

    KEPT = "kept"
    PENDING = "pending"


def read_promise(statement: Statement, trust: Trust) -> Promise:
    """Read a promise of this log, signed once, by a sound key of the trust file."""
    promise = Promise.from_body(statement.body)
    trust = trust.of(promise.origin)  # what a closed log promised stands in the one that follows
    if promise.origin != trust.origin or len(statement.signatures) != 1:
        raise Tampered("CHECKPOINT_UNTRUSTED", "a promise of another log")
    key = trust.key_of(statement.signers()[0])
    if key is None or not key.vouches(read_instant(promise.deadline)):
        raise Tampered("CHECKPOINT_UNTRUSTED", "a promise by another key")
    try:
        statement.check_signed_by(key.verify_key)
    except Refusal as error:
        raise Tampered("CHECKPOINT_UNTRUSTED", "a promise's signature does not fit") from error
    return promise


def check_promise(
    statement: Statement, trust: Trust, *, logged: Container[str], now: datetime
) -> Kept:
    """Say kept or pending, or raise PROMISE_BROKEN; `logged` holds the log's leaf hashes."""
    promise = read_promise(statement, trust)
    if promise.entry in logged:
        return Kept.KEPT
    if now > read_instant(promise.deadline):
        raise Tampered("PROMISE_BROKEN")
    return Kept.PENDING
