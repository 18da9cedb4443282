"""Does a chain of lessons name each place, and none that it did not pass?"""

from __future__ import annotations

from itertools import permutations

import pytest

from saferoom.core.learnt import Chain, Learnt
from saferoom.errors import BadInput


def chain(*statements: bytes) -> Chain:
    made = Chain()
    for statement in statements:
        made.extend(statement)
    return made


def test_a_longer_chain_passes_where_the_shorter_ended() -> None:
    short, long = chain(b"a", b"b"), chain(b"a", b"b", b"c")
    assert (short.latest.count, long.latest.count) == (2, 3)
    assert long.head(2) == short.latest.head == short.head(2)
    assert short.head(3) is None
    assert short.head(-1) is None
    assert chain().latest.count == 0
    assert chain().head(0) == short.head(0)


def test_order_and_content_decide() -> None:
    heads = {chain(*order).latest.head for order in permutations([b"a", b"b", b"c"])}
    assert len(heads | {chain(b"ab", b"c").latest.head}) == 7


@pytest.mark.parametrize(("count", "head"), [(-1, "00" * 32), (0, "00"), (0, "AA" * 32)])
def test_a_place_out_of_range_is_none(count: int, head: str) -> None:
    with pytest.raises(BadInput):
        Learnt.from_body({"count": count, "head": head})
