"""How much business did each firm do, month by month, and which meters saw it?

One activity path per firm drives every meter, so sales, power and headcount agree up to
their own noise: that agreement is what lets a second source add to the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saferoom.demo.economy.population import MONTHS, Chunk, Floats, Ints, Latents, sigmoid

SPRING_FESTIVAL, JANUARY, OTHERWISE = -0.55, -0.12, 0.04


@dataclass(frozen=True)
class Activity:
    """Panels of (firms, 36 months); the last column is the month before the as-of month."""

    sales: Floats  # yuan declared to the tax office
    kwh: Floats
    head: Ints


def season(last_month: int) -> Floats:
    """Give each of the 36 months its season; months count from January of year 0."""
    months = (last_month - MONTHS + 1 + np.arange(MONTHS)) % 12
    return np.where(months == 1, SPRING_FESTIVAL, np.where(months == 0, JANUARY, OTHERWISE))


def last_panel_month(chunk: Chunk) -> int:
    """Count the months up to the last one that can be published by the as-of day."""
    day = chunk.plan.as_of
    return day.year * 12 + day.month - 2


def draw_activity(chunk: Chunk, latents: Latents) -> Activity:
    """Draw the panels of one chunk."""
    rng, n = chunk.stream("activity"), chunk.size
    ramp = np.clip(np.arange(MONTHS) - (MONTHS - 13), 0, 12) / 12
    trend = 0.22 * latents.momentum[:, None] * ramp[None]
    path = (12.6 + 1.25 * latents.size)[:, None] + trend + season(last_panel_month(chunk))[None]
    path += _persistent_noise(rng, n)
    path[:, -5:] -= latents.shock[:, None] * rng.uniform(0.5, 1.6, (n, 1))
    return Activity(
        sales=_sales(chunk, latents, path),
        kwh=_kwh(chunk, path),
        head=_head(chunk, latents, trend),
    )


def _persistent_noise(rng: np.random.Generator, n: int) -> Floats:
    """AR(1) with coefficient 0.7."""
    noise = rng.normal(size=(n, MONTHS)) * 0.16
    for month in range(1, MONTHS):
        noise[:, month] += 0.7 * noise[:, month - 1]
    return noise


def _sales(chunk: Chunk, latents: Latents, path: Floats) -> Floats:
    rng = chunk.stream("sales")
    sales = np.exp(path + rng.normal(size=path.shape) * 0.12)
    nothing = sigmoid(-4.2 - 0.7 * latents.momentum - 0.5 * latents.compliance)
    sales[rng.random(path.shape) < nothing[:, None]] = 0
    return np.asarray(np.round(sales, 2), dtype=np.float64)


def _kwh(chunk: Chunk, path: Floats) -> Floats:
    rng = chunk.stream("kwh")
    intensity = rng.normal(size=(chunk.size, 1)) * 0.5
    return np.rint(np.exp(path * 0.55 + 3.2 + intensity + rng.normal(size=path.shape) * 0.10))


def _head(chunk: Chunk, latents: Latents, trend: Floats) -> Ints:
    rng = chunk.stream("head")
    start = np.exp(1.6 + 0.62 * latents.size + 0.25 * rng.normal(size=chunk.size))
    recent = np.arange(MONTHS) >= MONTHS - 5
    lagging = 0.55 * trend - 0.25 * latents.shock[:, None] * recent[None]
    return np.maximum(0, np.round(start[:, None] * np.exp(lagging))).astype(np.int64)
