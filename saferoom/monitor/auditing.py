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
from saferoom.monitor.past import Past
from saferoom.monitor.people import People
from saferoom.monitor.places import newest
from saferoom.monitor.trusted import Trusted
from saferoom.monitor.walking import Walk
from saferoom.tlog.checkpoint import SignedCheckpoint
from saferoom.tlog.tile import Fetch

OLDEST_SECONDS = 24 * 3600
PROMISE = "saferoom/promise/1"
PROMISE_SECONDS = 60  # from the writing of an entry to its deadline


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
    _asked_hours: set[int] = field(default_factory=set)
    _hours: dict[int, str] = field(default_factory=dict)  # size → hour of its newest entry
    _export: Export | None = None
    _books: Books = field(init=False)
    _past: Past = field(init=False)

    def __post_init__(self) -> None:
        """Open new books."""
        trusted = self.asked.trusted
        self._books = Books(People(trusted.founders), trusted.closings)
        self._past = Past(trusted.closings)

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
        closed = asked.trusted.closings[-1].origin if asked.trusted.closings else None
        seen, self._past.seen = memory.remember(asked.memory, head.origin, closed)
        others = [asked.trusted.check_note(text) for text in asked.others]
        for size in memory.conflicts(seen, [*(one.checkpoint for one in others), head]):
            yield Alarm("FORKED", f"two roots of size {size} were signed")
        if longest := max((size for size in seen if size > head.size), default=0):
            yield Alarm("LOG_SHRANK", f"from {longest} to {head.size}")
        if asked.openings is not None:
            self._export = read_export(asked.openings)
        wanted = {size: root for size, root in seen.items() if size <= head.size}
        walk = Walk(asked.fetch, head.size, wanted | {head.size: head.root}, self._leaf)
        self._asked_hours = {one.checkpoint.size for one in others}
        found = [*walk.run(), *self._past.cut(head.size)]
        yield from found
        yield from self._keys([signed, *others])
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

    def _keys(self, notes: Sequence[SignedCheckpoint]) -> Iterator[Alarm]:
        """Ask of each note whether a key signed it that was in its time by its newest entry."""
        now = self.asked.now.timestamp()
        for note in notes:
            size = note.checkpoint.size
            hour = self._latest if size >= self.size else self._hours.get(size, "")
            if not self.asked.trusted.vouched(note, _instant(hour), now):
                yield Alarm("CHECKPOINT_UNSIGNED", f"a key out of its time, at size {size}")

    def _leaf(self, index: int, data: bytes, digest: bytes) -> Iterator[Alarm]:
        leaf = read_leaf(data)
        if leaf is None:
            yield Alarm("LEAF_INVALID", "not the layout of any kind", index)
            return
        yield from self._past.leaf(index, leaf.kind, data, digest)
        timeless = self._past.tells_no_time(index, leaf.kind)
        if leaf.hour < self._latest and _hours(leaf.hour, self._latest) > 1:
            yield Alarm("TIME_BACKWARDS", "more than an hour", index)
        self._latest = self._latest if timeless else max(self._latest, leaf.hour)
        if index + 1 in self._asked_hours:
            self._hours[index + 1] = self._latest
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
        keys = {one.key.id: one for one in self.asked.trusted.statement_keys}
        for promise in self.asked.promises:
            body, signer = promise.body, promise.signers()[:1]
            key = keys.get(signer[0]) if signer else None
            if body.get("kind") != PROMISE or key is None:
                raise Tampered("CHECKPOINT_UNTRUSTED", "a promise of another log")
            promise.check_signed_by(key.key)
            deadline = datetime.fromisoformat(str(body["deadline"]))
            given = deadline.timestamp() - PROMISE_SECONDS
            if not key.begins - PROMISE_SECONDS <= given < key.ends:
                raise Tampered("CHECKPOINT_UNTRUSTED", "a promise by a key out of its time")
            late = self.asked.now > deadline
            if late and bytes.fromhex(str(body["entry"])) not in logged:
                yield Alarm("PROMISE_BROKEN", f"promised by {body['deadline']}")


def _instant(hour: str) -> float | None:
    """Return when an hour began; None for no hour, and for an impossible one, which is told."""
    try:
        return datetime.strptime(hour, "%Y-%m-%dT%HZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _hours(earlier: str, later: str) -> float:
    """Count hours between two leaves' hours; an impossible day counts as one too many."""
    first, last = _instant(earlier), _instant(later)
    return 2.0 if first is None or last is None else (last - first) / 3600
