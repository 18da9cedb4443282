"""How does a log end whose newest entries exist nowhere any more, and what follows it?

Two people say so: the founders that the trust file names, over what is left, what witnesses saw
last, and the name of the log that goes on. What is left is carried into the new log behind its
first entry, which is this statement; so its root proves that nothing left was dropped. A grant
signed by then is suspended: its revocation may be among the lost entries. The enterprise
confirms by signing the next grant of its chain.

Not brought back: what the lost entries charged. Nobody knows it, and the text of a closing's
room says so to whoever confirms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from saferoom.core.moment import SKEW, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes
from saferoom.errors import Refusal, Tampered
from saferoom.tlog.checkpoint import Checkpoint, check_name

MOST = 16  # logs that one trust file closes


@dataclass(frozen=True, kw_only=True)
class Closing(Record):
    """What two operators sign."""

    KIND: ClassVar[str] = "saferoom/closing/1"
    origin: str
    successor: str
    placed: int  # entries that are left and whose place is known
    size: int  # all that are left, those without a place behind the others
    root: str  # of their tree
    seen_size: int  # what a witness saw last
    seen_root: str
    reason: str  # public
    closed_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges; a log of which nothing is lost is not closed."""
        check_name(self.origin)
        check_name(self.successor)
        check_field(self.successor != self.origin, "successor")
        check_field(0 <= self.placed <= self.size, "size")
        check_field(self.placed < self.seen_size, "seen_size")
        hex_bytes(self.root, 32)
        hex_bytes(self.seen_root, 32)
        check_field(0 < len(self.reason) <= 200 and self.reason.isprintable(), "reason")
        read_instant(self.closed_at)
        hex_bytes(self.nonce, 16)

    @property
    def lost(self) -> int:
        """Count the places that a witness saw filled and nobody can fill again."""
        return self.seen_size - self.placed

    def check_within(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint of the closed log behind its end, or of another end."""
        behind = checkpoint.size > self.seen_size
        ends = checkpoint.size == self.seen_size
        if behind or (ends and checkpoint.root.hex() != self.seen_root):
            raise Tampered("CHECKPOINT_UNTRUSTED", "not within the log that was closed")


def confirmed(signed_at: str, closings: Iterable[Closing]) -> bool:
    """Say whether a grant was signed after the last closing, however clocks may differ."""
    signed = read_instant(signed_at)
    return all(signed > read_instant(one.closed_at) + SKEW for one in closings)


def check_closing(statement: Statement, operators: Sequence[VerifyKey]) -> Closing:
    """Accept what all of the (two or more) operators of the trust file signed."""
    closing = Closing.from_body(statement.body)
    ids = {key.id for key in operators}
    if len(ids) < 2 or set(statement.signers()) != ids:
        raise Refusal("APPROVAL_MISSING", "the operators of the trust file close a log")
    for key in operators:
        statement.check_signed_by(key)
    return closing


def check_chain(
    statements: Sequence[Statement], operators: Sequence[VerifyKey], origin: str
) -> tuple[Closing, ...]:
    """Accept closings that lead one after the other to this log."""
    check_field(len(statements) <= MOST, "closed")
    closings = tuple(check_closing(one, operators) for one in statements)
    names = [one.origin for one in closings] + [origin]
    check_field(len(set(names)) == len(names), "closed")
    check_field([one.successor for one in closings] == names[1:], "closed")
    return closings
