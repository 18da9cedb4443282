"""Which erasures did this vault certify, though it may have forgotten them?

A vault that is restored from before an erasure has the rows again, and is taught what it missed.
Two lessons speak of an erasure: the order, by whoever may give it, and the certificate, which this
vault's own key signed. The order alone does nothing here: it may have been kept back, and must be
fresh where it is obeyed. The certificate proves that it was obeyed, so it is obeyed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Digest
from saferoom.core.enrolment import Lookup
from saferoom.core.erasure import check_own_certificate
from saferoom.core.moment import read_instant
from saferoom.core.orders import EraseOrder, check_who_erases
from saferoom.crypto.signing import Statement, VerifyKey
from saferoom.errors import BadInput


@dataclass(frozen=True)
class Certified:
    """One erasure, and when it was first done."""

    order: Digest
    enterprise: str
    at: datetime


class Obeyed:
    """What was taught of erasures."""

    def __init__(self, own: VerifyKey) -> None:
        """Believe certificates of this key alone."""
        self._own = own
        self._ordered: dict[Digest, EraseOrder] = {}
        self._certified: dict[Digest, Certified] = {}

    @property
    def certified(self) -> tuple[Certified, ...]:
        """Name all that must be erased here, in the order in which they were taught."""
        return tuple(self._certified.values())

    def learn_order(self, statement: Statement, lookup: Lookup) -> None:
        """Accept an order of whoever may have this enterprise erased."""
        self._ordered[statement.digest] = check_who_erases(statement, lookup)

    def learn_certificate(self, statement: Statement) -> None:
        """Accept this vault's own word about an order that it was taught."""
        certificate = check_own_certificate(statement, self._own)
        order = self._ordered.get(certificate.order)
        if order is None:
            raise BadInput("FIELD_INVALID", "the certificate of an order that was not taught")
        at = read_instant(certificate.unreadable_here_at)
        known = self._certified.get(certificate.order)
        if known is None or at < known.at:  # done again after a restore: the first time counts
            self._certified[certificate.order] = Certified(certificate.order, order.enterprise, at)
