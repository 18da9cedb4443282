"""Which organisations may act here, for what, and until when?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field, is_line
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Refusal


class PartyKind(StrEnum):
    """What an organisation is to the room."""

    BANK = "bank"
    SOURCE = "source"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, kw_only=True)
class Admission(Record):
    """An organisation and its contract; two operators vote on its digest."""

    KIND: ClassVar[str] = "saferoom/admission/1"
    party: str
    party_kind: PartyKind
    name: str
    contact: str  # whom an enterprise turns to; its grants name it
    group: str  # banks of one group share a budget; elsewhere the party's own id
    purposes: tuple[str, ...]
    categories: tuple[str, ...]  # view categories for banks, table names for sources
    valid_from: str
    valid_until: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.party) <= 64, "party")
        check_field(is_line(self.name), "name")
        check_field(is_line(self.contact), "contact")
        check_field(0 < len(self.group) <= 64, "group")
        check_field(read_instant(self.valid_from) < read_instant(self.valid_until), "valid_until")
        hex_bytes(self.nonce, 16)


def active(admission: Admission, now: datetime) -> bool:
    """Say whether the contract's period holds now; its end is no longer inside."""
    return read_instant(admission.valid_from) <= now < read_instant(admission.valid_until)


def check_active(admission: Admission | None, now: datetime) -> None:
    """Refuse an organisation without a contract in force."""
    if admission is None or not active(admission, now):
        raise Refusal("ORG_INACTIVE")


def contract_covers(admission: Admission, purpose: str, categories: Iterable[str]) -> bool:
    """Say whether the contract names this purpose and all of these categories."""
    return purpose in admission.purposes and set(categories) <= set(admission.categories)


def check_contract(admission: Admission, purpose: str, categories: Iterable[str]) -> None:
    """Refuse a purpose or a category that the contract does not name."""
    if not contract_covers(admission, purpose, categories):
        raise Refusal("CONTRACT_SCOPE")
