"""How is a room killed at random moments, and what is gathered when it is over?"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from saferoom.client.http import RoomClient
from saferoom.errors import NotYet
from tests.proofs.kills_evidence import Answered, Evidence, PublicLog
from tests.proofs.kills_room import TARGETS, KilledRoom, Opened
from tests.proofs.kills_story import Memory, Publisher, Teller, connect

TELLERS = 3
SHARED = 2  # enterprises of the first teller that everyone scores
SETTLE_SECONDS = 60.0
MOST_LISTED = 10_000  # releases that the room lists at once


@dataclass(frozen=True)
class Killed:
    """What a run came to."""

    evidence: Evidence
    kills: Counter[str]
    faults: tuple[str, ...]
    interrupted: int  # score requests that had to be sent again


@dataclass(frozen=True)
class Plan:
    """How often, and how long a room lives at most before it is killed again."""

    seed: int
    kills: int
    longest_moment_seconds: float


def run(opened: Opened, plan: Plan, say: Callable[[str], None]) -> Killed:
    """Tell the story, kill, let all intents be answered, and gather."""
    memory, stop, seen = Memory(), threading.Event(), list[str]()
    memory.signed["snapshot_published"].add(
        str(opened.stage.client("wang.fang").room()["snapshot"])
    )
    tellers = _tellers(opened, memory, stop, plan.seed)
    with _watching(opened.room, seen):
        for teller in tellers:
            teller.start()
        counted = _kill(opened.room, plan, say)
        stop.set()
        for teller in tellers:
            teller.join()
        opened.room.wait_until_alive()
        say("asking again")
        _ask_all_again(opened, memory)
        _settle(opened.room, memory.answers[-1])
        say("gathering")
        with connect(opened.stage, "zhou.min") as auditor:
            evidence = _gather(opened.room, memory, auditor)
    opened.room.stop()
    evidence = Evidence(**{**vars(evidence), "checkpoints": tuple(seen)})
    return Killed(evidence, counted, tuple(memory.faults), len(memory.interrupted))


def _tellers(opened: Opened, memory: Memory, stop: threading.Event, seed: int) -> list[Teller]:
    codes = opened.stage.codes
    tellers = [
        Teller(opened, memory, stop, f"{seed}/{number}", codes[number::TELLERS])
        for number in range(TELLERS)
    ]
    for teller in tellers[1:]:
        teller.others = [firm.code for firm in tellers[0].firms[:SHARED]]
    return [*tellers, Publisher(opened, memory, stop, f"{seed}/publisher", ())]


def _kill(room: KilledRoom, plan: Plan, say: Callable[[str], None]) -> Counter[str]:
    chance = random.Random(plan.seed)
    counted: Counter[str] = Counter()
    for number in range(1, plan.kills + 1):
        time.sleep(chance.uniform(0, plan.longest_moment_seconds))
        counted[room.kill(chance.choice(TARGETS))] += 1
        if number == plan.kills or chance.random() < 0.8:  # else the next hits the start-up
            room.wait_until_alive()
        if number % 10 == 0 or number == plan.kills:
            say(f"{number} kills: {dict(counted)}")
    time.sleep(1.0)
    return counted


@contextmanager
def _watching(room: KilledRoom, seen: list[str]) -> Iterator[None]:
    """Read the public checkpoint again and again, as a witness would."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            note = (room.home / "log" / "checkpoint").read_text()
            if not seen or seen[-1] != note:
                seen.append(note)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _ask_all_again(opened: Opened, memory: Memory) -> None:
    """Send every interrupted request once more, and the last ones: the answers must be the same."""
    ended = threading.Event()
    ended.set()
    again = Teller(opened, memory, ended, "again", ())
    for statement, asked in [*memory.interrupted, *memory.requests[-100:]]:
        again.send(statement, asked)
    again.close()


def _settle(room: KilledRoom, last: Answered) -> None:
    """Wait until what was written last has its place; a dead sequencer's lease must run out."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not set(last.promised) <= {h.hex() for h in PublicLog(room.home / "log").hashes}:
        assert time.monotonic() < deadline, f"the log stands still: {room.said}"
        time.sleep(0.3)


def _gather(room: KilledRoom, memory: Memory, auditor: RoomClient) -> Evidence:
    home = room.home
    names = auditor.receipts()
    assert len(names) < MOST_LISTED, "the room lists no more: fewer intents, please"
    late = {
        grant: frozenset(auditor.receipts(since=since))
        for grant, since in memory.revoked_at.items()
    }
    grants = auditor.grants()
    signed = defaultdict(frozenset, {kind: frozenset(of) for kind, of in memory.signed.items()})
    signed["refusal"] = _refused(memory)
    return Evidence(
        log=PublicLog(home / "log"),
        sink=home / "sink" / "entries.log",
        trust=(home / "trust.json").read_bytes(),
        checkpoints=(),
        answers=tuple(memory.answers),
        receipts={name: _receipt(auditor, name) for name in names},
        spent={str(one["enterprise"]): int(str(one["spent_mbit"])) for one in auditor.ledger()},
        signed=signed,
        listed={
            "grant_signed": frozenset(str(one["digest"]) for one in grants),
            "grant_revoked": frozenset(
                str(one["digest"]) for one in grants if one["state"] == "revoked"
            ),
            **{kind: signed[kind] for kind in ("budget_signed", "snapshot_published", "refusal")},
        },
        revoked=dict(memory.revoked),
        late=late,
    )


def _refused(memory: Memory) -> frozenset[str]:
    """Name each line that was refused without a release: it has a record of its own in the log."""
    return frozenset(
        f"{answered.request}/{line['enterprise']}/{line['code']}"
        for answered in memory.answers
        for line in answered.results
        if line["receipt"] is None
    )


def _receipt(auditor: RoomClient, name: str) -> bytes:
    while True:
        try:
            return auditor.receipt(name)
        except NotYet:
            time.sleep(0.2)
