"""What was seen where, while the vault worked?

The vault is let run for a few milliseconds and held still, again and again, and its memory
searched each time: what it decrypts for a moment is met in some of them. While it is held in
the middle of its work, the API's and the worker's memory is searched too.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from saferoom.client.own_record import OwnRecord
from tests.proofs.canaries import Finder, Needle, find_in_files
from tests.proofs.memory import command, cpu_seconds, find_in_memory, held_still
from tests.proofs.planted import ALL, KINDS
from tests.proofs.small_room import SmallRoom

LONGEST_SLICE = 0.5  # of wall time; an idle vault is looked at as well
MOST_LOOKS = 100
SCORED = {"feature", "weight", "grade"}  # these pass through a cage too
OTHERS_EACH = 10  # of so many looks at the vault one is at the others too


@dataclass
class Sightings:
    """Everything found."""

    inside: dict[str, set[Needle]] = field(default_factory=lambda: defaultdict(set))
    elsewhere: dict[str, set[Needle]] = field(default_factory=lambda: defaultdict(set))
    looks: int = 0
    looks_at_others: int = 0

    wanted: dict[str, set[int]] = field(default_factory=dict)

    def missing(self, kind: str, among: Collection[int] | None = None) -> set[int]:
        """Say which canaries of a kind (of these enterprises) the vault was not seen to hold."""
        found = {needle for needles in self.inside.values() for needle in needles}
        numbers = {needle.number for needle in found if needle.kind == kind}
        wanted = self.wanted[kind]
        if among is not None and kind != "weight":  # a model's weights are nobody's
            wanted = wanted & set(among)
        return set() if ALL in numbers else wanted - numbers

    def complete(self, kind: str, among: Collection[int] | None = None) -> bool:
        """Say whether all of a kind were seen."""
        return not self.missing(kind, among)


class Watcher:
    """Looks into one room."""

    def __init__(self, room: SmallRoom) -> None:
        self.room = room
        self.possible = True
        self.own: list[OwnRecord] = []  # that enterprises opened, through the API's process
        needles = room.planted.needles()
        self._finder = Finder(needles)
        wanted: dict[str, set[int]] = {kind: set() for kind in KINDS}
        for needle in needles.values():
            wanted[needle.kind] |= {needle.number} - {ALL}
        self.seen = Sightings(wanted=wanted)

    @contextmanager
    def watch(
        self, seconds: float, *kinds: str, among: Collection[int] | None = None
    ) -> Iterator[None]:
        """Look again and again while the block runs, until all of these kinds were seen."""
        if not self.possible:
            yield
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._look_until, args=(stop, seconds, kinds, among))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def look_at_others(self) -> None:
        """Search the API's and the worker's memory."""
        for pid in self.room.others():
            found = find_in_memory(self._finder, pid)
            if found:
                self.seen.elsewhere[command(pid)] |= found
        self.seen.looks_at_others += 1

    def look_at_files(self) -> None:
        """Search all that the programs wrote."""
        for path, found in find_in_files(self._finder, self.room.written).items():
            self.seen.elsewhere[str(path)] |= found

    def _look_until(
        self,
        stop: threading.Event,
        seconds: float,
        kinds: tuple[str, ...],
        among: Collection[int] | None,
    ) -> None:
        for number in range(MOST_LOOKS):
            pids = self.room.vault()
            _let_run(pids, seconds, stop)
            if stop.is_set() or all(self.seen.complete(kind, among) for kind in kinds):
                return
            with held_still(pids):
                for pid in pids if SCORED & {*kinds} else pids[:1]:
                    self.seen.inside[command(pid)] |= find_in_memory(self._finder, pid)
                if number % OTHERS_EACH == 0:
                    self.look_at_others()
            self.seen.looks += 1


def _let_run(pids: Sequence[int], seconds: float, stop: threading.Event) -> None:
    """Wait until processes have worked so long by their own clocks, however busy we are."""
    goal = time.monotonic() + LONGEST_SLICE
    worked = sum(map(cpu_seconds, pids)) + seconds
    while time.monotonic() < goal and sum(map(cpu_seconds, pids)) < worked:
        if stop.wait(seconds / 4):
            return
