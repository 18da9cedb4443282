"""Did the firm pay and file in time, and what did the authorities note about it?

Lateness is drawn month by month, so a count over any window is binomial with the
study's rate. Compliance leaves its traces here and nowhere at the banks: this is why
joining helps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saferoom.demo.economy.population import MONTHS, Chunk, Flags, Floats, Ints, Latents, sigmoid

GRADES = ("D", "C", "M", "B", "A")
GRADE_CUTS = (-2.1, -1.25, -0.55, 0.95)
YEARS = 3  # of published tax grades


@dataclass(frozen=True)
class Conduct:
    """Panels of lateness, and the yearly tax grade."""

    tax_late: Flags  # (firms, 36 months)
    power_late: Flags
    social_unpaid: Flags
    tax_grade: Ints  # (firms, 3 years), an index into GRADES, the latest last


@dataclass(frozen=True)
class Incidents:
    """What happened at most a few times to a firm."""

    arrears: Floats  # yuan, 0 when none
    cases: Ints
    executed: Flags
    penalties: Ints
    abnormal: Flags
    holder_changes: Ints
    pledged: Flags
    patents: Ints
    procurements: Ints


def draw_conduct(chunk: Chunk, latents: Latents) -> Conduct:
    """Draw the panels of one chunk."""
    c, q, m = latents.compliance, latents.solvency, latents.momentum
    noise = chunk.stream("tax_grade").normal(size=(chunk.size, YEARS)) * 0.45
    standing = (0.75 * c + 0.25 * q)[:, None] + noise
    return Conduct(
        tax_late=_months(chunk, "tax_late", -3.3 - 1.0 * c - 0.2 * q),
        power_late=_months(chunk, "power_late", -3.2 - 0.9 * c - 0.35 * q),
        social_unpaid=_months(
            chunk, "social_unpaid", -3.6 - 0.85 * c - 0.55 * m + 0.5 * latents.shock
        ),
        tax_grade=np.digitize(standing, GRADE_CUTS).astype(np.int64),
    )


def draw_incidents(chunk: Chunk, latents: Latents) -> Incidents:
    """Draw the rare things of one chunk."""
    c, q, m, s, stress = (
        latents.compliance,
        latents.solvency,
        latents.momentum,
        latents.size,
        latents.stress,
    )
    rng, n = chunk.stream("incidents"), chunk.size

    def happens(logit: Floats) -> Flags:
        return np.asarray(rng.random(n) < sigmoid(logit))

    def count(log_rate: Floats) -> Ints:
        return rng.poisson(np.exp(log_rate)).astype(np.int64)

    owed = happens(-4.0 - 0.9 * c - 0.8 * q)
    return Incidents(
        arrears=np.where(owed, np.round(np.exp(rng.normal(10.5, 1.3, n)), 2), 0.0),
        cases=count(-1.9 - 0.45 * q - 0.35 * c + 0.35 * s + 0.25 * stress),
        executed=happens(-4.1 - 0.95 * q - 0.4 * c + 0.5 * stress),
        penalties=count(-2.2 - 0.55 * c + 0.2 * s),
        abnormal=happens(-3.9 - 0.9 * c - 0.5 * m),
        holder_changes=count(-1.6 - 0.35 * q),
        pledged=happens(-3.2 + 0.6 * stress),
        patents=count(-1.8 + 0.4 * s + 0.35 * q),
        procurements=count(-1.7 + 0.4 * s + 0.3 * m),
    )


def _months(chunk: Chunk, name: str, logit: Floats) -> Flags:
    chance = sigmoid(logit)[:, None]
    return np.asarray(chunk.stream(name).random((chunk.size, MONTHS)) < chance)
