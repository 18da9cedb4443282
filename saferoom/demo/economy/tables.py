"""Which rows would each source hand over?

One function per table of the fact catalogue (`policies/facts.toml`); the columns are the
catalogue's, the first seven are common to all. Dirt is added afterwards, in `dirt.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from saferoom.demo.economy.activity import Activity, draw_activity
from saferoom.demo.economy.calendar import day_number, last_days
from saferoom.demo.economy.columns import (
    Columns,
    amount,
    blank_where,
    choose,
    constant,
    day_text,
    identity,
    joined,
    month_text,
)
from saferoom.demo.economy.conduct import (
    GRADES,
    YEARS,
    Conduct,
    Incidents,
    draw_conduct,
    draw_incidents,
)
from saferoom.demo.economy.population import Chunk, Flags, Floats, Ints, Latents, draw_latents
from saferoom.demo.economy.publication import Publication, draw_publication

REGISTRY, TAX, POWER = "source-registry", "source-tax", "source-power"
KINDS = ("企业", "个体工商户", "农民专业合作社")
INDUSTRIES = ("C34", "C14", "F51", "I65", "E48", "G54", "M73", "A01")
TRADES = ("机械", "食品", "商贸", "软件", "建筑", "物流", "科技", "农业")
FIRST_NAMES = ("安平", "长丰", "德润", "恒信", "嘉禾", "金川", "明远", "瑞泰", "盛源", "永昌")
SECOND_NAMES = ("东", "南", "西", "北", "中", "新", "华", "利", "达", "通", "兴", "和")
CUT_OFF_DAYS = 45
YUAN_PER_KWH = 0.68


@dataclass(frozen=True)
class World:
    """All that happened in one chunk."""

    chunk: Chunk
    latents: Latents
    activity: Activity
    conduct: Conduct
    incidents: Incidents
    publication: Publication
    registered_capital: Floats  # yuan


def draw_world(chunk: Chunk) -> World:
    """Draw one chunk's world."""
    latents = draw_latents(chunk)
    conduct = draw_conduct(chunk, latents)
    return World(
        chunk=chunk,
        latents=latents,
        activity=draw_activity(chunk, latents),
        conduct=conduct,
        incidents=draw_incidents(chunk, latents),
        publication=draw_publication(chunk, latents, conduct),
        registered_capital=_registered_capital(chunk, latents),
    )


def reg_base(world: World) -> Columns:
    """Write the registry: everyone, some renamed since."""
    chunk, rng, n = world.chunk, world.chunk.stream("reg_base"), world.chunk.size
    today = day_number(chunk.plan.as_of)
    founded = today - np.round(world.latents.age_years * 365.25).astype(np.int64)
    renamed = np.flatnonzero(rng.random(n) < 0.02)
    firm = np.concatenate([np.arange(n), renamed])
    again = np.arange(len(firm)) >= n
    changed = today - rng.integers(30, 700, len(firm))
    event = np.where(again, np.maximum(changed, founded[firm] + 30), founded[firm])
    capital = world.registered_capital
    paid = np.round(capital * rng.beta(2.5, 1.2, n), -3)
    return identity(
        codes=_codes(chunk, firm),
        source=REGISTRY,
        record=joined("R", pa.array(chunk.start + firm)),
        event=event,
        known=event + 1,
    ) | {
        "name": _names(world, firm, again),
        "type": choose(KINDS, world.latents.kind[firm]),
        "est_date": day_text(founded[firm]),
        "reg_cap": amount(capital[firm]),
        "paid_cap": amount(paid[firm]),
        "industry": choose(INDUSTRIES, world.latents.industry[firm]),
        "region6": choose([f"99{code:02d}00" for code in range(1, 17)], world.latents.region[firm]),
        "state": constant("存续", len(firm)),
        "legal_rep_id": joined("P", pa.array(chunk.start + firm)),
    }


def tax_month(world: World) -> Columns:
    """Write monthly declarations of the covered firms."""
    seen = world.publication
    firm, month = _cells(seen.tax_covered, seen.months)
    sales = world.activity.sales[firm, month]
    margin = np.clip(world.chunk.stream("margin").normal(0.05, 0.03, len(firm)), 0, 0.3)
    filed = seen.tax_filed[firm, month]
    return identity(
        codes=_codes(world.chunk, firm),
        source=TAX,
        record=_monthly_record("T", world, firm, month),
        event=last_days(seen.months)[month],
        known=seen.tax_known[firm, month],
    ) | {
        "period": month_text(seen.months[month]),
        "sales": amount(sales),
        "vat": amount(sales * 0.03),
        "cit": amount(sales * margin * 0.05),
        "due": day_text(seen.due[month]),
        "filed_at": day_text(filed),
        "paid_at": day_text(filed + 1),
    }


def tax_year(world: World) -> Columns:
    """Write the yearly tax grades, published each April for the year before."""
    seen, as_of = world.publication, world.chunk.plan.as_of
    last = as_of.year - (1 if (as_of.month, as_of.day) >= (4, 30) else 2)
    years = np.arange(last - YEARS + 1, last + 1)
    firm, year = _cells(seen.tax_covered, years)
    ends = last_days(years * 12 + 11)
    return identity(
        codes=_codes(world.chunk, firm),
        source=TAX,
        record=joined("G", pa.array(world.chunk.start + firm), "-", pa.array(years[year])),
        event=ends[year],
        known=ends[year] + 119,
    ) | {
        "year": pa.array(years[year]),
        "grade": choose(GRADES, world.conduct.tax_grade[firm, year]),
    }


def tax_arrears(world: World) -> Columns:
    """Write announced arrears; those cleared since have a second, later version."""
    chunk, rng = world.chunk, world.chunk.stream("tax_arrears")
    owing = np.flatnonzero(world.incidents.arrears)
    today = day_number(chunk.plan.as_of)
    began = today - rng.integers(40, 720, len(owing))
    told = began + rng.integers(10, 26, len(owing))
    ended = told + rng.integers(30, 400, len(owing))
    over = np.flatnonzero((rng.random(len(owing)) < 0.35) & (ended + 5 <= today))
    row = np.concatenate([np.arange(len(owing)), over])
    again = np.arange(len(row)) >= len(owing)
    firm = owing[row]
    return identity(
        codes=_codes(chunk, firm),
        source=TAX,
        record=joined("A", pa.array(chunk.start + firm)),
        event=began[row],
        known=np.where(again, ended[row] + 5, told[row]),
    ) | {
        "kind": constant("增值税", len(firm)),
        "amount": amount(world.incidents.arrears[firm]),
        "cleared": blank_where(day_text(ended[row]), ~again),
    }


def util_month(world: World) -> Columns:
    """Write monthly power bills of the covered firms."""
    seen = world.publication
    firm, month = _cells(seen.power_covered, seen.months)
    kwh, paid = world.activity.kwh[firm, month], seen.power_paid[firm, month]
    known = seen.power_known[firm, month]
    cut = paid - seen.due[month] > CUT_OFF_DAYS
    return identity(
        codes=_codes(world.chunk, firm),
        source=POWER,
        record=_monthly_record("U", world, firm, month),
        event=last_days(seen.months)[month],
        known=known,
    ) | {
        "period": month_text(seen.months[month]),
        "kind": constant("power", len(firm)),
        "usage": amount(kwh),
        "bill": amount(kwh * YUAN_PER_KWH),
        "due": day_text(seen.due[month]),
        "paid_at": blank_where(day_text(paid), paid > known),
        "cutoff": choose(("false", "true"), cut.astype(np.int64)),
    }


def _codes(chunk: Chunk, firm: Ints) -> pa.Array:
    return choose(chunk.codes, firm)


def _registered_capital(chunk: Chunk, latents: Latents) -> Floats:
    noise = chunk.stream("capital").normal(size=chunk.size)
    return np.maximum(np.round(np.exp(13.2 + 1.1 * latents.size + 0.7 * noise), -3), 1000)


def _cells(covered: Flags, periods: Ints) -> tuple[Ints, Ints]:
    """Pair every covered firm with every period, period by period as sources publish."""
    firms = np.flatnonzero(covered)
    return np.tile(firms, len(periods)), np.repeat(np.arange(len(periods)), len(firms))


def _monthly_record(letter: str, world: World, firm: Ints, month: Ints) -> pa.Array:
    period = world.publication.months[month]
    return joined(letter, pa.array(world.chunk.start + firm), "-", month_text(period))


def _names(world: World, firm: Ints, again: Flags) -> pa.Array:
    """Name firms so that a newer name differs from the old one."""
    number = (world.chunk.start + firm) * 7 + again * 3
    return joined(
        "九九",
        choose(FIRST_NAMES, number % len(FIRST_NAMES)),
        choose(SECOND_NAMES, (number // 10) % len(SECOND_NAMES)),
        choose(TRADES, world.latents.industry[firm]),
        choose(("有限公司", "经营部", "合作社"), world.latents.kind[firm]),
    )
