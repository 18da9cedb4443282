"""Can what stewards declare be drawn, is it what they declared, and is it the same anywhere?"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.core import mock_rows
from saferoom.core.mock import (
    Correlation,
    MockColumn,
    MockSet,
    Share,
    Stop,
    normal_correlation,
    read_decimal,
)
from saferoom.core.mock_rows import Floats, draw
from saferoom.core.views import DTYPE, Level, View, ViewSet
from saferoom.errors import BadInput


def stops(*points: tuple[int, str]) -> tuple[Stop, ...]:
    return tuple(Stop(permille=permille, value=value) for permille, value in points)


def shares(*points: tuple[int, str]) -> tuple[Share, ...]:
    return tuple(Share(permille=permille, value=value) for permille, value in points)


def column(name: str, /, **changes: object) -> MockColumn:
    fields: dict[str, object] = {
        "name": name,
        "stops": stops((0, "0"), (500, "10"), (1000, "100")),
        "shares": (),
        "whole": False,
        "missing_permille": 0,
        "missing_with": "tax",
    }
    return MockColumn(**{**fields, **changes})  # type: ignore[arg-type]


def mock_set(columns: Sequence[MockColumn], *pairs: tuple[str, str, int]) -> MockSet:
    correlations = [Correlation(first=a, second=b, hundredths=h) for a, b, h in pairs]
    return MockSet(columns=tuple(columns), correlations=tuple(correlations))


def view(name: str, feature_type: str = "continuous") -> View:
    return View(
        name=name,
        category="tax",
        level=Level.L3,
        feature_type=feature_type,
        table="tax_month",
        formula="{}",
        title_zh="甲",
        title_en="A",
    )


SMALL = mock_set(
    [
        column("arrears", missing_permille=100, missing_with="court"),
        column("grade", stops=(), shares=shares((200, "1"), (300, "2"), (500, "4"))),
        column("months", whole=True, stops=stops((0, "0"), (1000, "24")), missing_permille=250),
        column("sales", missing_permille=300),
    ],
    ("arrears", "sales", -40),
    ("grade", "sales", 60),
)


def ranks_agree(one: Floats, other: Floats) -> float:
    ranks = [np.argsort(np.argsort(each)).astype(np.float64) for each in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def test_the_same_seed_gives_the_same_bytes() -> None:
    """The digest was computed once and stands for every machine and version of a library."""
    names = ("sales", "grade", "months", "arrears")
    digests = [
        hashlib.sha256(draw(SMALL, names, 5000, seed).tobytes()).hexdigest() for seed in (7, 7, 8)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == "e68572142d56b4ad3a63b3f4784fa5476b5937bfde99f80e2b300a57a496d585"


def bits(use: str, name: str, seed: int, length: int) -> bytes:
    label = f'{{"kind":"saferoom/mock/1","name":"{name}","seed":{seed},"use":"{use}"}}'
    return hashlib.shake_256(label.encode()).digest(length)


def plain(column: MockColumn, row: int, seed: int) -> float:
    """Compute one cell from docs/reference/mock.md alone, without NumPy."""
    drawn = bits("missing", column.missing_with, seed, 4 * row + 4)[-4:]
    if int.from_bytes(drawn, "little") * 1000 < column.missing_permille * 2**32:
        return math.nan
    mixed = 0.0
    for other, weight in SMALL.factor[column.name].items():
        numbers = struct.unpack("<12H", bits("value", other, seed, 24 * row + 24)[-24:])
        mixed = mixed + (sum(numbers) - 393_210) / 65_536 * weight
    return read_off(column, place_of(mixed))


def place_of(mixed: float) -> float:
    power = 0.0
    for coefficient in mock_rows._NORMAL:
        power = power * abs(mixed) + coefficient
    power = power * abs(mixed) + 1
    for _ in range(4):
        power = power * power
    return 0.5 / power if mixed < 0 else 1 - 0.5 / power


def read_off(column: MockColumn, place: float) -> float:
    total = 0
    for share in column.shares:
        total += share.permille
        if place < total / 1000 or total == 1000:
            return float(share.value)
    before, after = next(
        (low, high)
        for low, high in pairwise(column.stops)
        if place < high.permille / 1000 or high.permille == 1000
    )
    low, high = before.permille / 1000, after.permille / 1000
    first, last = float(before.value), float(after.value)
    read = first + (last - first) * ((place - low) / (high - low))
    return float(math.floor(read + 0.5)) if column.whole else read


def test_the_page_says_enough_to_compute_the_same_bytes_without_us() -> None:
    names = tuple(one.name for one in SMALL.columns)
    expected = [[plain(one, row, 11) for one in SMALL.columns] for row in range(300)]
    assert draw(SMALL, names, 300, 11).tobytes() == np.array(expected, "<f8").tobytes()


def test_the_matrix_is_of_the_room_s_one_dtype() -> None:
    matrix = draw(SMALL, ("sales",), 3, 0)
    assert (matrix.dtype, matrix.shape) == (np.dtype(DTYPE), (3, 1))


def test_a_column_depends_neither_on_others_nor_on_the_number_of_rows() -> None:
    wide = draw(SMALL, ("grade", "sales", "months"), 4000, 3)
    narrow = draw(SMALL, ("months", "sales"), 1000, 3)
    assert wide[:1000, [2, 1]].tobytes() == narrow.tobytes()


def test_values_lie_as_declared() -> None:
    matrix = draw(SMALL, ("sales", "grade", "months"), 100_000, 1)
    sales, grade, months = (matrix[:, n][~np.isnan(matrix[:, n])] for n in range(3))
    assert 0 <= sales.min() < sales.max() <= 100
    assert abs(np.mean(sales <= 10) - 0.5) < 0.01
    assert abs(np.mean(sales <= 5) - 0.25) < 0.01
    values, counts = np.unique(grade, return_counts=True)
    assert values.tolist() == [1, 2, 4]
    assert np.abs(counts / len(grade) - [0.2, 0.3, 0.5]).max() < 0.01
    assert set(months.tolist()) == {float(month) for month in range(25)}


def test_ranks_go_together_as_declared() -> None:
    smooth = mock_set([column("a"), column("b"), column("c")], ("a", "b", 70), ("b", "c", -30))
    matrix = draw(smooth, ("a", "b", "c"), 50_000, 5)
    assert abs(ranks_agree(matrix[:, 0], matrix[:, 1]) - 0.70) < 0.015
    assert abs(ranks_agree(matrix[:, 1], matrix[:, 2]) + 0.30) < 0.015
    assert abs(ranks_agree(matrix[:, 0], matrix[:, 2])) < 0.015


def test_features_of_one_source_are_missing_together() -> None:
    missing = np.isnan(draw(SMALL, ("months", "sales", "arrears"), 50_000, 2))
    assert np.abs(missing.mean(axis=0) - [0.25, 0.3, 0.1]).max() < 0.01
    assert not (missing[:, 0] & ~missing[:, 1]).any()  # 250 of those 300
    both = (missing[:, 1] & missing[:, 2]).mean()
    assert abs(both - 0.03) < 0.005  # another source: by chance


def test_the_place_of_a_score_is_the_normal_distribution() -> None:
    scores = np.array([-6.0, -1.96, -1.0, 0.0, 1.0, 1.96, 6.0])
    expected = [0, 0.0249979, 0.1586553, 0.5, 0.8413447, 0.9750021, 1]
    assert np.abs(mock_rows._place(scores) - expected).max() < 2e-7


@pytest.mark.parametrize(("hundredths", "expected"), [(0, 0.0), (50, 0.5176381), (-99, -0.9909173)])
def test_rank_correlations_become_those_of_normal_scores(hundredths: int, expected: float) -> None:
    assert abs(normal_correlation(hundredths) - expected) < 1e-7


def test_correlations_that_no_distribution_has_are_refused() -> None:
    three = [column("a"), column("b"), column("c")]
    with pytest.raises(BadInput, match="correlations of c") as caught:
        mock_set(three, ("a", "b", 90), ("a", "c", 90), ("b", "c", -90))
    assert caught.value.code == "MOCK_INVALID"


def test_a_matrix_on_the_edge_is_drawn_and_beyond_it_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two features that are one: a third cannot go with one of them alone."""
    monkeypatch.setattr("saferoom.core.mock.normal_correlation", lambda hundredths: hundredths / 99)
    three = [column("a"), column("b"), column("c")]
    together = mock_set(three, ("a", "b", 99), ("a", "c", 33), ("b", "c", 33))
    matrix = draw(together, ("a", "b", "c"), 200, 0)
    assert matrix[:, 0].tobytes() == matrix[:, 1].tobytes() != matrix[:, 2].tobytes()
    with pytest.raises(BadInput, match="correlations of c"):
        mock_set(three, ("a", "b", 99), ("a", "c", 33))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-99, 99), min_size=10, max_size=10))
def test_what_has_negative_eigenvalues_is_refused_and_nothing_else(hundredths: list[int]) -> None:
    names = "abcde"
    pairs = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    matrix = np.eye(5)
    for (x, y), rank in zip(pairs, hundredths, strict=True):
        place = names.index(x), names.index(y)
        matrix[place] = matrix[place[::-1]] = normal_correlation(rank)
    least = np.linalg.eigvalsh(matrix)[0]
    declared = [(x, y, h) for (x, y), h in zip(pairs, hundredths, strict=True) if h]
    columns = [column(name) for name in names]
    if least < -1e-6:
        with pytest.raises(BadInput, match="MOCK_INVALID"):
            mock_set(columns, *declared)
    elif least > 1e-6:
        factor = mock_set(columns, *declared).factor
        lower = np.array([[factor[x].get(y, 0.0) for y in names] for x in names])
        assert np.abs(lower @ lower.T - matrix).max() < 1e-9


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "no name"},
        {"missing_permille": 1001},
        {"missing_with": ""},
        {"stops": ()},
        {"shares": shares((1000, "1"))},
        {"stops": stops((0, "0"), (999, "1"))},
        {"stops": stops((0, "0"))},
        {"stops": stops((0, "0"), (500, "1"), (500, "2"), (1000, "3"))},
        {"stops": stops((0, "2"), (1000, "1"))},
        {"stops": (), "shares": shares((999, "1"))},
        {"stops": (), "shares": shares((500, "2"), (500, "1"))},
        {"stops": (), "shares": shares((1000, "2")), "whole": True},
    ],
)
def test_a_column_that_says_too_little_or_too_much_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        column("sales", **changes)


@pytest.mark.parametrize("text", ["", "-0", "01", "1.0", "1.50", "1e3", "nan", "+1", ".5", "1."])
def test_a_number_has_one_text(text: str) -> None:
    with pytest.raises(BadInput):
        read_decimal(text)


@pytest.mark.parametrize("text", ["0", "-1", "0.5", "-12.25", "60000000"])
def test_a_decimal_is_read(text: str) -> None:
    assert read_decimal(text) == float(text)


@pytest.mark.parametrize("permille", [-1, 1001])
def test_points_are_of_a_thousand(permille: int) -> None:
    with pytest.raises(BadInput):
        Stop(permille=permille, value="1")
    with pytest.raises(BadInput):
        Share(permille=permille, value="1")


@pytest.mark.parametrize(
    "pair", [("b", "a", 1), ("a", "a", 1), ("a", "b", 0), ("a", "b", 100), ("a", "x", 1)]
)
def test_a_correlation_is_of_two_declared_features(pair: tuple[str, str, int]) -> None:
    with pytest.raises(BadInput):
        mock_set([column("a"), column("b")], pair)


def test_the_order_is_canonical() -> None:
    with pytest.raises(BadInput, match="columns"):
        mock_set([column("b"), column("a")])
    with pytest.raises(BadInput, match="correlations"):
        mock_set([column("a"), column("b"), column("c")], ("b", "c", 1), ("a", "b", 1))


def test_a_set_is_read_back_as_it_was_written() -> None:
    assert MockSet.from_body(SMALL.to_body()) == SMALL


@pytest.mark.parametrize(
    ("names", "rows", "seed", "code"),
    [
        (("sales",), 0, 0, "FIELD_INVALID"),
        (("sales",), mock_rows.MOST_ROWS + 1, 0, "FIELD_INVALID"),
        (("sales",), 1, -1, "FIELD_INVALID"),
        (("sales",), 1, 2**53, "FIELD_INVALID"),
        (("sales",), True, 0, "FIELD_INVALID"),
        ((), 1, 0, "FIELD_INVALID"),
        (("sales", "sales"), 1, 0, "FIELD_INVALID"),
        (("profit",), 1, 0, "MOCK_UNDECLARED"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    names: tuple[str, ...], rows: int, seed: int, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        draw(SMALL, names, rows, seed)
    assert caught.value.code == code


def test_a_set_is_kept_for_the_views_that_there_are() -> None:
    views = ViewSet(views=(view("grade", "ordinal"), view("sales")))
    kept = SMALL.of(views)
    assert [one.name for one in kept.columns] == ["grade", "sales"]
    assert [(one.first, one.second) for one in kept.correlations] == [("grade", "sales")]


@pytest.mark.parametrize(
    ("name", "feature_type", "code"),
    [
        ("profit", "continuous", "MOCK_UNDECLARED"),
        ("grade", "flag", "MOCK_INVALID"),
        ("sales", "flag", "MOCK_INVALID"),
        ("sales", "count", "MOCK_INVALID"),
    ],
)
def test_a_view_without_fitting_declaration_is_refused(
    name: str, feature_type: str, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        SMALL.of(ViewSet(views=(view(name, feature_type),)))
    assert caught.value.code == code


def test_types_fit_their_values() -> None:
    flag = column("now", stops=(), shares=shares((900, "0"), (100, "1")))
    assert flag.fits(view("now", "flag"))
    assert flag.fits(view("now", "count"))
    half = column("now", stops=(), shares=shares((900, "0"), (100, "0.5")))
    assert not half.fits(view("now", "count"))
    assert column("n", whole=True).fits(view("n", "count"))


@pytest.mark.parametrize("module", ["saferoom.core.mock_rows", "saferoom.sdk.mock"])
def test_no_way_leads_from_mock_data_to_facts(module: str) -> None:
    code = (
        "import importlib, json, sys\n"
        "importlib.import_module(sys.argv[1])\n"
        "print(json.dumps([m for m in sys.modules if m.startswith('saferoom.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, check=True)
    rooms = {name.split(".")[1] for name in json.loads(done.stdout)}
    assert rooms <= {"canonical", "core", "errors", "crypto", "tlog", "sdk"}
    assert "saferoom.core.facts" not in json.loads(done.stdout)
