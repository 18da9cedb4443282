"""How do keys change, and how does an enterprise's data go, while scores go on?

The vault's own order: facts, what was told of them, snapshots, the sealed answers that it
remembers; each is exchanged whole, so a score reads what was there before or what is there after.
A score that began before an erasure gives nothing: it is told that the state moved.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from saferoom.canonical import Digest, Json
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.moment import write_instant
from saferoom.core.orders import KeyBackupOrder
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.errors import Conflict
from saferoom.vault import upkeep
from saferoom.vault.erasures import Erasure, Erasures
from saferoom.vault.facts import FactStore
from saferoom.vault.key_backups import KeyBackups
from saferoom.vault.keys import BUCKETS, Keys, bucket_of
from saferoom.vault.obeyed import Certified
from saferoom.vault.profiling import secret_number
from saferoom.vault.publication import SnapshotStore
from saferoom.vault.tickets import Tickets
from saferoom.vault.told import Told
from saferoom.vault.tombstones import Tombstones


class Custody:
    """What may be done to what rests here; one at a time."""

    def __init__(  # noqa: PLR0917  # the stores of one home
        self,
        keys: Keys,
        facts: FactStore,
        snapshots: SnapshotStore,
        tickets: Tickets,
        erasures: Erasures,
        tombstones: Tombstones,
        told: Told,
        tables: tuple[str, ...],
    ) -> None:
        """Go on with what a crash interrupted."""
        self._keys, self._facts, self._snapshots = keys, facts, snapshots
        self._tickets, self._erasures, self._tombstones = tickets, erasures, tombstones
        self._told, self._tables, self._backups = told, tables, KeyBackups(keys)
        self._lock = threading.Lock()
        self._erased = 0
        self._owed: tuple[Certified, ...] = ()
        for erasure in erasures.pending:
            self._carry_out(erasure, None)

    @property
    def erased(self) -> int:
        """Count the erasures since the start."""
        return self._erased

    @contextmanager
    def unmoved(self, before: int) -> Iterator[None]:
        """Let a score be recorded, unless somebody was erased since."""
        with self._lock:
            if self._erased != before:
                raise Conflict("MOVED")
            yield

    def rotate(self, now: datetime) -> dict[str, Json]:
        """Write every fact again under new keys, give snapshots new ones, wrap all anew."""
        for bucket in range(BUCKETS):
            upkeep.renew(self._facts, bucket)
        self._snapshots.renew()
        self._told.renew()
        self._keys.rewrap()
        return {"rotated_at": write_instant(now), "backups_until": self._backups_until(now)}

    @property
    def owes(self) -> bool:
        """Say whether somebody is here again who was erased."""
        return bool(self._owed)

    def owe(self, certified: Iterable[Certified]) -> None:
        """Take from what was taught the erasures that this vault does not know of."""
        self._owed = tuple(one for one in certified if self.certificate(one.order) is None)

    def settle(self, now: datetime) -> None:
        """Erase once more whom a restored vault forgot that it had erased."""
        while self._owed:
            one, *rest = self._owed
            self._obey(one.order, one.enterprise, one.at, again=now.replace(microsecond=0))
            self._owed = tuple(rest)

    def certificate(self, order: Digest) -> Statement | None:
        """Return what an order was certified with; None if it was not obeyed yet."""
        return self._erasures.certificate(order)

    def is_erased(self, enterprise: str) -> bool:
        """Say whether it was erased once, whatever came in since."""
        return self._keys.mark_of(enterprise) in self._erasures.marks

    def promised(self, order: Digest) -> bool:
        """Say whether this order was verified, and its erasure promised, before."""
        return self._erasures.begun(order) is not None

    def back_up(self, order: KeyBackupOrder, now: datetime) -> bytes:
        """Seal a copy of the keys."""
        return self._backups.make(order, now)

    def erase(self, order: Statement, enterprise: str, now: datetime) -> Statement:
        """Make an enterprise unreadable, and certify it; once, whoever brings the order again."""
        return self._obey(order.digest, enterprise, now.replace(microsecond=0))

    def tidy(self) -> bool:
        """Settle the bucket that lies in the most parts; say whether there was one."""
        buckets = upkeep.untidy(self._facts.manifest)
        if buckets:
            upkeep.settle(self._facts, buckets[0])
        return bool(buckets)

    def _obey(
        self, order: Digest, enterprise: str, at: datetime, again: datetime | None = None
    ) -> Statement:
        if (before := self._erasures.certificate(order)) is not None:
            return before
        erasure = self._erasures.begun(order)
        if erasure is None:
            erasure = Erasure(order, self._keys.mark_of(enterprise), at, again)
            self._erasures.begin(erasure)
        return self._carry_out(erasure, enterprise)

    def _carry_out(self, erasure: Erasure, enterprise: str | None) -> Statement:
        mark = erasure.mark
        self._tombstones.place(mark, erasure.at)
        upkeep.erase(self._facts, mark, bucket_of(mark))
        self._told.erase(secret_number(mark))
        with self._lock:
            self._snapshots.erase(mark, enterprise)
            self._erased += 1
            self._tickets.erase(lambda code: self._keys.mark_of(code) == mark)
        here = erasure.again or erasure.at
        certificate = ErasureCertificate(
            order=erasure.order,
            unreadable_here_at=write_instant(here),
            unreadable_everywhere_from=self._backups_until(here),
            tables=self._tables,
            snapshots=tuple(one.digest for one in self._snapshots.kept),
            models=(),  # nothing in this vault is trained on rows
        )
        signed = sign_statement(certificate.to_body(), [self._keys.answer])
        self._erasures.finish(erasure.order, signed)
        return signed

    def _backups_until(self, at: datetime) -> str:
        return write_instant(self._backups.everywhere_from(at))
