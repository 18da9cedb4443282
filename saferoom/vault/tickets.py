"""Was this request answered before, and may this enterprise be evaluated once more?

A ticket is the digest of a signed request. Its answers are journalled and synced before they
leave, so the same request on the same snapshot gets the very same sealed bytes, also after
a crash. A request is evaluated at most three times (the snapshot moved in between), an
enterprise at most 200 times a local day. One journal a day: no request is fresh for longer
than ten minutes, so answers are kept in memory for that long, counts for the day.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from saferoom.canonical import Digest, canonical_bytes, parse_object
from saferoom.core.moment import local_day, read_instant, write_instant
from saferoom.core.record import Record
from saferoom.errors import Refusal, Unavailable
from saferoom.vault.durable import AppendLog, sync

MOST_EVALUATIONS = 3
MOST_A_DAY = 200
REMEMBERED = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Entry(Record):
    """One evaluation: for which ticket, of whom, and how long each sealed answer is."""

    KIND = "saferoom/ticket/1"
    ticket: Digest
    snapshot: Digest
    enterprises: tuple[str, ...]
    sizes: tuple[int, ...]
    at: str


@dataclass
class _Ticket:
    at: datetime
    evaluations: int
    answers: dict[tuple[Digest, str], bytes]  # (snapshot, enterprise) → sealed bytes


class Tickets:
    """The journal of answers and the day's counts."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Read what is still needed; older journals go."""
        self._folder = folder
        self._lock = threading.Lock()
        self._busy: set[Digest] = set()
        self._tickets: dict[Digest, _Ticket] = {}
        self._log = self._open_day(now)

    @contextmanager
    def turn(self, ticket: Digest) -> Iterator[None]:
        """Let one of several equal requests in; the others are told to come back."""
        with self._lock:
            if ticket in self._busy:
                raise Unavailable("VAULT_BUSY", "this request")
            self._busy.add(ticket)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(ticket)

    def answered(self, ticket: Digest, snapshot: Digest) -> dict[str, bytes]:
        """Return the sealed answers that were given on this snapshot."""
        with self._lock:
            found = self._tickets.get(ticket)
            answers = found.answers if found else {}
            return {code: sealed for (on, code), sealed in answers.items() if on == snapshot}

    def check_evaluations(self, ticket: Digest) -> None:
        """Refuse a fourth evaluation of one request."""
        with self._lock:
            found = self._tickets.get(ticket)
            if found is not None and found.evaluations >= MOST_EVALUATIONS:
                raise Refusal("REPLAY", "this request was evaluated three times")

    def reserve(self, enterprises: Sequence[str], now: datetime) -> set[str]:
        """Count one evaluation of each; return those that had too many today."""
        with self._lock:
            self._roll(now)
            full = {code for code in enterprises if self._counts[code] >= MOST_A_DAY}
            self._counts.update(code for code in enterprises if code not in full)
            return full

    def release(self, enterprises: Sequence[str]) -> None:
        """Take the counts back of an evaluation that gave nothing."""
        with self._lock:
            self._counts.subtract(enterprises)

    def record(
        self, ticket: Digest, snapshot: Digest, answers: Mapping[str, bytes], now: datetime
    ) -> None:
        """Make answers durable before they leave; they were counted by `reserve`."""
        entry = Entry(
            ticket=ticket,
            snapshot=snapshot,
            enterprises=tuple(answers),
            sizes=tuple(len(sealed) for sealed in answers.values()),
            at=write_instant(now),
        )
        with self._lock:
            self._log.append([_join(entry, list(answers.values()))])
            self._remember(entry, list(answers.values()))
            self._forget(now)

    def erase(self, is_theirs: Callable[[str], bool]) -> None:
        """Forget an enterprise's sealed answers, in memory and in the journals; counts stay."""
        with self._lock:
            for ticket in self._tickets.values():
                theirs = [key for key in ticket.answers if is_theirs(key[1])]
                for key in theirs:
                    del ticket.answers[key]
            try:
                for path in sorted(self._folder.glob("tickets-*.log")):
                    _rewrite(path, is_theirs)
            finally:  # today's may be another file now
                self._swap(AppendLog(self._path(self._day)))

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _open_day(self, now: datetime) -> AppendLog:
        """Open today's journal, and read what is remembered; else all is as it was."""
        today = local_day(now)
        yesterday = today - timedelta(days=1)
        before = AppendLog(self._path(yesterday))
        try:
            log = AppendLog(self._path(today))
            records = [*before.records(), *log.records()]
        finally:
            before.close()
        self._day, self._counts = today, Counter[str]()
        self._tickets.clear()
        for record in records:
            self._read(record, now)
        keep = {self._path(yesterday), self._path(today)}
        for path in self._folder.glob("tickets-*.log"):
            if path not in keep:
                path.unlink()
        return log

    def _read(self, record: bytes, now: datetime) -> None:
        entry, sealed = _split(record)
        if local_day(read_instant(entry.at)) == self._day:
            self._counts.update(entry.enterprises)
        if now - read_instant(entry.at) > REMEMBERED:
            return
        self._remember(entry, sealed)

    def _remember(self, entry: Entry, sealed: Sequence[bytes]) -> None:
        at = read_instant(entry.at)
        ticket = self._tickets.setdefault(entry.ticket, _Ticket(at, 0, {}))
        ticket.at, ticket.evaluations = at, ticket.evaluations + 1
        for code, answer in zip(entry.enterprises, sealed, strict=True):
            if answer:  # else it was erased
                ticket.answers[entry.snapshot, code] = answer

    def _forget(self, now: datetime) -> None:
        old = [name for name, one in self._tickets.items() if now - one.at > REMEMBERED]
        for name in old:
            del self._tickets[name]

    def _roll(self, now: datetime) -> None:
        if local_day(now) > self._day:
            self._swap(self._open_day(now))

    def _swap(self, log: AppendLog) -> None:
        """Go on in another file; only now that it is open is the old one closed."""
        before, self._log = self._log, log
        before.close()

    def _path(self, day: date) -> Path:
        return self._folder / f"tickets-{day.isoformat()}.log"


def _join(entry: Entry, sealed: Sequence[bytes]) -> bytes:
    head = canonical_bytes(entry.to_body())
    return struct.pack("<I", len(head)) + head + b"".join(sealed)


def _split(record: bytes) -> tuple[Entry, list[bytes]]:
    (length,) = struct.unpack_from("<I", record)
    entry = Entry.from_body(parse_object(record[4 : 4 + length]))
    sealed, at = [], 4 + length
    for size in entry.sizes:
        sealed.append(record[at : at + size])
        at += size
    return entry, sealed


def _rewrite(path: Path, is_theirs: Callable[[str], bool]) -> None:
    """Replace a journal that nobody appends to now by one without their answers."""
    log = AppendLog(path)
    entries = [_split(record) for record in log.records()]
    log.close()
    if not any(is_theirs(code) for entry, _ in entries for code in set(entry.enterprises)):
        return
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    log = AppendLog(draft)
    kept = []
    for entry, sealed in entries:
        pairs = zip(entry.enterprises, sealed, strict=True)
        left = [b"" if is_theirs(code) else answer for code, answer in pairs]
        kept.append(_join(replace(entry, sizes=tuple(map(len, left))), left))
    log.append(kept)
    log.close()
    draft.rename(path)
    sync(path.parent)
