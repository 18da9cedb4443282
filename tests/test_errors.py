"""Does every code have one family, a sentence and a remedy, and say no more?"""

from __future__ import annotations

import re

import pytest

from saferoom import errors
from saferoom.errors import CODES, BadInput, NotYet, Refusal, SaferoomError, TooOften

FAMILIES = SaferoomError.__subclasses__()


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_family_a_sentence_and_a_remedy(code: str) -> None:
    family, why, remedy = CODES[code]
    assert family in FAMILIES
    assert re.fullmatch(r"[A-Z][A-Z_]{2,30}", code)
    assert why.endswith(".")
    assert remedy.endswith(".")


@pytest.mark.parametrize("code", CODES)
def test_an_error_shows_code_sentence_and_remedy(code: str) -> None:
    family, why, remedy = CODES[code]
    error = family(code)
    assert (error.code, error.sentence, error.remedy) == (code, why, remedy)
    assert str(error) == f"{code}: {why} {remedy}"


def test_a_detail_narrows_the_sentence() -> None:
    assert BadInput("FIELD_INVALID", "nonce").sentence.endswith("(nonce)")


def test_a_code_of_another_family_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        BadInput("ROLE")
    with pytest.raises(KeyError):
        Refusal("NO_SUCH_CODE")


def test_families_have_their_own_exit_codes_and_documented_statuses() -> None:
    assert NotYet.exit_code == TooOften.exit_code  # both mean: the same again, later
    exits = [family.exit_code for family in FAMILIES if family is not TooOften]
    assert len(set(exits)) == len(exits)
    assert 0 not in exits
    drawn = dict(re.findall(r"[├└]── (\w+) .* (\d{3})$", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {family.__name__: str(family.status) for family in FAMILIES}
