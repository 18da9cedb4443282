"""Which ensembles would no training give, and must still be scored right?"""

from __future__ import annotations

import random

from saferoom.scoring.form import Form, trees_form
from saferoom.scoring.trees import CategorySplit, Missing, NumericSplit, Reading, Split, Tree, Trees

THRESHOLDS = (0.0, -0.0, 1e-36, -1e-36, 1e-34, 1.0, -1.0, 33.7, 1e300, -1e300, 5e-324)
LEAVES = (0.0, -0.0, 1.0, -1.0, 0.1, 1e16, -1e16, 1e100, -1e100, 1e-300)
SLOPES = (None, 1.0, 0.7, 999.999999, 0.000043)


def forest(chance: random.Random, features: int = 4) -> Form:
    trees = tuple(grow(chance, chance.choice((1, 1, 2, 5, 40)), features) for _ in range(9))
    names = tuple(f"f{i}" for i in range(features))
    return trees_form(names, Trees(trees, Reading.LIGHTGBM), chance.choice(SLOPES))


def grow(chance: random.Random, leaves: int, features: int) -> Tree:
    """Split a random leaf again and again, as LightGBM numbers them."""
    children: list[list[int]] = []
    places: list[tuple[int, int] | None] = [None]  # where each leaf hangs
    for split in range(leaves - 1):
        leaf = chance.randrange(len(places))
        if (place := places[leaf]) is not None:
            children[place[0]][place[1]] = split
        children.append([-leaf - 1, -len(places) - 1])
        places[leaf] = (split, 0)
        places.append((split, 1))
    splits = tuple(question(chance, features, left, right) for left, right in children)
    return Tree(splits, tuple(chance.choice(LEAVES) for _ in range(leaves)))


def question(chance: random.Random, features: int, left: int, right: int) -> Split:
    feature = chance.randrange(features)
    if chance.random() < 0.3:
        words = tuple(chance.getrandbits(32) for _ in range(chance.randint(1, 3)))
        return CategorySplit(feature, words, left, right)
    missing = chance.choice(list(Missing))
    default_left = missing is not Missing.NEVER and chance.random() < 0.5
    return NumericSplit(feature, chance.choice(THRESHOLDS), missing, default_left, left, right)
