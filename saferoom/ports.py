"""What does a use case need from outside, in the fewest methods?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from saferoom.canonical import Digest, Json
from saferoom.core.learnt import Learnt
from saferoom.core.notification import Message
from saferoom.core.purpose import Purposes
from saferoom.core.stamped import Authority
from saferoom.crypto.signing import Statement

Clock = Callable[[], datetime]  # aware, UTC
RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True)
class Snapshot:
    """One published materialisation of all views."""

    digest: Digest
    as_of: str  # local day
    views: Digest
    enterprises: int
    published_at: str


@dataclass(frozen=True)
class SealedAnswer:
    """One enterprise's outcome, sealed in the vault; the room cannot read it."""

    enterprise: str
    sealed: bytes


@dataclass(frozen=True)
class Evaluation:
    """What the vault gives back for one request and these grants."""

    snapshot: Digest
    answers: tuple[SealedAnswer, ...]
    refusals: Mapping[str, str]  # enterprise → refusal code, computed without its data


@dataclass(frozen=True)
class ModelFindings:
    """What operators may see of a sealed model: shape, never thresholds or points."""

    features: tuple[str, ...]
    scorer: str  # "tree ensemble", "scorecard", "linear" or "weighted sum"
    parts: int  # trees, characteristics, linear scorers
    leaves: int  # or bins, or weights
    grades: int
    depth: int  # questions in a row; 1 for a scorecard


@dataclass(frozen=True)
class Recalled:
    """What a vault says of the lessons that it took."""

    latest: Learnt
    head: Digest | None  # after as many lessons as were asked for; None: it has fewer


@dataclass(frozen=True)
class Disputed:
    """Whose record counts as disputed now, and the note that only its stewards can read."""

    party: str
    table: str
    note: bytes | None


class Vault(Protocol):
    """The vault's verbs that the room's use cases call."""

    def learn(self, statements: Sequence[Statement]) -> None:
        """Teach signed statements; the vault verifies each itself."""
        ...

    def recall(self, count: int) -> Recalled:
        """Name the last lesson in the vault's chain, and the head after so many."""
        ...

    def check_model(self, manifest: Statement, artefact: bytes) -> ModelFindings:
        """Read a sealed model strictly, in a cage; keep it under its digest."""
        ...

    def score(self, request: Statement, grants: Sequence[Statement]) -> Evaluation:
        """Evaluate once; grades come back sealed."""
        ...

    def verify(self, request: Statement, grant: Statement | None) -> bytes:
        """Have a department asked that verifies; its one word comes back sealed."""
        ...

    def describe(self) -> Mapping[str, Json]:
        """Return keys, views, the current snapshot, and health."""
        ...


class Steward(Protocol):
    """The vault's verbs for what rests in it; each does what a signed order says, once."""

    def ingest(self, order: Statement) -> Mapping[str, Json]:
        """Read a source by its steward's order; counts of rows taken and quarantined come back."""
        ...

    def report(self, statement: Statement) -> Mapping[str, Json]:
        """Take in what an enterprise says of itself; counts of rows come back."""
        ...

    def materialise(self, order: Statement) -> Snapshot:
        """Compute all views by an operator's order and publish the snapshot."""
        ...

    def erase(self, order: Statement) -> Statement:
        """Make an enterprise unreadable; the vault's certificate comes back."""
        ...

    def rotate(self, order: Statement) -> Mapping[str, Json]:
        """Change every key of what rests, while scores go on."""
        ...

    def own_record(self, order: Statement) -> bytes:
        """Have an enterprise's own rows sealed to the key that its order names."""
        ...

    def dispute(self, statement: Statement) -> Disputed:
        """Let a record count as disputed, by its enterprise's own statement."""
        ...

    def batches(self, after: int) -> Statement | None:
        """Return the vault's word for the batches after a number; None where there is none."""
        ...

    def snapshot_paper(self) -> Statement | None:
        """Return the vault's word for what the current snapshot was made of."""
        ...

    def profile(self, order: Statement) -> Mapping[str, Json]:
        """Tell how features are distributed, through the aggregate gate; never a row."""
        ...


class Policy(Protocol):
    """The active policy set; it narrows and never widens."""

    @property
    def digest(self) -> Digest:
        """Name the set."""
        ...

    @property
    def purposes(self) -> Purposes | None:
        """List what each purpose needs; None where the set says nothing of it."""
        ...

    def check(self, action: str, facts: Mapping[str, Json]) -> None:
        """Refuse with POLICY_DENIED and the policy's id, or return."""
        ...


class Notifier(Protocol):
    """A way to tell somebody that there are notices; it may be away for long."""

    def send(self, address: str, message: Message) -> None:
        """Hand one message over; NOTIFIER_UNAVAILABLE where it was not taken."""
        ...


class Witness(Protocol):
    """Another organisation's program that cosigns what only grew (C2SP tlog-witness).

    Assumed honest: a quorum of them together. It learns sizes and roots, and nothing else.
    """

    @property
    def name(self) -> str:
        """Name it as its key in the trust file is named."""
        ...

    def add_checkpoint(self, note: str, old_size: int, proof: Sequence[bytes]) -> str | int:
        """Return its signature lines, or the size that it saw last; else Unavailable."""
        ...

    def checkpoint(self, origin: str) -> str | None:
        """Return the note of this log that it cosigned last; None: none yet."""
        ...


TAIL, PLACES = KEPT = ("tail", "places")  # sealed rows, and which entry got which place


class Tail(Protocol):
    """A sink from which a room that was set back can be replayed (app/tailing.py)."""

    @property
    def name(self) -> str:
        """Name it as the sink that it is a part of."""
        ...

    def keep(self, kind: str, lines: Sequence[bytes]) -> None:
        """Store lines of one of KEPT durably."""
        ...

    def last(self, kind: str) -> bytes | None:
        """Return the last line of a kind."""
        ...

    def kept(self, kind: str) -> Iterator[bytes]:
        """Yield all lines of a kind, oldest first."""
        ...

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Yield (entry id, leaf bytes) of all entries, oldest first; some may stand twice."""
        ...

    def newest(self, most: int) -> Sequence[str]:
        """Return the ids of the newest entries."""
        ...


class TimestampAuthority(Protocol):
    """Somebody who stamps what they are shown with the time (RFC 3161).

    Assumed honest about the time; it learns a hash, and nothing else.
    """

    @property
    def pinned(self) -> Authority:
        """Name it, with its certificate."""
        ...

    def ask(self, request: bytes) -> bytes:
        """Return what it answered, or Unavailable."""
        ...


class Sink(Protocol):
    """A mandatory place that must hold an entry before its answer is shown."""

    @property
    def name(self) -> str:
        """Name the sink for /readyz."""
        ...

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        """Store (entry id, leaf bytes) durably; return only when they are."""
        ...
