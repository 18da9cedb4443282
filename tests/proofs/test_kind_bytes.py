"""Is every changed byte of a receipt noticed, whatever kind of entry it proves?

Each case of `tests/core/receipt_kinds.py` is a receipt with its papers and enrolments. One bit
of one byte is flipped at a time; `make test` takes every fiftieth byte from a fixed place on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.errors import Tampered
from tests.core.receipt_kinds import CASES, TRUST

SHARE = 50


def unnoticed(name: str, places: Iterable[int]) -> list[int]:
    good = CASES[name].receipt()
    assert check_receipt(good, TRUST, check_papers=check_papers).kind == CASES[name].kind
    return [place for place in places if believed(good, place)]


def believed(good: bytes, place: int) -> bool:
    bent = bytearray(good)
    bent[place] ^= 1 << place % 8
    try:
        check_receipt(bytes(bent), TRUST, check_papers=check_papers)
    except Tampered:
        return False
    return True


@pytest.mark.parametrize("name", CASES)
def test_changed_bytes_of_each_kind_are_noticed(name: str) -> None:
    size = len(CASES[name].receipt())
    first = random.Random(name).randrange(SHARE)
    assert unnoticed(name, range(first, size, SHARE)) == []


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_every_changed_byte_of_each_kind_is_noticed(name: str) -> None:
    assert unnoticed(name, range(len(CASES[name].receipt()))) == []


@pytest.mark.parametrize("name", CASES)
def test_no_receipt_of_any_kind_is_cut_or_lengthened(name: str) -> None:
    good = CASES[name].receipt()
    for other in (good[:-1], good[1:], good + b" ", b" " + good, good + good):
        with pytest.raises(Tampered):
            check_receipt(other, TRUST, check_papers=check_papers)
