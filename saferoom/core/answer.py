"""What did the vault say of one enterprise, and is it the answer to what was asked?

An answer is a statement that the vault signs before it seals it. Whoever relays it knows the
bank's delivery key and could seal an answer too; signing one takes the vault's own key, which
the trust file names. What is sealed has one length for every answer: the length of a grade's
name, in whatever script, would else tell the grade to all who store it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from saferoom.canonical import Digest
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.trust import Trust

AAD = b"saferoom/answer/1"
SIZE = 1024  # a grade's 16 letters take at most 64 bytes; with all else an answer has under 700
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, kw_only=True)
class Answer(Record):
    """One enterprise's outcome under one version on one snapshot."""

    KIND: ClassVar[str] = "saferoom/answer/1"
    enterprise: str
    outcome: str
    request: Digest  # whose answer it was first; a stored answer keeps it
    snapshot: Digest
    version: Digest

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.enterprise) <= 64, "enterprise")
        check_field(0 < len(self.outcome) <= 16, "outcome")
        for digest in (self.request, self.snapshot, self.version):
            hex_bytes(digest, 32)


def pad(statement: Statement) -> bytes:
    """Write at the one length: u16 length, canonical statement, zeros."""
    data = statement.to_bytes()
    if len(data) > SIZE - _LENGTH.size:
        raise BadInput("TOO_LARGE", "an answer")
    return (_LENGTH.pack(len(data)) + data).ljust(SIZE, b"\0")


def check_answer(plain: bytes, trust: Trust, now: datetime) -> Answer:
    """Read what was sealed; refuse what no vault signed that is to be believed now."""
    try:
        statement = _unpad(plain)
        answer = Answer.from_body(statement.body)
        vaults = {vault.verify_key.id: vault for vault in trust.vaults_at(now)}
        (signer,) = statement.signers()
        statement.check_signed_by(vaults[signer].verify_key)
    except (BadInput, Refusal, KeyError, ValueError) as error:  # ValueError: not one signature
        raise Tampered("ANSWER_INVALID", "no trusted vault signed it") from error
    return answer


def check_fits(
    answer: Answer,
    *,
    enterprise: str,
    version: Digest,
    request: Digest | None,
    outcomes: Collection[str],
) -> None:
    """Refuse the answer to another question; a stored answer's `request` is None."""
    asked = (enterprise, version, answer.request if request is None else request)
    if (answer.enterprise, answer.version, answer.request) != asked:
        raise Tampered("ANSWER_INVALID", "it answers another request")
    if answer.outcome not in outcomes:
        raise Tampered("ANSWER_INVALID", "an outcome that the version does not have")


def _unpad(plain: bytes) -> Statement:
    if len(plain) != SIZE:
        raise BadInput("FIELD_INVALID", "length of an answer")
    (length,) = _LENGTH.unpack_from(plain)
    data, rest = plain[_LENGTH.size :][:length], plain[_LENGTH.size :][length:]
    if rest.strip(b"\0"):
        raise BadInput("FIELD_INVALID", "what follows an answer")
    return Statement.from_bytes(data)
