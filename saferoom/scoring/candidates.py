"""At which values of each input does anything change, and which leaves can be reached?

For every threshold, edge and key that a column meets: the input's value at it, one ulp below
and one above; besides, missing, zero, and values beyond all of them. Between two of these
nothing changes, and every column comes from one input alone. So a leaf is reachable exactly
where each of its path's inputs has a candidate that gives all the answers that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saferoom.errors import BadInput
from saferoom.scoring.form import Form, Linear, Scorecard
from saferoom.scoring.functions import Flags, Floats, Function, slope_of
from saferoom.scoring.trees import CategorySplit, Missing, Reading, Split, Tree, Trees

MOST_CANDIDATES = 100_000  # of one input
_ENDS = (0.0, 1.0, -1.0, 0.5)
_SPREAD = (-3.0, -1.0, 0.0, 1.0, 3.0)  # of a column that is weighed
_ZERO = float(np.float32(1e-35))
_SIGN = np.int64(-(2**63))

Places = NDArray[np.intp]
Allowed = dict[int, Flags]  # input → which of its candidates will do


@dataclass(frozen=True)
class Candidates:
    """Each input's values, and which of them the model takes."""

    form: Form
    values: tuple[Floats, ...]
    accepted: tuple[Flags, ...]

    def column(self, column: int) -> tuple[int, Floats]:
        """Name a column's input, and the column's value for each candidate."""
        source, functions = self.form.chain(column)
        return source, _run(functions, self.values[source])[0]


def candidates(form: Form) -> Candidates:
    """Find them all, or refuse a feature with too many thresholds to try."""
    asked = _asked(form)
    chains: dict[int, list[tuple[Function, ...]]] = {}
    for column in range(form.columns):
        source, functions = form.chain(column)
        chains.setdefault(source, []).append(functions)
    values, accepted = [], []
    for place, each in enumerate(form.inputs):
        found = np.unique([*_ENDS, *asked.get(place, ())])
        if len(found) > MOST_CANDIDATES:
            raise BadInput("MODEL_MALFORMED", "too many thresholds on one feature")
        ordered = np.array([*found.tolist(), -np.inf, np.inf, np.nan])
        bad = np.isnan(ordered) & (not each.missing) | np.isinf(ordered) & (not each.infinite)
        for functions in chains[place]:
            bad |= _run(functions, ordered)[1]
        values.append(ordered)
        accepted.append(~bad)
    return Candidates(form, tuple(values), tuple(accepted))


def reachable(
    found: Candidates, trees: Trees, tree: Tree, wanted: Iterable[int]
) -> Iterator[tuple[int, Allowed]]:
    """Yield each wanted leaf of a tree that some row reaches, with what its inputs may be."""
    needed = _ways(tree, wanted)
    columns: dict[int, tuple[int, Floats]] = {}
    start: Allowed = {}
    waiting = [(0 if tree.splits else -1, start)]
    while waiting:
        node, allowed = waiting.pop()
        if node not in needed:
            continue
        if node < 0:
            yield -node - 1, allowed
            continue
        split = tree.splits[node]
        if split.feature not in columns:
            columns[split.feature] = found.column(split.feature)
        source, values = columns[split.feature]
        before = allowed.get(source, found.accepted[source])
        left = go_left(split, values, trees.reading)
        for child, answers in ((split.right, ~left), (split.left, left)):
            if (both := before & answers).any():
                waiting.append((child, {**allowed, source: both}))


def go_left(split: Split, values: Floats, reading: Reading) -> Flags:
    """Answer one split's question for each value, as `trees` says."""
    if isinstance(split, CategorySplit):
        inside = (values > -1.0) & (values < 32 * len(split.words))
        codes = np.where(inside, values, 0.0).astype(np.intp)
        words = np.array(split.words, np.uint32)[codes >> 5]
        inside &= ((words >> (codes & 31).astype(np.uint32)) & 1).astype(np.bool_)
        return inside
    if reading is Reading.LIGHTGBM:
        values = np.where(np.abs(values) <= _ZERO, 0.0, values)
    gaps = np.isnan(values)
    if split.missing is not Missing.NAN:
        values = np.where(gaps, 0.0, values)
        gaps = (values == 0) & (split.missing is Missing.ZERO)
    answers: Flags = np.where(gaps, split.default_left, values <= split.threshold)
    return answers


def _ways(tree: Tree, wanted: Iterable[int]) -> set[int]:
    """Name the wanted leaves as children, and every split above them."""
    above = {
        child: place
        for place, split in enumerate(tree.splits)
        for child in (split.left, split.right)
    }
    needed: set[int] = set()
    for leaf in wanted:
        node: int | None = -leaf - 1
        while node is not None and node not in needed:
            needed.add(node)
            node = above.get(node)
    return needed


def _asked(form: Form) -> dict[int, set[float]]:
    """Say where each input's value begins to matter differently."""
    turns: dict[int, set[float]] = {}  # of a column
    for member in form.members:
        match member.scorer:
            case Trees() as trees:
                _add_splits(turns, trees)
            case Scorecard() as card:
                for each in card.characteristics:
                    turns.setdefault(form.features.index(each.feature), set()).update(each.edges)
            case Linear() as linear:
                for column in linear.columns:
                    turns.setdefault(column, set()).update(_SPREAD)
    for step in form.steps:
        turns.setdefault(step.column, set()).update(step.function.turns)
    asked: dict[int, set[float]] = {}
    for column, numbers in turns.items():
        source, functions = form.chain(column)
        asked.setdefault(source, set()).update(_before(functions, sorted(numbers)))
    return asked


def _add_splits(turns: dict[int, set[float]], trees: Trees) -> None:
    for tree in trees.trees:
        for split in tree.splits:
            numbers = turns.setdefault(split.feature, set())
            if isinstance(split, CategorySplit):
                last = 32 * len(split.words)
                numbers.update(range(last + 1) if last <= MOST_CANDIDATES else (last,))
            else:
                numbers.add(split.threshold)
                if trees.reading is Reading.LIGHTGBM:
                    numbers.update((_ZERO, -_ZERO))


def _before(functions: Sequence[Function], numbers: Sequence[float]) -> Iterator[float]:
    """Yield the inputs at which a chain's value reaches each number, and their neighbours.

    Where the chain is no monotone function of its input, a table in it has turns of its own,
    and its input's candidates stand for all that it can give.
    """
    slope = slope_of(functions)
    if not numbers or slope in (None, 0):
        return
    if not functions:
        at = np.array(numbers)
        firsts = [at]
    else:
        firsts = [
            _first(functions, np.array(numbers), rising=slope == 1, strictly=s)
            for s in (False, True)
        ]
    for each in firsts:
        with np.errstate(over="ignore"):  # beyond the largest double is nothing to try
            below, above = np.nextafter(each, -np.inf), np.nextafter(each, np.inf)
        for near in (each, below, above):
            yield from near[np.isfinite(near)].tolist()


def _first(
    functions: Sequence[Function], numbers: Floats, *, rising: bool, strictly: bool
) -> Floats:
    """Find, by halving, the least double whose value has passed each number."""

    def passed(keys: NDArray[np.int64]) -> Flags:
        values = _run(functions, _double(keys))[0]
        ahead, at = (values, numbers) if rising else (numbers, values)
        return ahead > at if strictly else ahead >= at

    low = np.full(len(numbers), _key(np.array([-np.finfo(np.float64).max]))[0])
    high = np.full(len(numbers), _key(np.array([np.finfo(np.float64).max]))[0])
    while (low < high).any():
        middle = (low & high) + ((low ^ high) >> 1)  # no overflow
        past = passed(middle)
        high = np.where(past, middle, high)
        low = np.where(past, low, np.minimum(middle + 1, high))
    return _double(low)


def _key(values: Floats) -> NDArray[np.int64]:
    """Give the doubles numbers in their order."""
    bits = (values + 0.0).view(np.int64)
    return np.where(bits >= 0, bits, _SIGN - bits)


def _double(keys: NDArray[np.int64]) -> Floats:
    return np.where(keys >= 0, keys, _SIGN - keys).view(np.float64)


def _run(functions: Sequence[Function], values: Floats) -> tuple[Floats, Flags]:
    refused = np.zeros(len(values), np.bool_)
    with np.errstate(all="ignore"):
        for function in functions:
            bad = function.refused(values)
            refused = refused if bad is None else refused | bad
            values = function.apply(values)
    return values, refused
