"""Which codes do a million made-up firms carry?

The same codes as `core.uscc.make_uscc`, computed for a whole array at once; a test holds
the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saferoom.core.uscc import ALPHABET, UNASSIGNED_REGION

_PREFIX = f"91{UNASSIGNED_REGION}"
_INNER_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])  # GB 11714
_WEIGHTS = np.array([pow(3, place, 31) for place in range(17)])  # GB 32100-2015
_LETTERS = np.array(list(ALPHABET))
_TEN = ALPHABET.index("X")  # GB 11714 writes 10 as X, whose GB 32100 value is another


def enterprise_codes(numbers: NDArray[np.int64]) -> NDArray[np.str_]:
    """Write the code of each organisation number."""
    digits = numbers[:, None] // 10 ** np.arange(7, -1, -1) % 10
    inner = -(digits @ _INNER_WEIGHTS) % 11
    values = np.concatenate(
        [
            np.tile([ALPHABET.index(letter) for letter in _PREFIX], (len(numbers), 1)),
            digits,
            np.where(inner == 10, _TEN, inner)[:, None],
        ],
        axis=1,
    )
    outer = -(values @ _WEIGHTS) % 31
    letters = _LETTERS[np.concatenate([values, outer[:, None]], axis=1)]
    return np.ascontiguousarray(letters).view("U18").reshape(-1)
