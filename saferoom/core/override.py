"""May the room go on for a while although the witnesses are silent?

Two people say so, for at most three days, with a reason that everybody reads: each release
under it names it in its leaf, each receipt carries it, and `verify` tells it in words. The
two are the founders that the trust file names, so that anyone can check it with that file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes
from saferoom.errors import Refusal

LONGEST = timedelta(days=3)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Override(Record):
    """What two operators sign."""

    KIND: ClassVar[str] = "saferoom/witness-override/1"
    origin: str
    reason: str  # public: it stands in every receipt
    valid_from: str
    valid_until: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges; it has an end, and soon."""
        check_field(0 < len(self.origin) <= 255, "origin")
        check_field(0 < len(self.reason) <= 200 and self.reason.isprintable(), "reason")
        begins, ends = read_instant(self.valid_from), read_instant(self.valid_until)
        check_field(begins < ends <= begins + LONGEST, "valid_until")
        hex_bytes(self.nonce, 16)

    def in_force(self, now: datetime) -> bool:
        """Say whether it holds now; its end is no longer inside."""
        return read_instant(self.valid_from) <= now < read_instant(self.valid_until)

    def touches(self, hour: datetime) -> bool:
        """Say whether it held at some moment of the hour, which is all that a leaf tells."""
        begins, ends = read_instant(self.valid_from), read_instant(self.valid_until)
        return begins < hour + HOUR and hour < ends


def check_override(statement: Statement, operators: Sequence[VerifyKey], origin: str) -> Override:
    """Accept what all of the (two or more) operators of the trust file signed, for this log."""
    override = Override.from_body(statement.body)
    if override.origin != origin:
        raise Refusal("SIGNATURE_INVALID", "an override of another log")
    check_all_sign(statement, operators, "an override")
    return override


def check_all_sign(statement: Statement, operators: Sequence[VerifyKey], what: str) -> None:
    """Refuse what not exactly the two or more operators of the trust file signed."""
    ids = {key.id for key in operators}
    if len(ids) < 2 or set(statement.signers()) != ids:
        raise Refusal("APPROVAL_MISSING", f"the operators of the trust file sign {what}")
    for key in operators:
        statement.check_signed_by(key)
