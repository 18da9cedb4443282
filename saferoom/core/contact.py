"""Where do a party's notices go, and who may say so?

An enterprise says it for itself; elsewhere somebody who signs for the party. A modeller or a
system cannot lead a bank's notices away from those who would act on them. What was signed
later counts, so that an address which somebody kept back does not come back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Conflict, Refusal

# Plain addresses only: what could be read as two, or as a line of a message's head, is none.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
SPEAKERS = (Role.ENTERPRISE, Role.APPROVER, Role.OPERATOR, Role.AUDITOR, Role.STEWARD)


@dataclass(frozen=True, kw_only=True)
class Contact(Record):
    """One party's address for notices."""

    KIND: ClassVar[str] = "saferoom/contact/1"
    party: str
    address: str
    set_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.party) <= 64, "party")
        fits = len(self.address) <= 200 and _ADDRESS.fullmatch(self.address) is not None
        fits = fits and "=?" not in self.address  # else a mailer may read another address from it
        check_field(fits, "address")
        read_instant(self.set_at)
        hex_bytes(self.nonce, 16)


def check_contact(statement: Statement, lookup: Lookup) -> tuple[Contact, Enrolment]:
    """Accept an address that somebody signed who speaks for the party."""
    contact = Contact.from_body(statement.body)
    signer = check_signer(statement, lookup, *SPEAKERS)
    if signer.party != contact.party:
        raise Refusal("ROLE", "the address is another party's")
    return contact, signer


def check_newer_contact(new: Contact, current: Contact | None) -> None:
    """Refuse an address that was signed before the one in force."""
    if current is not None and read_instant(new.set_at) <= read_instant(current.set_at):
        raise Conflict("STATE", "a newer address is in force")
