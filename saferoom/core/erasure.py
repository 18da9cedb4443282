"""What does the vault say when it has erased an enterprise?

The certificate names the order by its digest, so it holds no code; whoever has both can tell
whom it is about. *Here* is the vault and its disk: from then on no key of its opens what it
held. *Everywhere* is the day from which no backup of its keys that it knows of may be opened any
more: a copy of the old files and a backup still in its time would, until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from saferoom.canonical import Digest
from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.trust import Trust


# What came of an order that the room keeps; else the code with which the vault refused it.
ORDERED, CERTIFIED = "ordered", "certified"


@dataclass(frozen=True, kw_only=True)
class ErasureCertificate(Record):
    """The vault's word, signed by its answer key."""

    KIND: ClassVar[str] = "saferoom/erasure-certificate/1"
    order: Digest
    unreadable_here_at: str
    unreadable_everywhere_from: str
    tables: tuple[str, ...]  # of facts: all that there are, whichever held something
    snapshots: tuple[Digest, ...]  # that were kept; they go by the digests of their publication
    models: tuple[Digest, ...]  # trained on its rows, for people to decide about

    def __post_init__(self) -> None:
        """Check ranges."""
        here = read_instant(self.unreadable_here_at)
        check_field(here <= read_instant(self.unreadable_everywhere_from), "everywhere")
        for digest in (self.order, *self.snapshots, *self.models):
            hex_bytes(digest, 32)


def check_certificate(statement: Statement, trust: Trust, order: Statement) -> ErasureCertificate:
    """Read it; refuse what no vault of the trust file signed, or signed of another order."""
    try:
        certificate = ErasureCertificate.from_body(statement.body)
        at = read_instant(certificate.unreadable_here_at)
        vaults = {vault.verify_key.id: vault for vault in trust.vaults_at(at)}
        (signer,) = statement.signers()
        statement.check_signed_by(vaults[signer].verify_key)
    except (BadInput, Refusal, KeyError, ValueError) as error:  # ValueError: not one signature
        raise Tampered("CERTIFICATE_INVALID", "no trusted vault signed it") from error
    if certificate.order != order.digest:
        raise Tampered("CERTIFICATE_INVALID", "it is about another order")
    return certificate


def check_own_certificate(statement: Statement, own: VerifyKey) -> ErasureCertificate:
    """Read, in the vault, what this very vault certified; refuse anybody else's word."""
    try:
        (_,) = statement.signers()
        statement.check_signed_by(own)
        return ErasureCertificate.from_body(statement.body)
    except (BadInput, Refusal, ValueError) as error:  # ValueError: not one signature
        raise Tampered("CERTIFICATE_INVALID", "this vault did not sign it") from error
