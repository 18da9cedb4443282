"""What would a modeller compute from all this?

`room_features` are nine of the room's views (`policies/features/*.toml`), of the three
sources that the demo connects, over the published, undisputed part of the economy and under
the catalogue's names: the synthetic sample that a bank trains on before it meets a real row.
`public_features` adds the sources that connect later (social insurance, courts, penalties
…): the whole public side of the calibration study. `bank_features` is the bank's own side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saferoom.demo.economy.bank import draw_bank_view
from saferoom.demo.economy.default import draw_bad, intercept
from saferoom.demo.economy.population import INDUSTRY_RISK, Flags, Floats, Plan
from saferoom.demo.economy.publication import known_by
from saferoom.demo.economy.tables import World, draw_world

Features = dict[str, Floats]
ROOM_FEATURES = (
    "arrears_now",
    "kwh_3m_yoy",
    "late_file_n12",
    "reg_age_m",
    "reg_cap_ln",
    "sales_12",
    "sales_yoy",
    "tax_grade",
    "zero_m12",
)


@dataclass(frozen=True)
class Sample:
    """Three sides of the same firms, and who turned bad."""

    room: Features
    public: Features
    bank: Features
    bad: Flags


def draw_sample(plan: Plan) -> Sample:
    """Draw a whole economy's features and labels."""
    base = intercept(plan)
    rooms: list[Features] = []
    publics: list[Features] = []
    banks: list[Features] = []
    bad: list[Flags] = []
    for chunk in plan.chunks():
        world = draw_world(chunk)
        rooms.append(room_features(world))
        publics.append(public_features(world))
        banks.append(bank_features(world))
        bad.append(draw_bad(chunk, world.latents, base))
    return Sample(_stack(rooms), _stack(publics), _stack(banks), np.concatenate(bad))


def room_features(world: World) -> Features:
    """Compute the room's views; what was not known by the as-of day is missing."""
    seen, chunk = world.publication, world.chunk
    tax_seen = seen.tax_covered[:, None] & known_by(seen.tax_known, chunk)
    sales = np.where(tax_seen, world.activity.sales, np.nan)
    late = np.where(tax_seen, world.conduct.tax_late, np.nan)
    kwh_seen = seen.power_covered[:, None] & known_by(seen.power_known, chunk)
    kwh = np.where(kwh_seen, world.activity.kwh, np.nan)
    grade = world.conduct.tax_grade[:, -1] + 1.0
    capital = world.registered_capital
    return {
        "arrears_now": world.incidents.arrears,
        "kwh_3m_yoy": _total(kwh, 1, 3) / _total(kwh, 13, 15) - 1,
        "late_file_n12": _total(late, 1, 12),
        "reg_age_m": np.floor(world.latents.age_years * 12),
        "reg_cap_ln": np.log1p(capital),
        "sales_12": _total(sales, 1, 12),
        "sales_yoy": np.clip(_ratio(_total(sales, 1, 12), _total(sales, 13, 24)) - 1, -1, 5),
        "tax_grade": np.where(seen.tax_covered, grade, np.nan),
        "zero_m12": _total(np.where(tax_seen, sales == 0, np.nan), 1, 12),
    }


def public_features(world: World) -> Features:
    """Compute the study's whole public side, as if every source were connected and complete."""
    sales, kwh, head = world.activity.sales, world.activity.kwh, world.activity.head
    recent = sales[:, -12:]
    incidents, conduct = world.incidents, world.conduct
    features: dict[str, Floats | Flags] = {
        "sales_12_ln": np.log1p(_total(sales, 1, 12)),
        "sales_half_yoy": np.clip(_total(sales, 1, 6) / _floor(_total(sales, 13, 18)), 0, 5),
        "sales_qoq": np.clip(_total(sales, 1, 3) / _floor(_total(sales, 4, 6)), 0, 50),
        "zero_m12": (recent == 0).sum(axis=1).astype(np.float64),
        "sales_cv_12": recent.std(axis=1) / _floor(recent.mean(axis=1)),
        "kwh_3m_yoy": np.clip(_total(kwh, 1, 3) / _total(kwh, 13, 15), 0, 4),
        "kwh_qoq": np.clip(_total(kwh, 1, 3) / _total(kwh, 4, 6), 0, 4),
        "si_head": head[:, -1].astype(np.float64),
        "si_head_yoy": np.clip(head[:, -1] / np.maximum(head[:, -13], 1), 0, 4),
        "si_unpaid_m12": conduct.social_unpaid[:, -12:].sum(axis=1).astype(np.float64),
        "power_late_n12": conduct.power_late[:, -12:].sum(axis=1).astype(np.float64),
        "late_file_n12": conduct.tax_late[:, -12:].sum(axis=1).astype(np.float64),
        "arrears_ln": np.log1p(incidents.arrears),
        "tax_grade": conduct.tax_grade[:, -1].astype(np.float64),
        "cases": incidents.cases.astype(np.float64),
        "executed": incidents.executed,
        "penalties": incidents.penalties.astype(np.float64),
        "abnormal": incidents.abnormal,
        "holder_changes": incidents.holder_changes.astype(np.float64),
        "pledged": incidents.pledged,
        "patents": incidents.patents.astype(np.float64),
        "procurements": incidents.procurements.astype(np.float64),
    }
    return {name: np.asarray(v, dtype=np.float64) for name, v in features.items()} | _common(world)


def bank_features(world: World) -> Features:
    """Compute the bank's side: its own columns and what anybody can look up."""
    return draw_bank_view(world.chunk, world.latents).columns() | _common(world)


def _common(world: World) -> Features:
    """Age and industry: public, so both sides have them."""
    kinds = range(len(INDUSTRY_RISK))
    industry = {f"industry_{k}": (world.latents.industry == k).astype(np.float64) for k in kinds}
    return {"age_years": world.latents.age_years} | industry


def _total(panel: Floats, newest: int, oldest: int) -> Floats:
    """Sum months newest … oldest counted back from the as-of day; all missing stays missing."""
    window = panel[:, panel.shape[1] - oldest : panel.shape[1] - newest + 1]
    missing = np.isnan(window).all(axis=1)
    return np.where(missing, np.nan, np.nansum(window, axis=1))


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def _floor(values: Floats) -> Floats:
    return np.maximum(values, 1)


def _stack(parts: list[Features]) -> Features:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
