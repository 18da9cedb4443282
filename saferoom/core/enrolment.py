"""Whose key is this, and who vouched for it?

An enrolment is signed by the new key itself (it is held) and by two enrolled
operators who are different people, neither of them the holder. The first two
operators are the genesis: each signs both enrolments. A holder has one key in force for
each role: a second one says which it replaces, which is void from then on, and the holder
finds a notice of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.core.uscc import check_uscc
from saferoom.crypto.signing import KeyId, Statement, VerifyKey, hex_bytes, sealing_key_bytes
from saferoom.errors import BadInput, Conflict, Refusal

SOON = timedelta(days=1)  # a key that begins later could be forgotten by who vouched for it


class Role(StrEnum):
    """What a person or system does in the room."""

    MODELLER = "modeller"
    APPROVER = "approver"
    SYSTEM = "system"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ENTERPRISE = "enterprise"
    STEWARD = "steward"


class Signatory(StrEnum):
    """By which authority a person holds an enterprise's key and signs for it."""

    LEGAL_REPRESENTATIVE = "legal_representative"
    AGENT = "authorised_agent"


@dataclass(frozen=True, kw_only=True)
class Enrolment(Record):
    """One key of one holder in one role for one party."""

    KIND: ClassVar[str] = "saferoom/enrolment/1"
    holder: str  # "li.na", or the enterprise's code
    party: str  # "bank-a"; an enterprise is its own party
    role: Role
    signing_key: str  # Ed25519, hexadecimal
    sealing_key: str  # X25519, hexadecimal
    replaces: KeyId | None
    valid_from: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.holder) <= 64, "holder")
        check_field(0 < len(self.party) <= 64, "party")
        VerifyKey.from_hex(self.signing_key)
        sealing_key_bytes(self.sealing_key)
        hex_bytes(self.nonce, 16)
        read_instant(self.valid_from)
        if self.replaces is not None:
            hex_bytes(self.replaces, 32)

    @cached_property
    def verify_key(self) -> VerifyKey:
        """Return the public signing key."""
        return VerifyKey.from_hex(self.signing_key)

    @property
    def key_id(self) -> KeyId:
        """Name the public signing key."""
        return self.verify_key.id

    @property
    def person(self) -> tuple[str, str]:
        """Tell people apart: whoever holds two keys of a party is still one person."""
        return (self.party, self.holder)

    @property
    def place(self) -> Place:
        """Name what one key at a time is in force for."""
        return (self.party, self.holder, self.role)


Place = tuple[str, str, Role]
Lookup = Callable[[KeyId], Enrolment | None]  # the enrolment in force, or None


def check_genesis(statements: Sequence[Statement]) -> tuple[Enrolment, ...]:
    """Accept the first two operators: different people, each signed by both."""
    founders = tuple(Enrolment.from_body(statement.body) for statement in statements)
    if len(founders) != 2 or len({founder.person for founder in founders}) != 2:
        raise Refusal("ROLE", "genesis is two different operators")
    if any(founder.role is not Role.OPERATOR or founder.replaces for founder in founders):
        raise Refusal("ROLE", "genesis is two different operators")
    for statement in statements:
        _check_signed_exactly(statement, [founder.verify_key for founder in founders])
    return founders


def check_enrolment(statement: Statement, lookup: Lookup) -> Enrolment:
    """Accept a key that is held, vouched for by two operators other than its holder."""
    enrolment = Enrolment.from_body(statement.body)
    own = enrolment.verify_key
    operators = [_operator(key, lookup) for key in statement.signers() if key != own.id]
    people = {operator.person for operator in operators} - {enrolment.person}
    if len(operators) != 2 or len(people) != 2:
        raise Refusal("ROLE", "two operators, neither of them the holder, sign an enrolment")
    _check_signed_exactly(statement, [own, *(operator.verify_key for operator in operators)])
    _check_holder(enrolment)
    _check_place(enrolment, lookup)
    return enrolment


def check_only_key(new: Enrolment, held: Mapping[Place, KeyId]) -> None:
    """Refuse a second key beside the one in force: nobody would notice that it was added."""
    if new.replaces is None and held.get(new.place, new.key_id) != new.key_id:
        raise Conflict("DUPLICATE", "the holder has a key in this role; name it in `replaces`")


def check_begins_soon(new: Enrolment, now: datetime) -> None:
    """Refuse a key that begins in the far future."""
    if read_instant(new.valid_from) > now + SOON:
        raise BadInput("FIELD_INVALID", "valid_from lies in the future")


def check_signer(statement: Statement, lookup: Lookup, *roles: Role) -> Enrolment:
    """Return who signed: exactly one key, enrolled, in one of these roles."""
    if len(statement.signatures) != 1:
        raise Refusal("SIGNATURE_INVALID", "exactly one signature is expected")
    signer = lookup(statement.signatures[0].key)
    if signer is None:
        raise Refusal("KEY_UNKNOWN")
    if signer.role not in roles:
        raise Refusal("ROLE")
    statement.check_signed_by(signer.verify_key)
    return signer


def check_operators(statement: Statement, lookup: Lookup, count: int) -> tuple[Enrolment, ...]:
    """Return who signed: exactly so many operators, all of them different people."""
    operators = tuple(_operator(key, lookup) for key in statement.signers())
    if len(operators) != count or len({operator.person for operator in operators}) != count:
        raise Refusal("APPROVAL_MISSING", f"operators needed: {count}")
    _check_signed_exactly(statement, [operator.verify_key for operator in operators])
    return operators


def check_enterprise(statement: Statement, enterprise: str, lookup: Lookup) -> Enrolment:
    """Return the signer: the enterprise itself and nobody in its name."""
    signer = check_signer(statement, lookup, Role.ENTERPRISE)
    if signer.party != enterprise:
        raise Refusal("SIGNATURE_INVALID", "only the enterprise's own key signs for it")
    return signer


def _operator(key: KeyId, lookup: Lookup) -> Enrolment:
    enrolment = lookup(key)
    if enrolment is None:
        raise Refusal("KEY_UNKNOWN")
    if enrolment.role is not Role.OPERATOR:
        raise Refusal("ROLE")
    return enrolment


def _check_signed_exactly(statement: Statement, keys: Sequence[VerifyKey]) -> None:
    if set(statement.signers()) != {key.id for key in keys} or len(keys) != len(
        statement.signatures
    ):
        raise Refusal("SIGNATURE_INVALID", "a signature is missing or is not expected")
    for key in keys:
        statement.check_signed_by(key)


def _check_holder(enrolment: Enrolment) -> None:
    """Refuse an enterprise that is not its own party, named by a valid code."""
    if enrolment.role is not Role.ENTERPRISE:
        return
    if enrolment.holder != enrolment.party:
        raise BadInput("FIELD_INVALID", "an enterprise is its own party")
    check_uscc(enrolment.holder)


def _check_place(enrolment: Enrolment, lookup: Lookup) -> None:
    """Refuse a second use of a key, and a replacement by another person or role."""
    known = lookup(enrolment.key_id)
    if known is not None and known != enrolment:
        raise Conflict("DUPLICATE", "this key is enrolled already")
    if enrolment.replaces is None:
        return
    old = lookup(enrolment.replaces)
    if old is None:
        raise Refusal("KEY_UNKNOWN", "the key to replace")
    if (old.person, old.role) != (enrolment.person, enrolment.role):
        raise Refusal("ROLE", "a key is replaced by the same holder in the same role")
