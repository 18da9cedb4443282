"""Is this log what it says, from its first byte to what left the room?

One visit: read the newest checkpoint, check who signed it, read every entry again, and hold
the result against earlier visits, others' checkpoints, promises and an auditor's export. A
visit raises nothing that the log could cause: whatever it finds is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError, Tampered
from saferoom.monitor import memory
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.books import Books
from saferoom.monitor.leaves import read_leaf
from saferoom.monitor.openings import Export, read_export
from saferoom.monitor.people import People
from saferoom.monitor.places import newest
from saferoom.monitor.trusted import Trusted
from saferoom.monitor.walking import Walk
from saferoom.tlog.checkpoint import SignedCheckpoint
from saferoom.tlog.tile import Fetch

OLDEST_SECONDS = 24 * 3600
PROMISE = "saferoom/promise/1"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a monitor is given."""

    fetch: Fetch
    trusted: Trusted
    now: datetime
    memory: Path | None = None
    others: Sequence[str] = ()  # notes that somebody was shown, such as a receipt's
    promises: Sequence[Statement] = ()
    openings: Path | bytes | None = None  # an auditor's export


@dataclass
class Visit:
    """One reading of the whole log."""

    asked: Asked
    size: int = 0
    opened: int = 0
    _latest: str = ""
    _export: Export | None = None
    _books: Books = field(init=False)

    def __post_init__(self) -> None:
        """Open new books."""
        self._books = Books(People(self.asked.trusted.founders))

    def run(self) -> list[Alarm]:
        """Return every alarm, in the order found."""
        try:
            return [*self._visit()]
        except SaferoomError as error:
            return [Alarm("LOG_UNREADABLE", error.code)]

    def _visit(self) -> Iterator[Alarm]:
        asked = self.asked
        try:
            signed = asked.trusted.check_note(newest(asked.fetch))
        except Tampered as error:
            yield Alarm("CHECKPOINT_UNSIGNED", error.code)
            return
        head = signed.checkpoint
        self.size = head.size
        yield from self._witnesses(signed)
        seen = memory.remember(asked.memory, head.origin)
        others = [asked.trusted.check_note(text).checkpoint for text in asked.others]
        for size in memory.conflicts(seen, [*others, head]):
            yield Alarm("FORKED", f"two roots of size {size} were signed")
        if longest := max((size for size in seen if size > head.size), default=0):
            yield Alarm("LOG_SHRANK", f"from {longest} to {head.size}")
        if asked.openings is not None:
            self._export = read_export(asked.openings)
        wanted = {size: root for size, root in seen.items() if size <= head.size}
        walk = Walk(asked.fetch, head.size, wanted | {head.size: head.root}, self._leaf)
        found = [*walk.run()]
        yield from found
        yield from self._promises(walk.hashes)
        forked = seen.get(head.size, head.root) != head.root
        if not found and not forked:  # what does not add up is not taken for the past
            memory.keep(asked.memory, head.origin, {**seen, head.size: head.root})

    def _witnesses(self, signed: SignedCheckpoint) -> Iterator[Alarm]:
        trusted = self.asked.trusted
        if not trusted.quorum:
            return
        at = trusted.quorum_time(signed, self.asked.now.timestamp())
        if at is None:
            yield Alarm("CHECKPOINT_UNWITNESSED", f"{trusted.quorum} are needed")
        elif self.asked.now.timestamp() - at > OLDEST_SECONDS:
            yield Alarm("WITNESSES_SILENT", "for more than a day")

    def _leaf(self, index: int, data: bytes, _digest: bytes) -> Iterator[Alarm]:
        leaf = read_leaf(data)
        if leaf is None:
            yield Alarm("LEAF_INVALID", "not the layout of any kind", index)
            return
        if leaf.hour < self._latest and _hours(leaf.hour, self._latest) > 1:
            yield Alarm("TIME_BACKWARDS", "more than an hour", index)
        self._latest = max(self._latest, leaf.hour)
        if self._export is None:
            return
        try:
            opened = self._export.open(index, data, leaf)
        except Tampered as error:
            yield Alarm("OPENING_WRONG", error.code, index)
            return
        if opened is not None:
            self.opened += 1
            yield from self._books.enter(opened)

    def _promises(self, logged: set[bytes]) -> Iterator[Alarm]:
        keys = {key.id: key for key in self.asked.trusted.log_keys}
        for promise in self.asked.promises:
            body, signer = promise.body, promise.signers()[:1]
            key = keys.get(signer[0]) if signer else None
            if body.get("kind") != PROMISE or key is None:
                raise Tampered("CHECKPOINT_UNTRUSTED", "a promise of another log")
            promise.check_signed_by(key)
            late = self.asked.now > datetime.fromisoformat(str(body["deadline"]))
            if late and bytes.fromhex(str(body["entry"])) not in logged:
                yield Alarm("PROMISE_BROKEN", f"promised by {body['deadline']}")


def _hours(earlier: str, later: str) -> float:
    """Count hours between two leaves' hours; an impossible day counts as one too many."""
    try:
        first, last = (
            datetime.strptime(t, "%Y-%m-%dT%HZ").replace(tzinfo=UTC) for t in (earlier, later)
        )  # one pair
    except ValueError:
        return 2.0
    return (last - first).total_seconds() / 3600
