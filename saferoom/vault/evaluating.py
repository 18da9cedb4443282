"""Which outcome has each enterprise, and does the batch agree with the single case?

Everyone asked for has a row in the matrix, also whoever is missing or disputed, so that a
request's time says nothing of that. A cage that dies on some row is replaced and the rows are
halved until the row is alone: its outcome is `refused`, the others keep theirs. After 24 such
ends, or when the request's time is over, the rest is refused too. Afterwards a sample is
evaluated alone, each in a fresh cage: a row that ends its cage there is refused, and where
one scores otherwise, the model let one row tell about another, so every row is refused. All
of these are outcomes and charged like a grade: an error instead would tell of a row for free.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from saferoom.cage.host import CageFault
from saferoom.core.manifest import MISSING, REFUSED, Manifest
from saferoom.errors import SaferoomError
from saferoom.scoring.evaluation import REFUSED as REFUSED_ROW
from saferoom.vault.cages import Cages, Model
from saferoom.vault.snapshots import Found

MOST_FAULTS = 24
SAMPLE_OF = 100  # at least one in so many
DEAD = REFUSED_ROW  # a row that ended its cage and one that its model refuses: one outcome
Outcomes = NDArray[np.int16]


class Evaluator:
    """One request's evaluation."""

    def __init__(
        self,
        cages: Cages,
        model: Model,
        random_bytes: Callable[[int], bytes],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the request's time."""
        self._cages, self._model, self._random = cages, model, random_bytes
        self._clock, self._ends = clock, clock() + seconds
        self._faults = 0
        self.saw_rows = False  # from then on every ending is an outcome

    def outcomes(self, manifest: Manifest, found: Found) -> list[str]:
        """Name the outcome of each row."""
        indices = self._evaluate(found.matrix)
        if len(indices) > 1 and not self._exhausted:
            indices = self._checked(found.matrix, indices)
        # A disputed record refuses before anything else is said of the enterprise.
        absent = ~found.present | np.isnan(found.matrix).all(axis=1)
        names = []
        for number, index in enumerate(indices.tolist()):
            if found.disputed[number]:
                names.append(REFUSED)
            elif absent[number]:
                names.append(MISSING)
            else:
                names.append(REFUSED if index == DEAD else manifest.grades[index])
        return names

    @property
    def _left(self) -> float:
        return self._ends - self._clock()

    @property
    def _exhausted(self) -> bool:
        """Say whether this request had its share of cages and of time."""
        return self._faults >= MOST_FAULTS or self._left <= 0

    def _evaluate(self, matrix: NDArray[np.float64]) -> Outcomes:
        if self._exhausted:
            return np.full(len(matrix), DEAD, np.int16)
        try:
            with self._cages.warm(self._model, self._left) as cage:
                self.saw_rows = True
                return cage.evaluate(matrix, self._left)
        except CageFault:
            self._faults += 1
        except SaferoomError:  # no cage: nothing was seen, or the rest cannot be
            if not self.saw_rows:
                raise
            return np.full(len(matrix), DEAD, np.int16)
        if len(matrix) == 1:
            return np.array([DEAD], np.int16)
        half = len(matrix) // 2
        return np.concatenate([self._evaluate(matrix[:half]), self._evaluate(matrix[half:])])

    def _checked(self, matrix: NDArray[np.float64], indices: Outcomes) -> Outcomes:
        """Keep what a sample bears out."""
        checked = indices.copy()
        for row in self.sample(len(indices)):
            alone = self._alone(matrix[row : row + 1])
            if alone == DEAD:
                checked[row] = DEAD
            elif alone != indices[row] != DEAD:
                os.write(2, b"vault: a row scored otherwise alone: its whole request is refused\n")
                return np.full(len(indices), DEAD, np.int16)
        return checked

    def sample(self, rows: int) -> list[int]:
        """Choose at least one in a hundred, unpredictably and only now."""
        seed = int.from_bytes(self._random(16), "big")
        chosen = np.random.default_rng(seed).choice(rows, -(-rows // SAMPLE_OF), replace=False)
        return sorted(int(row) for row in chosen)

    def _alone(self, row: NDArray[np.float64]) -> int:
        if self._left <= 0:
            return DEAD
        try:
            with self._cages.fresh(self._model) as cage:
                return int(cage.evaluate(row, self._left)[0])
        except (CageFault, SaferoomError):
            return DEAD
