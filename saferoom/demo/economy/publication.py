"""What does the room get to know of all this, and when?

Sources do not cover everyone, and whom they miss is no accident: sole traders have no
power contract of their own, small and careless firms are missing from the tax data.
What is filed late is known late, so the as-of rule bites by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saferoom.demo.economy.activity import last_panel_month
from saferoom.demo.economy.calendar import day_number, first_days, last_days
from saferoom.demo.economy.conduct import Conduct
from saferoom.demo.economy.population import MONTHS, Chunk, Flags, Ints, Latents, sigmoid

SOLE_TRADER = 1
DUE_DAY = 15  # of the following month, for taxes and for power


@dataclass(frozen=True)
class Publication:
    """Days of filing and of becoming known, and which source covers whom."""

    months: Ints  # (36,)
    due: Ints  # (36,) days
    tax_covered: Flags  # (firms,)
    power_covered: Flags
    tax_filed: Ints  # (firms, 36) days
    tax_known: Ints
    power_paid: Ints
    power_known: Ints


def draw_publication(chunk: Chunk, latents: Latents, conduct: Conduct) -> Publication:
    """Draw coverage and lags of one chunk."""
    months = last_panel_month(chunk) - MONTHS + 1 + np.arange(MONTHS)
    due = first_days(months + 1) + DUE_DAY - 1
    tax_filed = due[None] + _delay(chunk, "tax_filed", conduct.tax_late)
    power_paid = due[None] + _delay(chunk, "power_paid", conduct.power_late)
    return Publication(
        months=months,
        due=due,
        tax_covered=_covered(chunk, latents, "tax", 3.0, -1.2),
        power_covered=_covered(chunk, latents, "power", 1.6, -2.2),
        tax_filed=tax_filed,
        tax_known=tax_filed + _lag(chunk, "tax_lag", 2, 9),
        power_paid=power_paid,
        power_known=last_days(months)[None] + _lag(chunk, "power_lag", 15, 28),
    )


def known_by(days: Ints, chunk: Chunk) -> Flags:
    """Say which days lie at or before the as-of day."""
    return np.asarray(days <= day_number(chunk.plan.as_of))


def _covered(
    chunk: Chunk, latents: Latents, source: str, usual: float, sole_trader: float
) -> Flags:
    rng = chunk.stream(f"coverage_{source}")
    logit = usual + sole_trader * (latents.kind == SOLE_TRADER)
    logit = logit + 0.4 * latents.size + 0.3 * latents.compliance
    return np.asarray(rng.random(chunk.size) < sigmoid(logit))


def _delay(chunk: Chunk, name: str, late: Flags) -> Ints:
    rng = chunk.stream(name)
    early = -rng.integers(0, 11, late.shape)
    return np.where(late, rng.integers(3, 60, late.shape), early)


def _lag(chunk: Chunk, name: str, shortest: int, longest: int) -> Ints:
    return chunk.stream(name).integers(shortest, longest, (chunk.size, MONTHS))
