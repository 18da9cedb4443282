"""Are the fast codes the same as the rules' codes?"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.core.uscc import LARGEST_NUMBER, check_uscc, make_uscc
from saferoom.demo.economy.codes import enterprise_codes


@given(st.lists(st.integers(0, LARGEST_NUMBER), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_array_agrees_with_the_rules(numbers: list[int]) -> None:
    assert enterprise_codes(np.array(numbers)).tolist() == [make_uscc(n) for n in numbers]


def test_every_inner_check_digit_occurs_and_is_valid() -> None:
    codes = enterprise_codes(np.arange(500)).tolist()
    assert {code[16] for code in codes} == set("0123456789X")
    assert all(check_uscc(code) == code for code in codes)
