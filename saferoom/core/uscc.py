"""Is this a unified social credit code, by both of its check digits?

GB 32100-2015: 1 registering department, 1 kind, 6 region, 9 organisation code, 1 check.
Characters 9 to 17 are themselves a GB 11714 code whose last character is its own check;
a reader that tests only the final one accepts codes that no registry issued.

Trap: a widely copied sample maps letters by `ord() - 55` and omits `31 − x`. GB 32100
skips I, O, S, V and Z, so its values come from the position in the alphabet; only the
inner GB 11714 code counts A as 10 to Z as 35.
"""

from __future__ import annotations

import re
from typing import NewType

from saferoom.errors import BadInput

Uscc = NewType("Uscc", str)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
UNASSIGNED_REGION = "990000"  # no real enterprise can have a code from here
LARGEST_NUMBER = 10**8 - 1

_SHAPE = re.compile(f"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}")
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_INNER_VALUES = {letter: int(letter, 36) for letter in ALPHABET}
_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_INNER_CHECKS = "0123456789X"


def check_uscc(text: object) -> Uscc:
    """Return the code when its shape and both check digits hold."""
    if not isinstance(text, str) or not _SHAPE.fullmatch(text):
        raise BadInput("USCC_INVALID")
    if text[16] != _inner_check(text[8:16]) or text[17] != _outer_check(text[:17]):
        raise BadInput("USCC_INVALID")
    return Uscc(text)


def make_uscc(number: int, region: str = UNASSIGNED_REGION) -> Uscc:
    """Write the code of a made-up enterprise; the default region is assigned to nobody."""
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError("an organisation number has eight digits")
    if not (len(region) == 6 and region.isascii() and region.isdigit()):
        raise ValueError("a region has six digits")
    inner = f"{number:08d}"
    text = f"91{region}{inner}{_inner_check(inner)}"
    return check_uscc(text + _outer_check(text))


def _inner_check(body: str) -> str:
    # GB 11714: C9 = 11 − Σ Ci·Wi mod 11, where 10 is written X and 11 is written 0.
    total = sum(_INNER_VALUES[c] * w for c, w in zip(body, _INNER_WEIGHTS, strict=True))
    return _INNER_CHECKS[-total % 11]


def _outer_check(body: str) -> str:
    # GB 32100-2015: C18 = 31 − Σ Ci·Wi mod 31, with Wi = 3^(i−1) mod 31; 31 is written 0.
    total = sum(_VALUES[c] * w for c, w in zip(body, _WEIGHTS, strict=True))
    return ALPHABET[-total % 31]
