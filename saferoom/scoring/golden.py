"""Which rows show everything that a model can do, and does it do the same here?

Golden rows are made from the form, never from firms: every candidate of every input, every
value that the model refuses, at least a thousand rows, and one for each leaf that the others
missed. The same form gives the same rows: its digest is the only chance in them. Whoever
receives a model measures what the rows reach and compares the scores: an exact form's are
equal, the others' are within 1e-9 and in the same grade.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from saferoom.canonical import Digest
from saferoom.errors import BadInput
from saferoom.scoring.candidates import Allowed, Candidates, candidates, reachable
from saferoom.scoring.form import Form, Scorecard
from saferoom.scoring.functions import Bin, Floats, Lookup
from saferoom.scoring.tree_evaluation import TreeEvaluator
from saferoom.scoring.trees import Trees

FEWEST = 1_000
MOST_REFUSED = 64  # of one input
TOLERANCE = 1e-9

Wide = Callable[[Floats], Floats]  # the columns of some rows; a refused row is left out


class _Chance:
    """Numbers that follow from the form's digest alone, on every machine and for ever."""

    def __init__(self, digest: Digest) -> None:
        self._seed, self._drawn = digest.encode(), 0

    def below(self, bound: int, count: int) -> NDArray[np.intp]:
        """Draw so many numbers below a bound."""
        self._drawn += 1
        data = hashlib.shake_256(self._seed + self._drawn.to_bytes(8, "big")).digest(4 * count)
        return np.frombuffer(data, ">u4").astype(np.intp) % bound


def golden_rows(form: Form, digest: Digest, wide: Wide) -> Floats:
    """Make them."""
    maker = _Maker(candidates(form), _Chance(digest), wide)
    first = maker.spread()
    rows = [first, *maker.refused()]
    for scorer in (member.scorer for member in form.members):
        if isinstance(scorer, Trees):
            rows += maker.towards(scorer, first)
    return np.concatenate(rows)


def check_golden(form: Form, rows: Floats, wide: Wide) -> None:
    """Refuse rows that leave out what a row could reach: GOLDEN_UNVISITED."""
    if rows.shape[1] != len(form.inputs) or len(rows) < FEWEST:
        raise BadInput("GOLDEN_MISSING", "fewer than a thousand rows, or of other features")
    found, columns = candidates(form), wide(rows)
    for member in form.members:
        match member.scorer:
            case Trees() as trees:
                _check_leaves(found, trees, columns)
            case Scorecard() as card:
                for each in card.characteristics:
                    place = form.features.index(each.feature)
                    _check_bins(found, place, Bin(each.edges), columns)
    for step in form.steps:
        if isinstance(step.function, Bin | Lookup):
            _check_bins(found, step.column, step.function, columns)


def same_scores(form: Form, expected: Floats, scores: Floats) -> NDArray[np.bool_]:
    """Say of which rows the two scores are the same, as the form promises; NaN is refused."""
    same: NDArray[np.bool_] = (expected == scores) | (np.isnan(expected) & np.isnan(scores))
    if not form.exact:
        room = TOLERANCE * np.maximum(np.abs(expected), np.abs(scores))
        with np.errstate(invalid="ignore"):
            same |= np.abs(expected - scores) <= room
    return same


class _Maker:
    def __init__(self, found: Candidates, chance: _Chance, wide: Wide) -> None:
        self._found, self._chance, self._wide = found, chance, wide
        self._accepted = [np.flatnonzero(flags) for flags in found.accepted]
        if not all(map(len, self._accepted)):
            raise BadInput("MODEL_MALFORMED", "an input of which every value is refused")

    def spread(self) -> Floats:
        """Each candidate at least once, each input in an order of its own."""
        count = max(FEWEST, *map(len, self._accepted))
        columns = []
        for values, places in zip(self._found.values, self._accepted, strict=True):
            order = np.argsort(self._chance.below(2**32, count), kind="stable")
            more = places[self._chance.below(len(places), count)]
            columns.append(values[np.concatenate([places, more])[:count][order]])
        return np.column_stack(columns)

    def refused(self) -> Iterator[Floats]:
        """One row for each value that the model refuses, with nothing else to refuse in it."""
        pairs = zip(self._found.values, self._found.accepted, strict=True)
        for place, (values, flags) in enumerate(pairs):
            bad = np.flatnonzero(~flags)[:MOST_REFUSED]
            if len(bad):
                rows = self._filled({}, len(bad))
                rows[:, place] = values[bad]
                yield rows

    def towards(self, trees: Trees, first: Floats) -> list[Floats]:
        """Add rows for the leaves that were not reached, tree by tree."""
        evaluator, made = TreeEvaluator(trees), []
        seen, start = _visited(evaluator, trees, self._wide(first)), 0
        for tree in trees.trees:
            size = len(tree.leaves)
            wanted = np.flatnonzero(~seen[start : start + size]).tolist()
            ways = reachable(self._found, trees, tree, wanted)
            if new := [self._filled(allowed, 1) for _, allowed in ways]:
                made.append(np.concatenate(new))
                seen |= _visited(evaluator, trees, self._wide(made[-1]))
            start += size
        return made

    def _filled(self, allowed: Allowed, count: int) -> Floats:
        """Draw rows in which every input is one of its allowed, or of its accepted values."""
        drawn = self._chance.below(2**32, count * len(self._accepted)).reshape(count, -1)
        columns = []
        for place, values in enumerate(self._found.values):
            flags = allowed.get(place)
            places = self._accepted[place] if flags is None else np.flatnonzero(flags)
            columns.append(values[places[drawn[:, place] % len(places)]])
        return np.column_stack(columns)


def _visited(evaluator: TreeEvaluator, trees: Trees, columns: Floats) -> NDArray[np.bool_]:
    seen = np.zeros(trees.leaves, np.bool_)
    if len(columns):
        seen[evaluator.leaves(columns)] = True
    return seen


def _check_leaves(found: Candidates, trees: Trees, columns: Floats) -> None:
    seen, start = _visited(TreeEvaluator(trees), trees, columns), 0
    for index, tree in enumerate(trees.trees):
        missed = np.flatnonzero(~seen[start : start + len(tree.leaves)]).tolist()
        if missed and next(reachable(found, trees, tree, missed), None) is not None:
            raise BadInput("GOLDEN_UNVISITED", f"tree {index}: a leaf")
        start += len(tree.leaves)


def _check_bins(found: Candidates, column: int, table: Bin | Lookup, columns: Floats) -> None:
    """Every bin, and the missing one, that a candidate falls into is one that a row is in."""
    source, values = found.column(column)
    there = _bins(table, values[found.accepted[source]])
    if not there <= _bins(table, columns[:, column]):
        raise BadInput("GOLDEN_UNVISITED", "a bin")


def _bins(table: Bin | Lookup, values: Floats) -> set[float]:
    """Name the bins; −1 is the missing one."""
    if isinstance(table, Lookup):
        known = np.isin(values, np.array(table.keys))
        values = np.where(known | np.isnan(values), values, np.inf)
        return {-1.0 if np.isnan(each) else each for each in values.tolist()}
    return {-1.0 if np.isnan(each) else each for each in table.apply(values).tolist()}
