"""Which secrets are planted, and where would each of them lie if it leaked?

Fifty enterprises whose every filed amount is a random number of fifteen digits; what the
vault makes of them is a sum that no file holds. A bank's scorecard and its thresholds are
random numbers of full precision. A grade's name is in the manifest for all to read, so the
secret is whose it is: the answer that the vault seals, and all grades side by side.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np

from saferoom.canonical import canonical_bytes
from saferoom.scoring.evaluation import grade_indices, scorecard_scores
from saferoom.scoring.form import Characteristic, Direction, Scorecard
from saferoom.scoring.scorecard_reader import write_scorecard
from tests.proofs.canaries import Needle, number_needles

KINDS = ("raw", "feature", "weight", "grade")
ALL = -1  # the number of a needle that is all canaries of its kind, of one request, at once
FEATURE = "sales_12"
GRADES = tuple("ABCDEFGHIJKLMN")
TOGETHER = 50  # that one request asks for: so many grades lie side by side
MONTHS = 24
COPIES = (0, 17, 34)  # an amount is filed as sales, as two others' VAT and income tax: three
# rows of three buckets, so that one moment of a bucket may be missed
HEADINGS = (
    "uscc,src_org,record_id,event_date,known_at,batch_id,status,"
    "period,sales,vat,cit,due,filed_at,paid_at"
)


@dataclass(frozen=True)
class Planted:
    """All canaries of one room, from one seed."""

    codes: tuple[str, ...]
    as_of: date
    seed: int

    @cached_property
    def sales(self) -> dict[str, list[int]]:
        """Draw each enterprise's sales, newest month first; a sum of twelve is exact."""
        rng = random.Random(self.seed)
        return {
            code: [rng.randrange(10**14, 7 * 10**14) for _ in range(MONTHS)] for code in self.codes
        }

    @property
    def raw(self) -> list[float]:
        """Return one filed amount of each enterprise."""
        return [float(sales[0]) for sales in self.sales.values()]

    @property
    def features(self) -> list[float]:
        """Return what the vault must compute."""
        return [float(sum(sales[:12])) for sales in self.sales.values()]

    @cached_property
    def card(self) -> Scorecard:
        """Draw a scorecard that tells these enterprises apart."""
        rng = random.Random(self.seed + 1)
        ordered = sorted(self.features)
        edges = tuple(sorted(rng.uniform(ordered[0], ordered[-1]) for _ in range(20)))
        points = tuple(rng.uniform(1e3, 9e3) for _ in range(21))
        one = Characteristic(FEATURE, edges, points, rng.uniform(1e3, 9e3))
        return Scorecard(rng.uniform(1e3, 9e3), (one,))

    @cached_property
    def bounds(self) -> list[float]:
        """Draw ascending thresholds over the scores that there are."""
        rng, ordered = random.Random(self.seed + 2), sorted(self.card.characteristics[0].points)
        base = self.card.base
        return sorted(rng.uniform(base + ordered[0], base + ordered[-1]) for _ in GRADES[1:])

    @property
    def weights(self) -> list[float]:
        """Return every number of the model."""
        (one,) = self.card.characteristics
        return [self.card.base, *one.edges, *one.points, one.missing, *self.bounds]

    @cached_property
    def indices(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """Grade the enterprises as the vault must."""
        scores = scorecard_scores(self.card, np.array(self.features)[:, None])
        return grade_indices(scores, tuple(self.bounds), Direction.QUALITY)

    @property
    def model(self) -> str:
        """Write the model as the modeller's file."""
        return write_scorecard(self.card)

    def needles(self) -> dict[bytes, Needle]:
        """Write all that is sought."""
        return {
            **number_needles("raw", self.raw),
            **number_needles("feature", self.features),
            **number_needles("weight", self.weights),
            **dict(self._grade_needles()),
        }

    def write_filings(self, path: Path) -> int:
        """Write the tax office's file; return its rows."""
        filed = list(self.sales.values())
        lines = [
            _line(code, month, [filed[(place + away) % len(filed)][ago] for away in COPIES])
            for place, code in enumerate(self.sales)
            for ago, month in enumerate(_months(self.as_of))
        ]
        path.write_text("\n".join([HEADINGS, *lines, ""]), "ascii")
        return len(lines)

    def _grade_needles(self) -> Iterator[tuple[bytes, Needle]]:
        for number, (code, index) in enumerate(zip(self.codes, self.indices, strict=True)):
            answer = {
                "enterprise": code,
                "kind": "saferoom/answer/1",
                "outcome": GRADES[index],
            }
            yield canonical_bytes(answer)[:-1], Needle("grade", number, "answer")
        for form in ("<i2", "<i4", "<i8"):
            for start in range(0, len(self.codes), TOGETHER):
                pattern = self.indices[start : start + TOGETHER].astype(form).tobytes()
                yield pattern, Needle("grade", ALL, "side by side")


def _months(as_of: date) -> Iterator[date]:
    """Count back the last days of months that ended before the day."""
    day = as_of.replace(day=1) - timedelta(days=1)
    for _ in range(MONTHS):
        yield day
        day = day.replace(day=1) - timedelta(days=1)


def _line(code: str, month: date, amounts: list[int]) -> str:
    sales, vat, cit = amounts
    due = month + timedelta(days=15)
    return (
        f"{code},source-tax,T{code}-{month:%Y-%m},{month},{due}T01:30:00Z,B{due:%Y-%m},valid,"
        f"{month:%Y-%m},{sales},{vat},{cit},{due},{due},{due}"
    )
