"""Is a scorecard read strictly, and scored as it says?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import Json, canonical_bytes
from saferoom.errors import BadInput
from saferoom.scoring.evaluation import scorecard_scores
from saferoom.scoring.form import MOST_EDGES, Characteristic, Scorecard, scorecard_form
from saferoom.scoring.scorecard_reader import read_scorecard, write_scorecard
from tests.scoring import oracle

CARD = Scorecard(
    500.0,
    (
        Characteristic("age_m", (12.0, 60.0), (-20.0, 0.0, 15.5), -5.0),
        Characteristic("tax_grade", (), (0.25,), 0.0),
    ),
)


def row(**changes: Json) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "feature": "age_m",
        "edges": [(12.0).hex()],
        "points": [(1.0).hex(), (2.0).hex()],
        "missing": (0.0).hex(),
    }
    return fields | changes


def text(**changes: Json) -> str:
    fields: dict[str, Json] = {
        "kind": "saferoom/scorecard/1",
        "base": (1.0).hex(),
        "characteristics": [row()],
    }
    return canonical_bytes({key: v for key, v in (fields | changes).items() if v != "-"}).decode()


def test_what_is_written_is_read() -> None:
    assert read_scorecard(write_scorecard(CARD)) == CARD
    form = scorecard_form(CARD)
    assert (form.scorer, form.parts, form.leaves, form.depth) == ("scorecard", 2, 6, 1)
    assert CARD.features == ("age_m", "tax_grade")


def test_a_value_on_an_edge_is_in_the_upper_bin() -> None:
    matrix = np.array([[11.9, 1], [12.0, 1], [60.0, np.nan], [np.nan, 1], [-np.inf, np.inf]])
    assert scorecard_scores(CARD, matrix).tolist() == [480.25, 500.25, 515.5, 495.25, 480.25]


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_rows_are_scored_alone_and_as_the_form_says(rows: list[tuple[float, float]]) -> None:
    matrix = np.array(rows)
    assert scorecard_scores(CARD, matrix).tolist() == [oracle.score(CARD, each) for each in rows]


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{}",
        "[]",
        '{"kind": "saferoom/scorecard/1"}',
        text(kind="saferoom/scorecard/2"),
        text(extra=1),
        text(base="-"),
        text(base=1),
        text(base="1.0"),
        text(base="0x1p0"),
        text(base="inf"),
        text(base="nan"),
        text(base="0x1.0000000000000p+400"),
        text(base="0x1.0000000000000p+4000"),
        text(base="0" * 40),
        text(characteristics={}),
        text(characteristics=[]),
        text(characteristics=[1]),
        text(characteristics=[row(extra=1)]),
        text(characteristics=[row(), row()]),
        text(characteristics=[row(feature="")]),
        text(characteristics=[row(feature=7)]),
        text(characteristics=[row(edges=7)]),
        text(characteristics=[row(edges=[])]),
        text(characteristics=[row(edges=[12])]),
        text(characteristics=[row(points=[(1.0).hex()] * 3)]),
        text(characteristics=[row(points=[(1.0).hex(), (1e101).hex()])]),
        text(characteristics=[row(missing=(-1e101).hex())]),
        text(characteristics=[row(edges=[(2.0).hex()] * 2, points=[(1.0).hex()] * 3)]),
        text(
            characteristics=[
                row(
                    edges=[float(i).hex() for i in range(MOST_EDGES + 1)],
                    points=[(1.0).hex()] * (MOST_EDGES + 2),
                )
            ]
        ),
    ],
)
def test_anything_else_is_refused(broken: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_scorecard(broken)
    assert caught.value.code == "MODEL_MALFORMED"


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(BadInput):
        write_scorecard(Scorecard(math.nan, CARD.characteristics))
    with pytest.raises(BadInput):
        write_scorecard(Scorecard(0.0, (Characteristic("a", (math.inf,), (0.0, 1.0), 0.0),)))
