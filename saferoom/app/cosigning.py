"""Which checkpoint do all witnesses look at now, and who has cosigned it?

Witnesses answer at different speeds while the log grows; were each asked about the newest
checkpoint, no two might ever sign the same. So there is one target, which moves to the newest
checkpoint once a quorum has signed it, or when it has waited too long. One per process;
nothing here needs to survive it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock

from saferoom.core.trust import Trust
from saferoom.tlog.checkpoint import Note, SignatureLine, SignedCheckpoint

FRESH_AGAIN = timedelta(seconds=60)  # asked every minute, also when nothing was appended
PATIENCE = timedelta(seconds=5)  # how long a target waits for its quorum
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)


@dataclass
class Turn:
    """How it stands with one witness."""

    size: int = 0  # of the tree that it saw last, as far as we know
    asked: str = ""  # the text that it cosigned last for us
    next_try: datetime | None = None
    failing: bool = False
    pause: timedelta = FIRST_PAUSE


@dataclass
class Cosigning:
    """The target, the lines that it has, and each witness's turn; under one lock."""

    lock: RLock = field(default_factory=RLock)
    target: Note | None = None
    since: datetime | None = None
    reached: bool = False
    lines: dict[str, SignatureLine] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    checked: tuple[str, SignedCheckpoint] | None = None  # the published note, as it was checked
    trust: Trust | None = None  # with the changes of witnesses that are logged
    changes: tuple[bytes, ...] = ()  # as the database had them when `trust` was made

    def aim(self, newest: Note, now: datetime) -> Note:
        """Return the target, after moving it where it may move."""
        with self.lock:
            late = self.since is None or now - self.since > PATIENCE or now < self.since
            moved = self.target is None or self.target.checkpoint != newest.checkpoint
            if self.target is None or (moved and (self.reached or late)):
                self.target, self.since = newest, now
                self.reached, self.lines = False, {}
            return self.target

    def due(self, name: str, now: datetime) -> bool:
        """Say whether this witness is to be asked now."""
        with self.lock:
            turn = self.turns.setdefault(name, Turn())
            assert self.target is not None
            if turn.next_try is None or not now < turn.next_try <= now + LONGEST_PAUSE:
                return True  # the time has come, or the clock was set back
            return not turn.failing and turn.asked != self.target.checkpoint.text()

    def succeeded(self, name: str, note: Note, line: SignatureLine, now: datetime) -> None:
        """Keep a line if it is still for the target."""
        with self.lock:
            text = note.checkpoint.text()
            turn = self.turns[name]
            turn.size, turn.asked = note.checkpoint.size, text
            turn.next_try, turn.pause, turn.failing = now + FRESH_AGAIN, FIRST_PAUSE, False
            if self.target is not None and self.target.checkpoint.text() == text:
                self.lines[name] = line

    def failed(self, name: str, now: datetime) -> None:
        """Wait a little longer each time; a dead witness costs nearly nothing."""
        with self.lock:
            turn = self.turns[name]
            turn.next_try, turn.failing = now + turn.pause, True
            turn.pause = min(turn.pause * 2, LONGEST_PAUSE)

    def note(self) -> Note:
        """Return the target with the lines that it has."""
        with self.lock:
            assert self.target is not None
            own = self.target.signatures
            return Note(self.target.checkpoint, (*own, *self.lines.values()))
