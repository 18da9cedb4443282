"""What does a bank know by itself, and to whom did it lend?

Three overlapping loan books, each selected by the bank's own score with its own
appetite. One month of each was a campaign that let riskier firms in: the vintage drift
that a stability index must see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saferoom.demo.economy.population import Chunk, Flags, Floats, Ints, Latents, sigmoid

BANKS = ("bank-a", "bank-b", "bank-c")
REACH = {"bank-a": 0.55, "bank-b": 0.45, "bank-c": 0.30}  # share of firms that apply
APPETITE = {"bank-a": 0.75, "bank-b": 0.65, "bank-c": 0.85}  # share of applicants accepted
VINTAGES = 24
CAMPAIGN = 17


@dataclass(frozen=True)
class BankView:
    """The bank's own columns; the room never holds them in this lane."""

    util: Floats
    lenders: Ints
    dpd_24: Ints
    balance: Floats
    inflow: Floats
    inquiries: Ints
    debt_ratio: Floats
    guarantee: Flags

    def columns(self) -> dict[str, Floats]:
        """Name the columns as a modeller would, amounts in logarithms."""
        return {
            "util": self.util,
            "lenders": self.lenders.astype(np.float64),
            "dpd_n24": self.dpd_24.astype(np.float64),
            "avg_bal_6_ln": np.log(self.balance),
            "inflow_12_ln": np.log(self.inflow),
            "inq_6": self.inquiries.astype(np.float64),
            "debt_ratio_ln": np.log(self.debt_ratio),
            "guarantee_out": self.guarantee.astype(np.float64),
        }


def draw_bank_view(chunk: Chunk, latents: Latents) -> BankView:
    """Draw what any bank would see of each firm."""
    q, s, stress, m = latents.solvency, latents.size, latents.stress, latents.momentum
    rng, n = chunk.stream("bank"), chunk.size
    return BankView(
        util=sigmoid(0.2 + 0.8 * stress - 0.2 * q + 0.9 * rng.normal(size=n)),
        lenders=rng.poisson(np.exp(0.55 + 0.38 * stress)),
        dpd_24=rng.binomial(24, sigmoid(-5.0 - 0.5 * q + 0.55 * stress)),
        balance=np.exp(10.2 + 0.8 * s + 0.45 * q - 0.45 * stress + 0.8 * rng.normal(size=n)),
        inflow=np.exp(12.2 + 1.1 * s + 0.15 * m + 0.6 * rng.normal(size=n)),
        inquiries=rng.poisson(np.exp(0.5 + 0.45 * stress - 0.1 * m)),
        debt_ratio=np.exp(-1.1 + 0.45 * stress + 0.6 * rng.normal(size=n)),
        guarantee=np.asarray(rng.random(n) < sigmoid(-1.5 + 0.3 * stress)),
    )


@dataclass(frozen=True)
class Book:
    """Which firms of a chunk have a loan, and from which month."""

    lent: Flags
    vintage: Ints  # 0 … 23; meaningless where nothing was lent


def draw_book(chunk: Chunk, view: BankView, bank: str) -> Book:
    """Select borrowers by the bank's own score; the campaign month took the riskiest."""
    rng = chunk.stream(f"book_{bank}")
    own_score = (
        3 * view.util + 0.25 * view.inquiries + 0.8 * view.dpd_24 + rng.normal(size=chunk.size)
    )
    campaign = rng.random(chunk.size) < 0.08
    usual = rng.integers(0, VINTAGES - 1, chunk.size)
    vintage = np.where(campaign, CAMPAIGN, usual + (usual >= CAMPAIGN))
    cut = np.quantile(own_score, APPETITE[bank])
    riskiest = own_score > np.quantile(own_score, 0.6)
    accepted = np.where(campaign, riskiest, own_score <= cut)
    return Book(lent=accepted & (rng.random(chunk.size) < REACH[bank]), vintage=vintage)
