"""Who defaults within a year of the as-of day?

The logit mixes what banks see (stress), what only the public sources see (compliance,
momentum, the shock) and what nobody sees (noise). K scales how much of it can be
explained at all; the intercept is bisected over the whole economy to 3.5 % bad.
"""

from __future__ import annotations

import numpy as np

from saferoom.demo.economy.population import (
    INDUSTRY_RISK,
    Chunk,
    Flags,
    Floats,
    Latents,
    Plan,
    draw_latents,
    sigmoid,
)

K = 1.25
BAD_SHARE = 0.035


def risk(chunk: Chunk, latents: Latents) -> Floats:
    """Compute each firm's logit without the intercept."""
    explained = (
        -0.42 * latents.solvency
        - 0.46 * latents.momentum
        - 0.44 * latents.compliance
        + 0.52 * latents.stress
        - 0.10 * latents.size
        + 0.50 * latents.shock
        + 0.80 * INDUSTRY_RISK[latents.industry]
        - 0.18 * np.log(latents.age_years / 6)
    )
    return np.asarray(K * explained + 0.60 * chunk.stream("luck").normal(size=chunk.size))


def intercept(plan: Plan) -> float:
    """Bisect the intercept that makes 3.5 % of the economy bad."""
    logits = np.concatenate([risk(chunk, draw_latents(chunk)) for chunk in plan.chunks()])
    low, high = -9.0, 0.0
    for _ in range(50):
        middle = (low + high) / 2
        too_few = sigmoid(middle + logits).mean() < BAD_SHARE
        low, high = (middle, high) if too_few else (low, middle)
    return (low + high) / 2


def draw_bad(chunk: Chunk, latents: Latents, base: float) -> Flags:
    """Draw 90+ days past due within the twelve months after the as-of day."""
    chance = sigmoid(base + risk(chunk, latents))
    return np.asarray(chunk.stream("default").random(chunk.size) < chance)
