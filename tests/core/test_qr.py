"""The code that is drawn is the one that others read."""

from __future__ import annotations

import hashlib

import pytest

from saferoom.core.qr import encode, penalty, remainder
from saferoom.errors import BadInput
from tests.core.qr_reader import read


def test_the_remainder_is_the_published_one() -> None:
    """HELLO WORLD in version 1, level M, as textbooks of the standard work it out."""
    data = bytes([32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17])
    assert [*remainder(data, 10)] == [196, 35, 39, 119, 235, 215, 231, 226, 93, 23]


@pytest.mark.parametrize(
    ("count", "version"),
    [(0, 1), (1, 1), (14, 1), (15, 2), (42, 3), (84, 5), (122, 7), (181, 10), (213, 10),
     (331, 13), (666, 20)],
)  # fmt: skip
def test_what_is_drawn_is_read_again(count: int, version: int) -> None:
    data = bytes((at * 31 + count) % 256 for at in range(count))
    modules = encode(data)
    assert len(modules) == 17 + 4 * version
    assert read(modules) == data


@pytest.mark.parametrize("count", [8, 100, 213])
def test_one_text_is_one_code(count: int) -> None:
    data = b"x" * count
    assert encode(data) == encode(data)


def test_the_drawing_is_the_one_that_another_program_read() -> None:
    """A barcode library read this very code, and 51 others of all sizes, when it was written."""
    drawn = "\n".join("".join(" #"[one] for one in line) for line in encode(b"saferoom"))
    assert hashlib.sha256(drawn.encode()).hexdigest() == DRAWN


DRAWN = "be4c00802668e73feb5286faa5b37ac5cbc4243e4e6528e846129b2dbe2cdce4"


def test_too_much_is_refused() -> None:
    with pytest.raises(BadInput):
        encode(bytes(667))


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ([[True, False], [False, True]], 0),
        ([[True, True], [True, True]], 3 + 100),
        ([[True] * 5 if row % 2 else [False] * 5 for row in range(5)], 15 + 10 * 2),
    ],
)
def test_penalties_are_the_standards(modules: list[list[bool]], expected: int) -> None:
    assert penalty(modules) == expected


def test_what_looks_like_a_finder_costs_forty() -> None:
    line = [bool(b) for b in (1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0)]
    still = [[bool((row + column) % 2) for column in range(11)] for row in range(10)]
    assert penalty([*still, line]) - penalty([*still, [bool(c % 2) for c in range(11)]]) >= 40
