"""Who lives in the synthetic economy, and what drives each firm without being seen?

Latent factors with fixed correlations, as a calibrated study found them: nobody in the
room ever sees one, only their traces in the tables. One random stream per (seed, stream
name, chunk), so one table can be drawn again without the others, and a million firms
never need more memory than one chunk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from saferoom.demo.economy.codes import enterprise_codes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MONTHS = 36
CHUNK = 10_000
INDUSTRY_SHARE = (0.28, 0.10, 0.26, 0.06, 0.06, 0.10, 0.08, 0.06)
INDUSTRY_RISK = np.array([0, 0.25, 0.05, 0.15, 0.45, -0.1, -0.25, 0.1])
KIND_SHARE = (0.78, 0.19, 0.03)  # enterprise, sole trader, cooperative


@dataclass(frozen=True)
class Plan:
    """Which economy: its seed, its size, and the day that it is looked at."""

    enterprises: int
    as_of: date
    seed: int = 20_240_601
    first: int = 0  # index of the first code, so that two economies need not share firms

    def chunks(self) -> Iterator[Chunk]:
        """Cut the economy into pieces that fit memory."""
        for number, start in enumerate(range(0, self.enterprises, CHUNK)):
            yield Chunk(self, number, start, min(CHUNK, self.enterprises - start))


@dataclass(frozen=True)
class Chunk:
    """A run of neighbouring firms."""

    plan: Plan
    number: int
    start: int
    size: int

    def stream(self, name: str) -> np.random.Generator:
        """Open this chunk's own random stream for one table or factor."""
        return np.random.default_rng([self.plan.seed, zlib.crc32(name.encode()), self.number])

    @cached_property
    def codes(self) -> NDArray[np.str_]:
        """Name the firms by unified social credit codes of the unassigned region 99."""
        first = self.plan.first + self.start
        return enterprise_codes(np.arange(first, first + self.size))


@dataclass(frozen=True)
class Latents:
    """What nobody sees: solvency, compliance, momentum, size, stress, and a shock."""

    solvency: Floats
    compliance: Floats
    momentum: Floats
    size: Floats
    stress: Floats  # of debt; its traces are at the banks only
    industry: Ints
    kind: Ints
    region: Ints
    age_years: Floats
    shock: Flags  # orders collapse within the last five months


def sigmoid(value: Floats) -> Floats:
    """Squash to a probability."""
    return np.asarray(1 / (1 + np.exp(-value)), dtype=np.float64)


def draw_latents(chunk: Chunk) -> Latents:
    """Draw the factors of one chunk."""
    rng, n = chunk.stream("latents"), chunk.size
    solvency = rng.normal(size=n)

    def correlated(rho: float) -> Floats:
        return rho * solvency + float(np.sqrt(1 - rho**2)) * rng.normal(size=n)

    compliance, stress, momentum, size = (correlated(rho) for rho in (0.35, -0.25, 0.30, 0.25))
    return Latents(
        solvency=solvency,
        compliance=compliance,
        momentum=momentum,
        size=size,
        stress=stress,
        industry=rng.choice(len(INDUSTRY_SHARE), n, p=INDUSTRY_SHARE),
        kind=rng.choice(len(KIND_SHARE), n, p=KIND_SHARE),
        region=rng.integers(0, 16, n),
        age_years=np.clip(rng.gamma(2.2, 3.2, n), 0.5, 35),
        shock=rng.random(n) < sigmoid(-3.2 - 0.9 * momentum - 0.5 * solvency),
    )
