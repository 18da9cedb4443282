"""What is a model, once nothing of its file is left?

A form is data: numbers and indices, read by a strict reader, scored row by row. There is no
operation across rows, so one enterprise's score cannot depend on whose rows stand beside it.

    inputs      the view columns, by name; whether one may be missing or infinite
    steps       columns made from earlier ones, each from one, by a listed function
    members     scorers over those columns, each with its own link and calibration
    finish      what is done to Σ weight · member, summed in order from zero

Columns are counted: first the inputs, then the steps. What is left of a model after the form
is the grade map, in the artefact. `source` says whose arithmetic and order of summation are
kept; where `exact`, each double is the source's, else it is within 1e-9 of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from saferoom.errors import BadInput
from saferoom.scoring.functions import Function, Logistic
from saferoom.scoring.numbers import check_ascending, check_points
from saferoom.scoring.trees import Trees, check_trees

MOST_FEATURES = 20_000
MOST_COLUMNS = 60_000
MOST_MEMBERS = 100
MOST_FINISHES = 16
MOST_EDGES = 1_000  # of one characteristic


class Source(StrEnum):
    """Whose arithmetic a form keeps."""

    LIGHTGBM = "lightgbm"
    SCIKIT_LEARN = "scikit-learn"
    SCORECARD = "scorecard"


class Direction(StrEnum):
    """What a high score means."""

    RISK = "risk"
    QUALITY = "quality"


class Input(NamedTuple):
    """One view column; what it may not be ends in `refused`."""

    name: str
    missing: bool = True
    infinite: bool = True


class Step(NamedTuple):
    """One column more."""

    column: int
    function: Function


@dataclass(frozen=True)
class Linear:
    """A scorer: Σ weight · column, in order from zero, then the intercept."""

    intercept: float
    columns: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Characteristic:
    """One feature's bins: the bin is how many edges are ≤ the value."""

    feature: str
    edges: tuple[float, ...]
    points: tuple[float, ...]
    missing: float


@dataclass(frozen=True)
class Scorecard:
    """A scorer: base points and points per bin of an input, in order."""

    base: float
    characteristics: tuple[Characteristic, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Name the features in order."""
        return tuple(each.feature for each in self.characteristics)


Scorer = Linear | Scorecard | Trees


class Member(NamedTuple):
    """One scorer, its link and calibration, and its share of the sum."""

    scorer: Scorer
    finish: tuple[Function, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Form:
    """One model."""

    source: Source
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    members: tuple[Member, ...]
    finish: tuple[Function, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Name the features in order."""
        return tuple(each.name for each in self.inputs)

    @property
    def columns(self) -> int:
        """Count inputs and steps."""
        return len(self.inputs) + len(self.steps)

    @property
    def scorer(self) -> str:
        """Name the kind of model."""
        kinds = {_NAMES[type(member.scorer)] for member in self.members}
        return kinds.pop() if len(kinds) == 1 else "weighted sum"

    @property
    def parts(self) -> int:
        """Count trees, characteristics and linear scorers."""
        return sum(_parts(member.scorer) for member in self.members)

    @property
    def leaves(self) -> int:
        """Count leaves, bins (the missing one among them) and weights."""
        return sum(_leaves(member.scorer) for member in self.members)

    @property
    def depth(self) -> int:
        """Count the most questions in a row."""
        deep = (m.scorer.depth if isinstance(m.scorer, Trees) else 1 for m in self.members)
        return max(deep)

    @property
    def exact(self) -> bool:
        """Say whether every double is the source's own: a dot product's order is its library's."""
        plain = all(
            not isinstance(member.scorer, Linear) or self.source is not Source.SCIKIT_LEARN
            for member in self.members
        )
        return plain and all(function.exact for function in self.functions())

    def functions(self) -> Iterator[Function]:
        """List every function."""
        yield from (step.function for step in self.steps)
        for member in self.members:
            yield from member.finish
        yield from self.finish

    def chain(self, column: int) -> tuple[int, tuple[Function, ...]]:
        """Name the input that a column comes from, and what is done to it."""
        functions: list[Function] = []
        while column >= len(self.inputs):
            step = self.steps[column - len(self.inputs)]
            functions.append(step.function)
            column = step.column
        return column, tuple(reversed(functions))


_NAMES: dict[type[Scorer], str] = {
    Linear: "linear",
    Scorecard: "scorecard",
    Trees: "tree ensemble",
}
SCORERS = frozenset({*_NAMES.values(), "weighted sum"})


def scorecard_form(card: Scorecard) -> Form:
    """Write a points table as a form."""
    inputs = tuple(Input(name) for name in card.features)
    return Form(Source.SCORECARD, inputs, (), (Member(card),))


def trees_form(features: tuple[str, ...], trees: Trees, slope: float | None = None) -> Form:
    """Write a sum of trees over raw columns as a form, through a sigmoid where one is given."""
    finish = () if slope is None else (Logistic(slope),)
    inputs = tuple(Input(name) for name in features)
    return Form(Source.LIGHTGBM, inputs, (), (Member(trees, finish),))


def check_form(form: Form) -> None:
    """Refuse whatever would not be a finite score of each row alone."""
    check_features(form.features)
    if form.columns > MOST_COLUMNS:
        raise BadInput("MODEL_MALFORMED", "number of steps")
    for place, step in enumerate(form.steps, len(form.inputs)):
        if not 0 <= step.column < place:
            raise BadInput("MODEL_MALFORMED", f"step {place - len(form.inputs)}: column")
    for function in form.functions():
        function.check()
    if not 0 < len(form.members) <= MOST_MEMBERS:
        raise BadInput("MODEL_MALFORMED", "number of members")
    for member in form.members:
        check_points((member.weight,), "weight of a member")
        _check_scorer(member.scorer, form)
    if any(len(each) > MOST_FINISHES for each in (form.finish, *(m.finish for m in form.members))):
        raise BadInput("MODEL_MALFORMED", "number of links")


def check_features(features: tuple[str, ...]) -> None:
    """Refuse none, too many, or the same name twice."""
    if not 0 < len(features) <= MOST_FEATURES or len(set(features)) != len(features):
        raise BadInput("MODEL_MALFORMED", "feature names")


def check_scorecard(card: Scorecard) -> None:
    """Refuse bins that overlap, or points that could sum to infinity."""
    check_features(card.features)
    check_points((card.base,), "base")
    for index, each in enumerate(card.characteristics):
        where = f"characteristic {index}"
        if len(each.edges) > MOST_EDGES or len(each.points) != len(each.edges) + 1:
            raise BadInput("MODEL_MALFORMED", f"{where}: one more points than edges")
        check_ascending(each.edges, f"{where}: edges")
        check_points((*each.points, each.missing), f"{where}: points")


def _check_scorer(scorer: Scorer, form: Form) -> None:
    match scorer:
        case Trees():
            check_trees(scorer, form.columns)
        case Scorecard():
            check_scorecard(scorer)
            if not set(scorer.features) <= set(form.features):
                raise BadInput("MODEL_MALFORMED", "a characteristic without its input")
        case Linear():
            if not 0 < len(scorer.columns) == len(scorer.weights) <= MOST_COLUMNS:
                raise BadInput("MODEL_MALFORMED", "one weight per column")
            if not all(0 <= column < form.columns for column in scorer.columns):
                raise BadInput("MODEL_MALFORMED", "column of a weight")
            check_points((scorer.intercept, *scorer.weights), "weights")


def _parts(scorer: Scorer) -> int:
    match scorer:
        case Trees():
            return len(scorer.trees)
        case Scorecard():
            return len(scorer.characteristics)
        case Linear():
            return 1


def _leaves(scorer: Scorer) -> int:
    match scorer:
        case Trees():
            return scorer.leaves
        case Scorecard():
            return sum(len(each.points) + 1 for each in scorer.characteristics)
        case Linear():
            return len(scorer.weights)
