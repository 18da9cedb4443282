"""Are the cells of a block those that splitting each line at its commas gives?"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saferoom.intake.splitting import split

cells = st.sampled_from(["a", "bcd", "", "\u00e9", "12.5"])
lines = st.lists(st.lists(cells, min_size=1, max_size=5), min_size=1, max_size=6)


@settings(deadline=None)
@given(rows=lines, ending=st.sampled_from(["\n", "\r\n"]), ended=st.booleans())
@example(rows=[["a"], ["a", "a", "a"]], ending="\n", ended=True)  # six cells, not three and three
@example(rows=[["a", "a", "a", "a"], ["a", "a", "a"]], ending="\n", ended=False)
def test_lines_of_the_width_are_split_and_others_are_told(
    rows: list[list[str]], ending: str, *, ended: bool
) -> None:
    text = ending.join("xyz," + ",".join(row) for row in rows) + ending * ended
    found = split(text.encode(), 3)
    assert found is not None
    laid, fits = found
    assert fits.tolist() == [len(row) == 2 for row in rows]
    taken = [one.decode() for one in laid.to_pylist()[::2]]
    assert taken == [cell for row in rows if len(row) == 2 for cell in ("xyz", *row)]


@pytest.mark.parametrize(
    "block",
    [b"abc,d\n\nabc,d\n", b"abc,d\rabc,d\n", b'abc,"d\ne"\n', b'abc,"d,e"\n', b'a"bc",d\n'],
)
def test_what_could_be_read_in_two_ways_is_not_split(block: bytes) -> None:
    assert split(block, 2) is None


def test_quotes_around_whole_cells_hold_nothing() -> None:
    found = split(b'"abc","d"\n"e"\nfg,"h"', 2)
    assert found is not None
    assert found[0].to_pylist()[::2] == [b"abc", b"d", b"fg", b"h"]
    assert found[1].tolist() == [True, False, True]
