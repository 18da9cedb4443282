"""Are both check digits of GB 32100-2015 asked for, and is the known trap avoided?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.core.uscc import ALPHABET, LARGEST_NUMBER, check_uscc, make_uscc
from saferoom.errors import BadInput

# Public codes of large companies, from their published licences.
PUBLISHED = ["914403001922038216", "91330100799655058B", "91350100M000100Y43"]
NUMBERS = st.integers(0, LARGEST_NUMBER)


@pytest.mark.parametrize("code", PUBLISHED)
def test_published_codes_hold(code: str) -> None:
    assert check_uscc(code) == code


@given(NUMBERS)
def test_made_up_codes_hold_and_lie_in_the_unassigned_region(number: int) -> None:
    code = make_uscc(number)
    assert check_uscc(code)[2:8] == "990000"


@given(NUMBERS, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_every_changed_character_is_refused(number: int, place: int, letter: str) -> None:
    code = make_uscc(number)
    changed = code[:place] + letter + code[place + 1 :]
    if changed != code:
        with pytest.raises(BadInput):
            check_uscc(changed)


def test_the_inner_check_digit_is_asked_for_too() -> None:
    # Only the inner digit is wrong: the final one was computed over it and fits.
    good = make_uscc(1)
    fits = [good[:16] + inner + outer for inner in ALPHABET for outer in ALPHABET]
    accepted = [code for code in fits if _holds(code)]
    assert accepted == [good]


def test_the_widely_copied_wrong_sample_is_not_followed() -> None:
    # It maps letters by ord() − 55 and omits 31 − x; its digit for this body is another.
    code = "91350100M000100Y43"
    values = [int(c) if c.isdigit() else ord(c) - 55 for c in code[:17]]
    wrong = sum(v * pow(3, i, 31) for i, v in enumerate(values)) % 31
    assert ALPHABET[wrong] != code[17]
    with pytest.raises(BadInput):
        check_uscc(code[:17] + ALPHABET[wrong])


def test_all_inner_check_digits_occur() -> None:
    inner = {make_uscc(number)[16] for number in range(200)}
    assert inner == set("0123456789X")


@pytest.mark.parametrize(
    "text",
    [
        None,
        914403001922038216,
        "",
        "91440300192203821",
        "9144030019220382166",
        "91330100799655058b",
        "9133O100799655058B",
        " 1440300192203821 ",
        "914403001922038216\n",
        "９14403001922038216",
        "91ABCDEF1922038216",
    ],
)
def test_other_shapes_are_refused(text: object) -> None:
    with pytest.raises(BadInput) as refusal:
        check_uscc(text)
    assert refusal.value.code == "USCC_INVALID"


@pytest.mark.parametrize("number", [-1, LARGEST_NUMBER + 1])
def test_numbers_beyond_eight_digits_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="eight digits"):
        make_uscc(number)


@pytest.mark.parametrize("region", ["", "99000", "99000O", "9900000", "99000٢"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        make_uscc(1, region)


def _holds(code: str) -> bool:
    try:
        check_uscc(code)
    except BadInput:
        return False
    return True
