"""How does an enterprise get its own rows, so that nobody on the way can read them?

It signs an order that names a key made for this one answer and the vault that it believes. The
vault checks the signature itself, seals all that it holds of this enterprise to that key alone, and
signs it. Who relays it sees how long it is, in steps of powers of two, and nothing else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from saferoom.canonical import Json
from saferoom.core.enrolment import Lookup, check_enterprise
from saferoom.core.moment import FRESH, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes, sealing_key_bytes
from saferoom.errors import BadInput, Refusal, Tampered

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.trust import Trust

KIND = "saferoom/own-record/1"
AAD = b"saferoom/own-record/1\0"  # and the order's digest
LEAST_BYTES = 2**16
_LENGTH = struct.Struct(">I")
_PARTS = {"kind", "enterprise", "order", "made_at", "tables", "batches"}


@dataclass(frozen=True, kw_only=True)
class OwnRecordOrder(Record):
    """Send me my own rows, sealed to this key."""

    KIND: ClassVar[str] = "saferoom/own-record-order/1"
    enterprise: str
    seal_to: str  # X25519, hexadecimal; made for this order, forgotten after
    vault: str  # its answer key, hexadecimal: another vault does not obey
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.enterprise) <= 18, "enterprise")
        sealing_key_bytes(self.seal_to)
        VerifyKey.from_hex(self.vault)
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


def check_own_record_order(statement: Statement, lookup: Lookup, now: datetime) -> OwnRecordOrder:
    """Accept a fresh order of the enterprise itself, by the key that is enrolled now."""
    order = OwnRecordOrder.from_body(statement.body)
    check_enterprise(statement, order.enterprise, lookup)
    if abs(now - read_instant(order.asked_at)) > FRESH:
        raise Refusal("REPLAY")
    return order


def aad_of(order: Statement) -> bytes:
    """Bind what is sealed to the order that it answers."""
    return AAD + order.digest.encode()


def pad(statement: Statement) -> bytes:
    """Write at a length that tells little: the next power of two, 64 KiB at least."""
    data = _LENGTH.pack(len(body := statement.to_bytes())) + body
    return data.ljust(max(LEAST_BYTES, 1 << (len(data) - 1).bit_length()), b"\0")


def check_own_record(
    plain: bytes, trust: Trust, order: Statement, now: datetime
) -> dict[str, Json]:
    """Read what was sealed; refuse what no trusted vault signed, or signed of another order."""
    try:
        statement = _unpad(plain)
        vaults = {vault.verify_key.id: vault for vault in trust.vaults_at(now)}
        (signer,) = statement.signers()
        statement.check_signed_by(vaults[signer].verify_key)
    except (BadInput, Refusal, KeyError, ValueError) as error:  # ValueError: not one signature
        raise Tampered("ANSWER_INVALID", "no trusted vault signed it") from error
    body = statement.body
    about = (body.get("kind"), body.get("order"), body.get("enterprise"))
    if about != (KIND, order.digest, order.body["enterprise"]) or set(body) != _PARTS:
        raise Tampered("ANSWER_INVALID", "it answers another order")
    return dict(body)


def _unpad(plain: bytes) -> Statement:
    check_field(len(plain) >= LEAST_BYTES, "length of a record")
    (length,) = _LENGTH.unpack_from(plain)
    rest = plain[_LENGTH.size + length :]
    check_field(not rest.strip(b"\0"), "what follows a record")
    return Statement.from_bytes(plain[_LENGTH.size :][:length])
