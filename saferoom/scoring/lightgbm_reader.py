"""Which tree ensemble does a LightGBM text file describe, if it is one at all?

LightGBM's own loader is no boundary: five of six mutated files kill or hang the
process. So every line up to the last tree is read here: known keys, each once,
exact array lengths, indices in range, finite numbers. What a key says about the
training (gains, counts, feature ranges) has no effect on a score and is dropped.

Accepted: format v4, one output, numeric and category splits, all three meanings of
missing, stumps, random forests (the mean of their trees), linear trees. Refused: several
classes, objectives whose link we do not know.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate, groupby, pairwise

from saferoom.errors import BadInput
from saferoom.scoring.form import MOST_FEATURES, Form, Input, Member, Source, check_form
from saferoom.scoring.functions import Divide, Function, Logistic
from saferoom.scoring.trees import (
    MOST_LEAVES,
    CategorySplit,
    Line,
    Missing,
    NumericSplit,
    Reading,
    Split,
    Tree,
    Trees,
)

LARGEST_TEXT = 64 * 2**20
END = "\nend of trees\n"

_HEADER = frozenset(
    {
        "version",
        "num_class",
        "num_tree_per_iteration",
        "max_feature_idx",
        "feature_names",
        "tree_sizes",
    }
)
_HEADER_MORE = frozenset({"label_index", "objective", "feature_infos", "monotone_constraints"})
_TREE = frozenset(
    {
        "num_leaves",
        "num_cat",
        "split_feature",
        "threshold",
        "decision_type",
        "left_child",
        "right_child",
        "leaf_value",
    }
)
_CATEGORIES = frozenset({"cat_boundaries", "cat_threshold"})
_LINES = frozenset({"leaf_const", "num_features", "leaf_features", "leaf_coeff"})
_TREE_MORE = (
    _CATEGORIES
    | _LINES
    | {
        "split_gain",
        "leaf_weight",
        "leaf_count",
        "internal_value",
        "internal_weight",
        "internal_count",
        "is_linear",
        "shrinkage",
    }
)
_AVERAGED = "average_output"
_IDENTITY = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape"})
_SLOPE = re.compile(r"binary sigmoid:([0-9]{1,3})(?:\.([0-9]{1,6}))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_INTEGERS = re.compile(r"-?[0-9]{1,10}(?: -?[0-9]{1,10})*")
_FLOAT = r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?"
_LARGEST = "1.7976931348623157e+308"  # a double can be no larger
_FLOATS = re.compile(f"{_FLOAT}(?: {_FLOAT})*")

_Fields = dict[str, str]


def read_lightgbm(text: str) -> Form:
    """Read strictly, or refuse with MODEL_MALFORMED and the place."""
    if len(text) > LARGEST_TEXT:
        raise BadInput("TOO_LARGE")
    body, end, trailer = text.partition(END)
    if not end or not body.isascii() or "\r" in body:
        raise BadInput("MODEL_MALFORMED", "end of trees is missing, or not plain text")
    blocks = [list(lines) for full, lines in groupby(body.split("\n"), key=bool) if full]
    if not blocks or blocks[0][0] != "tree":
        raise BadInput("MODEL_FORMAT", "not LightGBM text")
    averaged = blocks[0].count(_AVERAGED)
    if averaged > 1:
        raise BadInput("MODEL_MALFORMED", "header: unknown or repeated field")
    header = _read_header([line for line in blocks[0][1:] if line != _AVERAGED])
    features = _read_names(header)
    _integers(header["tree_sizes"], len(blocks) - 1, (1, LARGEST_TEXT), "tree_sizes")
    _check_categories_are_codes(trailer)
    trees = tuple(_read_tree(lines, index) for index, lines in enumerate(blocks[1:]))
    link = _read_link(header.get("objective"))
    mean: tuple[Function, ...] = (Divide(float(len(trees))),) if averaged and trees else ()
    bounded = {split.feature for tree in trees for split in tree.splits if _is_bounded(split)}
    inputs = tuple(Input(name, infinite=at not in bounded) for at, name in enumerate(features))
    member = Member(Trees(trees, Reading.LIGHTGBM), mean + link)
    form = Form(Source.LIGHTGBM, inputs, (), (member,))
    check_form(form)
    return form


def _read_header(lines: list[str]) -> _Fields:
    header = _read_fields(lines, _HEADER, _HEADER_MORE, "header")
    if header["version"] != "v4":  # v3 sends missing categories elsewhere
        raise BadInput("MODEL_MALFORMED", "save it with LightGBM 4")
    if (header["num_class"], header["num_tree_per_iteration"]) != ("1", "1"):
        raise BadInput(
            "MODEL_MALFORMED",
            "one output is accepted, not several classes: a grade needs one score",
        )
    return header


def _read_names(header: _Fields) -> tuple[str, ...]:
    names = tuple(header["feature_names"].split(" "))
    last = _integer(header["max_feature_idx"], (0, MOST_FEATURES - 1), "max_feature_idx")
    if len(names) != last + 1 or not all(_NAME.fullmatch(name) for name in names):
        raise BadInput("MODEL_MALFORMED", "feature names")
    return names


def _read_link(objective: str | None) -> tuple[Function, ...]:
    """Return the sigmoid, or nothing where the sum is the score."""
    if objective is None or objective in _IDENTITY:  # a custom loss has no objective line
        return ()
    if objective == "cross_entropy":
        return (Logistic(1.0),)
    found = _SLOPE.fullmatch(objective)
    if not found:
        raise BadInput("MODEL_MALFORMED", "objective is not accepted")
    whole, decimals = found[1], found[2] or "0"
    slope = int(whole) + int(decimals) / 10.0 ** len(decimals)  # two roundings, as LightGBM does
    return (Logistic(slope),)


def _check_categories_are_codes(trailer: str) -> None:
    """Pandas replaces categories by positions; the room's columns hold the values."""
    for line in trailer.split("\n"):
        name, _, value = line.partition(":")
        if name == "pandas_categorical" and not _are_positions(value):
            raise BadInput(
                "MODEL_MALFORMED", "train on numeric category codes, not pandas categories"
            )


def _are_positions(text: str) -> bool:
    try:
        lists = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if lists is None:
        return True
    return isinstance(lists, list) and all(
        isinstance(each, list) and each == list(range(len(each))) for each in lists
    )


def _read_tree(lines: list[str], index: int) -> Tree:
    where = f"tree {index}"
    if lines[0] != f"Tree={index}":
        raise BadInput("MODEL_MALFORMED", f"{where}: number")
    fields = _read_fields(lines[1:], _TREE, _TREE_MORE, where)
    leaves = _integer(fields["num_leaves"], (1, MOST_LEAVES), f"{where}: num_leaves")
    values = _floats(fields["leaf_value"], leaves, f"{where}: leaf_value")
    return Tree(_read_splits(fields, leaves, where), values, _read_lines(fields, leaves, where))


def _read_lines(fields: _Fields, leaves: int, where: str) -> tuple[Line, ...]:
    """Read a linear tree's leaves: flat lists, so many features for each leaf in turn."""
    linear = fields.get("is_linear", "0")
    if linear not in {"0", "1"} or (linear == "1") != (fields.keys() >= _LINES):
        raise BadInput("MODEL_MALFORMED", f"{where}: is_linear")
    if linear == "0":
        if _LINES & fields.keys():
            raise BadInput("MODEL_MALFORMED", f"{where}: is_linear")
        return ()
    counts = _integers(fields["num_features"], leaves, (0, MOST_FEATURES), f"{where}: num_features")
    total = sum(counts)
    constants = _floats(fields["leaf_const"], leaves, f"{where}: leaf_const")
    columns = _integers(
        _packed(fields["leaf_features"]), total, (0, MOST_FEATURES), f"{where}: leaf_features"
    )
    factors = _floats(_packed(fields["leaf_coeff"]), total, f"{where}: leaf_coeff")
    ends = list(accumulate(counts, initial=0))
    return tuple(
        Line(constant, columns[a:b], factors[a:b])
        for constant, (a, b) in zip(constants, pairwise(ends), strict=True)
    )


def _packed(text: str) -> str:
    """Leaves are set apart by a second space; the counts say as much."""
    return " ".join(text.split())


def _read_splits(fields: _Fields, leaves: int, where: str) -> tuple[Split, ...]:
    count = leaves - 1

    def column(name: str, low: int, high: int) -> tuple[int, ...]:
        return _integers(fields[name], count, (low, high), f"{where}: {name}")

    sets = _read_categories(fields, count, where)
    rows = zip(
        column("split_feature", 0, MOST_FEATURES),
        _floats(_bounded(fields["threshold"]), count, f"{where}: threshold"),
        column("decision_type", 0, 11),
        column("left_child", -leaves, count),
        column("right_child", -leaves, count),
        strict=True,
    )
    splits: list[Split] = []
    unused = iter(range(len(sets)))  # each category split names the next set, in order
    for feature, threshold, decision, left, right in rows:
        if decision & 1:
            if decision & 2 or next(unused, None) != threshold:
                raise BadInput("MODEL_MALFORMED", f"{where}: category split")
            splits.append(CategorySplit(feature, sets[int(threshold)], left, right))
        else:
            missing = Missing(decision >> 2)
            default_left = bool(decision & 2) and missing is not Missing.NEVER
            splits.append(NumericSplit(feature, threshold, missing, default_left, left, right))
    if next(unused, None) is not None:
        raise BadInput("MODEL_MALFORMED", f"{where}: unused categories")
    return tuple(splits)


def _read_categories(fields: _Fields, splits: int, where: str) -> list[tuple[int, ...]]:
    count = _integer(fields["num_cat"], (0, splits), f"{where}: num_cat")
    if not count:
        if _CATEGORIES & fields.keys():
            raise BadInput("MODEL_MALFORMED", f"{where}: categories without num_cat")
        return []
    if not fields.keys() >= _CATEGORIES:
        raise BadInput("MODEL_MALFORMED", f"{where}: categories are missing")
    bounds = _integers(fields["cat_boundaries"], count + 1, (0, 2**20), f"{where}: cat_boundaries")
    if bounds[0] != 0 or any(b <= a for a, b in pairwise(bounds)):
        raise BadInput("MODEL_MALFORMED", f"{where}: cat_boundaries")
    words = _integers(
        fields["cat_threshold"], bounds[-1], (0, 2**32 - 1), f"{where}: cat_threshold"
    )
    return [words[a:b] for a, b in pairwise(bounds)]


def _read_fields(
    lines: list[str], needed: frozenset[str], more: frozenset[str], where: str
) -> _Fields:
    """Read `key=value` lines: known keys, each at most once, the needed ones there."""
    fields: _Fields = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or key in fields or key not in needed | more:
            raise BadInput("MODEL_MALFORMED", f"{where}: unknown or repeated field")
        fields[key] = value
    if not fields.keys() >= needed:
        raise BadInput("MODEL_MALFORMED", f"{where}: a field is missing")
    return fields


def _is_bounded(split: Split) -> bool:
    return isinstance(split, NumericSplit) and split.threshold == float(_LARGEST)


def _bounded(thresholds: str) -> str:
    """Write `inf` as the largest double.

    LightGBM writes it where it splits what is missing from all that is there. The two differ in
    where infinity goes, so a row that holds one is refused at such an input.
    """
    words = thresholds.split(" ")
    return " ".join(_LARGEST if word == "inf" else word for word in words)


def _integer(text: str, allowed: tuple[int, int], field: str) -> int:
    return _integers(text, 1, allowed, field)[0]


def _integers(text: str, count: int, allowed: tuple[int, int], field: str) -> tuple[int, ...]:
    if not count and not text:
        return ()
    if not _INTEGERS.fullmatch(text):
        raise BadInput("MODEL_MALFORMED", field)
    values = tuple(map(int, text.split(" ")))
    if len(values) != count or min(values) < allowed[0] or max(values) > allowed[1]:
        raise BadInput("MODEL_MALFORMED", field)
    return values


def _floats(text: str, count: int, field: str) -> tuple[float, ...]:
    """Read doubles; that they are finite is the form's own rule."""
    if not count and not text:
        return ()
    if not _FLOATS.fullmatch(text):
        raise BadInput("MODEL_MALFORMED", field)
    values = tuple(map(float, text.split(" ")))
    if len(values) != count:
        raise BadInput("MODEL_MALFORMED", field)
    return values
