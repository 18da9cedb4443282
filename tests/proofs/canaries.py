"""What does a secret number look like wherever it may lie, and is it there?

A number is sought as text, as float64 and as float32, little endian as every machine that
we run on. Eight bytes or twelve characters do not turn up by chance. Four bytes do, once in
some gigabytes, so a float32 counts only with another canary's within a page (with two others'
where hundreds are sought): nobody leaks one cell of a matrix and none of its neighbours.
"""

from __future__ import annotations

import operator
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = 4096
SHORTEST_TEXT = 12  # nothing shorter is unlikely enough alone
NEIGHBOURLY = "float32"
MANY = 200  # float32s that are sought; two of so many lie in one page by chance now and then


@dataclass(frozen=True)
class Needle:
    """One secret in one form."""

    kind: str  # raw, feature, weight or grade
    number: int  # which of its kind
    form: str


def number_forms(value: float) -> dict[bytes, str]:
    """Write a number in every way in which a program may hold it."""
    texts = {repr(value), f"{value:.17g}", f"{value:.15g}", value.hex()}
    texts |= {str(int(value))} if value.is_integer() else set()
    return {
        **{text.encode(): "text" for text in texts if len(text) >= SHORTEST_TEXT},
        struct.pack("<d", value): "float64",
        struct.pack("<f", value): NEIGHBOURLY,
    }


def number_needles(kind: str, values: Iterable[float]) -> dict[bytes, Needle]:
    """Write all forms of all numbers of one kind."""
    return {
        pattern: Needle(kind, number, form)
        for number, value in enumerate(values)
        for pattern, form in number_forms(value).items()
    }


class Finder:
    """Seeks many byte strings in one pass, each by four telling bytes of it, then whole."""

    def __init__(self, needles: Mapping[bytes, Needle]) -> None:
        self._needles = dict(needles)
        self._first = np.zeros(2**16, np.bool_)
        self._by_anchor: defaultdict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
        for pattern in needles:
            at = _telling(pattern)
            self._first[int.from_bytes(pattern[at : at + 2], "little")] = True
            self._by_anchor[pattern[at : at + 4]].append((at, pattern))
        anchors = [int.from_bytes(anchor, "little") for anchor in self._by_anchor]
        self._anchors = np.array(sorted(anchors), np.uint32)
        self.longest = max(map(len, needles))
        short = sum(needle.form == NEIGHBOURLY for needle in needles.values())
        self._together = 3 if short > MANY else 2

    def find(self, data: bytes) -> set[Needle]:
        """Name what lies in these bytes."""
        found: set[Needle] = set()
        lonely: list[tuple[int, Needle]] = []
        for at, pattern in self._places(data):
            needle = self._needles[pattern]
            if needle.form == NEIGHBOURLY:
                lonely.append((at, needle))
            else:
                found.add(needle)
        return found | _with_neighbours(lonely, self._together)

    def _places(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        for at in self._candidates(data):
            for before, pattern in self._by_anchor[data[at : at + 4]]:
                if at >= before and data.startswith(pattern, at - before):
                    yield at, pattern

    def _candidates(self, data: bytes) -> list[int]:
        each = np.frombuffer(data, np.uint8)
        places: list[NDArray[np.int64]] = []
        for shift in (0, 1):
            pairs = np.frombuffer(data, "<u2", (len(data) - shift) // 2, shift)
            places.append(np.flatnonzero(self._first[pairs]) * 2 + shift)
        at = np.concatenate(places)
        at = at[at <= len(data) - 4]
        words = np.zeros(len(at), np.uint32)
        for place in range(4):
            words |= each[at + place].astype(np.uint32) << np.uint32(8 * place)
        index = np.minimum(np.searchsorted(self._anchors, words), len(self._anchors) - 1)
        return sorted(at[self._anchors[index] == words].tolist())


def _telling(pattern: bytes) -> int:
    """Find the four bytes that differ most: zeros and words are everywhere."""

    def variety(at: int) -> tuple[int, int]:
        window = pattern[at : at + 4]
        return len(set(window) - {0}), at

    return max(range(len(pattern) - 3), key=variety)


def _with_neighbours(lonely: Sequence[tuple[int, Needle]], together: int) -> set[Needle]:
    """Keep those of which so many different ones lie in a page."""
    found: set[Needle] = set()
    ordered = sorted(lonely, key=operator.itemgetter(0))
    for first, (at, _) in enumerate(ordered):
        near = takewhile(lambda one: one[0] - at < PAGE, ordered[first:])  # noqa: B023  # at once
        different = {needle for _, needle in near}
        if len(different) >= together:
            found |= different
    return found


def find_in_files(finder: Finder, folders: Iterable[Path]) -> dict[Path, set[Needle]]:
    """Seek in every file under some folders, whatever its kind."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                needles = finder.find(data) if len(data) >= 4 else set()
                if needles:
                    found[path] = needles
    return found
