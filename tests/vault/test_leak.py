"""What would a model gain from rows that were written down after the as-of day?

The synthetic economy plants them: arrears that firms incurred before the day and that the
tax bureau wrote down only when they had turned bad. A broken twin of the as-of rule lets
them in, to say what they would buy; the room's own rule never shows them, and no
declaration can ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pytest

from saferoom.canonical import Json
from saferoom.demo.economy import dirt, tables
from saferoom.demo.economy.default import draw_bad, intercept
from saferoom.demo.economy.features import Features, Sample, draw_sample
from saferoom.demo.economy.population import Flags, Floats, Plan
from saferoom.demo.modelling import fit_scorecard, matrix
from saferoom.errors import BadInput
from saferoom.scoring.evaluation import scorecard_scores
from saferoom.scoring.scorecard_reader import read_scorecard
from saferoom.vault.grammar import read_formula
from saferoom.vault.materialising import Query, assemble, open_engine, plan, run
from saferoom.vault.parts import schema_of
from tests.vault.drawn import DECLARED

T0 = date(2026, 9, 30)
PLAN = Plan(20_000, T0)
TRAINING = 12_000  # the others are only looked at
QUERY = plan(DECLARED)["tax_arrears"]
PLACE = DECLARED.views.names().index("arrears_now")


@dataclass(frozen=True)
class Planted:
    """The economy's arrears, and the firms in their order."""

    facts: pa.Table
    codes: list[str]


@pytest.fixture(scope="module")
def planted() -> Planted:
    base, parts, codes = intercept(PLAN), [], []
    for chunk in PLAN.chunks():
        world = tables.draw_world(chunk)
        bad = draw_bad(chunk, world.latents, base)
        written = dirt.stacked(
            tables.tax_arrears(world), dirt.repair(world), dirt.arrive_late(world, bad)
        )
        parts.append(pa.table(written))
        codes += chunk.codes.tolist()
    return Planted(as_facts(pa.concat_tables(parts)), codes)


def as_facts(written: pa.Table) -> pa.Table:
    """Type the source's texts as intake would."""
    known = [datetime.fromisoformat(one).timestamp() for one in written["known_at"].to_pylist()]
    rows = written.num_rows
    columns = {
        "uscc": written["uscc"],
        "record_id": written["record_id"],
        "event_date": days(written["event_date"]),
        "known_at": pa.array(np.array(known, np.int64)),
        "status": written["status"],
        "tax_kind": written["kind"],
        "amount": written["amount"],
        "cleared": days(written["cleared"]),
        "batch": pa.array(np.ones(rows, np.int32)),
        "row": pa.array(np.arange(rows, dtype=np.int32)),
        "source": pa.repeat(pa.scalar("tax"), rows),
    }
    return pa.table(columns).select(schema_of(QUERY.table).names)


def days(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.strptime(texts, format="%Y-%m-%d", unit="s").cast(pa.date32())


def without_late(facts: pa.Table) -> pa.Table:
    return facts.filter(pc.invert(pc.starts_with(facts["record_id"], "AL")))


def arrears(planted: Planted, facts: pa.Table, query: Query = QUERY) -> Floats:
    """Compute the feature for every firm of the economy."""
    with open_engine() as engine:
        found = run(engine, query, facts, T0)
    rows = assemble({"tax_arrears": found}, {"tax_arrears": query}, ONE, T0, {"tax_arrears"})
    by_code = dict(zip(rows.codes, rows.matrix[:, 0].tolist(), strict=True))
    return np.array([by_code.get(code, 0.0) for code in planted.codes])


ONE = replace(
    DECLARED, views=replace(DECLARED.views, views=(DECLARED.views.views[PLACE],))
)  # the feature alone


def broken() -> Query:
    """Forget when things became known: what an honest-looking query would do."""
    text = QUERY.text.replace("known_at <= $known", "$known > 0")
    assert text != QUERY.text
    return replace(QUERY, text=text)


def separation(scores: Floats, bad: Flags) -> float:
    """Compute KS: the largest gap between the two distributions."""
    cuts = np.unique(scores)
    below = [
        np.searchsorted(np.sort(side), cuts, side="right") / len(side)
        for side in (scores[bad], scores[~bad])
    ]
    return float(np.abs(below[0] - below[1]).max())


def bought(sample: Sample, feature: Floats) -> float:
    """Fit a scorecard with this arrears column and say its KS on firms it never saw."""
    room: Features = {**sample.room, "arrears_now": feature}
    first = {name: values[:TRAINING] for name, values in room.items()}
    rest = {name: values[TRAINING:] for name, values in room.items()}
    seen = replace(sample, room=first, bad=sample.bad[:TRAINING])
    unseen = replace(sample, room=rest, bad=sample.bad[TRAINING:])
    model = fit_scorecard(seen)
    scores = scorecard_scores(read_scorecard(model.text), matrix(unseen, model.features))
    return separation(scores, unseen.bad)


def test_the_economy_plants_rows_that_were_written_down_too_late(planted: Planted) -> None:
    late = planted.facts.num_rows - without_late(planted.facts).num_rows
    assert late > 100


def test_features_as_of_the_day_do_not_see_them(planted: Planted) -> None:
    with_them = arrears(planted, planted.facts)
    assert with_them.tobytes() == arrears(planted, without_late(planted.facts)).tobytes()


def test_what_they_would_buy(planted: Planted) -> None:
    sample = draw_sample(PLAN)
    honest = bought(sample, arrears(planted, planted.facts))
    leaking = bought(sample, arrears(planted, planted.facts, broken()))
    print(f"KS without the late rows {honest:.3f}, with them {leaking:.3f}")
    assert honest == pytest.approx(0.39, abs=0.03)
    assert leaking == pytest.approx(0.67, abs=0.03)


@pytest.mark.parametrize(
    "formula",
    [
        {"op": "count", "as_of": "2026-12-31"},
        {"op": "count", "known": "later"},
        {"op": "count", "months": [0, 12]},
        {"op": "count", "months": [-3, 12]},
        {"op": "count", "within": -1},
        {"op": "count", "year": 0},
        {"op": "count", "before_last": -1},
        {"op": "max", "column": "known_at"},
        {"op": "last", "column": "batch"},
        {"op": "count", "where": [{"column": "known_at", "test": "is_empty"}]},
        {"op": "count", "where": [{"column": "known_at", "test": "above", "value": 0}]},
        {"op": "count", "where": [{"column": "event_date", "test": "after"}]},
        {"op": "count", "where": [{"column": "status", "test": "equals", "value": "repaired"}]},
        {"op": "count", "where": [{"column": "uscc", "test": "equals", "value": "X"}]},
        {"op": "count", "where": [{"column": "cleared", "test": "after", "than": "known_at"}]},
        {"op": "count", "where": [{"column": "cleared", "test": "after", "than": "event_date"}]},
    ],
)
def test_no_declaration_can_ask_for_them(formula: Json) -> None:
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_formula(formula, DECLARED.tables, "tax_arrears")


def test_the_rule_stands_in_every_query() -> None:
    for query in plan(DECLARED).values():
        assert "FROM facts WHERE known_at <= $known" in query.text
        assert query.text.count("FROM facts") == 1
        assert "event_date < $as_of" in query.text
