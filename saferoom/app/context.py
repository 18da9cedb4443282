"""What does every use case hold in its hands, and who is calling?

A `Room` is built once by wiring and passed in; nothing here is global. The policy
set is loaded from the body that two operators voted for, never from a folder that
could differ from it, so the room holds a loader and not a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from sqlalchemy import Engine

from saferoom.app.cosigning import Cosigning
from saferoom.app.proofs import Proofs
from saferoom.app.together import Group
from saferoom.canonical import Json
from saferoom.core.closing import Closing
from saferoom.core.enrolment import Enrolment, Role
from saferoom.core.retention import Retention
from saferoom.core.trust import Trust
from saferoom.crypto.signing import KeyId, SigningKey
from saferoom.ports import (
    Clock,
    Notifier,
    Policy,
    RandomBytes,
    Sink,
    Steward,
    Tail,
    TimestampAuthority,
    Vault,
    Witness,
)

LoadPolicy = Callable[[Mapping[str, Json]], Policy]


class LogFiles(Protocol):
    """The public tiles and checkpoint; entries come in order, each index once."""

    @property
    def size(self) -> int:
        """Count the entries that the published checkpoint covers."""
        ...

    def extend(self, first: int, leaves: Sequence[bytes]) -> str:
        """Write tiles for these leaves, then the signed checkpoint; return its note."""
        ...

    def checkpoint(self) -> str:
        """Return the newest published note."""
        ...

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove a leaf to the root of a published size."""
        ...

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the log of one published size grew into that of another."""
        ...

    def root_with(self, leaves: Sequence[bytes]) -> bytes:
        """Return the root that the published log would have with these behind it."""
        ...

    def entries(self, first: int) -> Iterable[bytes]:
        """Yield the published leaves from an index on."""
        ...

    def cosigned(self) -> str | None:
        """Return the newest note that a quorum of witnesses cosigned."""
        ...

    def keep_cosigned(self, note: str) -> None:
        """Publish such a note."""
        ...

    def stamped(self) -> bytes | None:
        """Return the newest stamped checkpoint that was published."""
        ...

    def keep_stamped(self, data: bytes) -> None:
        """Publish such a one."""
        ...


@dataclass
class Stamping:
    """When this process last asked for time stamps."""

    asked_at: datetime | None = None

    def due(self, now: datetime, every: timedelta) -> bool:
        """Say whether it is time to ask again."""
        return self.asked_at is None or now - self.asked_at >= every


class TailKeys(Protocol):
    """A key for each day; whoever has one has those of later days, never of earlier ones."""

    def key(self, day: int) -> bytes | None:
        """Return a day's key; None: it was destroyed."""
        ...

    def forget_before(self, day: int) -> None:
        """Destroy the keys of earlier days, durably."""
        ...


class Archives(Protocol):
    """Sealed archives of what left the line, each with a key that can be destroyed."""

    def names(self) -> list[str]:
        """List them, oldest first."""
        ...

    def put(self, name: str, data: bytes, key: bytes) -> None:
        """Store one and its key durably."""
        ...

    def read(self, name: str) -> bytes:
        """Read one."""
        ...

    def destroy(self, name: str) -> bool:
        """Destroy its key durably; False: it was destroyed before."""
        ...


@dataclass(frozen=True)
class Room:
    """Everything that a use case may reach for."""

    database: Engine
    clock: Clock
    random_bytes: RandomBytes
    vault: Vault
    steward: Steward
    load_policy: LoadPolicy
    sinks: tuple[Sink, ...]
    log_key: SigningKey
    subject_key: bytes  # wraps the key per subject that openings are encrypted under
    origin: str
    log: LogFiles
    owner: str  # names this process in leases
    founders: tuple[Enrolment, ...]  # of the trust file: whose word the others' rests on
    notifier: Notifier | None = None  # None: whoever wants to know asks
    token_life: timedelta = timedelta(hours=12)
    trust: Trust | None = None  # None: as if the trust file named no witnesses
    read_trust: Callable[[], Trust] | None = None  # the file of now, with what is not logged yet
    witnesses: tuple[Witness, ...] = ()
    find_witnesses: Callable[[Trust], Sequence[Witness]] | None = None  # None: those above
    authorities: tuple[TimestampAuthority, ...] = ()
    stamping: Stamping = field(default_factory=Stamping)
    tails: tuple[Tail, ...] = ()
    tail_keys: TailKeys | None = None  # None: nothing is kept for a replay
    tail_days: int = 35  # for how long what a tail keeps can be opened
    archives: Archives | None = None  # None: everything stays on line
    retention: Retention = field(default_factory=Retention)
    cosigning: Cosigning = field(default_factory=Cosigning)
    group: Group = field(default_factory=Group)
    proofs: Proofs = field(default_factory=Proofs)
    placed: dict[str, int] = field(default_factory=dict)  # tail → how many places it was told
    wake: Event = field(default_factory=Event)  # set where the worker should not wait

    @property
    def closings(self) -> tuple[Closing, ...]:
        """Name the ends of the logs before this one, which its trust file tells."""
        return () if self.trust is None else self.trust.closings


@dataclass(frozen=True)
class Caller:
    """A person or system whose token was checked."""

    holder: str
    party: str
    role: Role
    key: KeyId
