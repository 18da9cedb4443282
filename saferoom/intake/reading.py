"""What did one file or table give so far, and which of its rows wait outside?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST_FINDINGS = 1_000  # kept with row numbers; beyond that they are only counted


@dataclass(frozen=True, order=True)
class Finding:
    """Why a row waits outside; rows count from 1 after the headings."""

    row: int
    column: str
    reason: str


@dataclass
class Reading:
    """What was taken and what was left."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        """Count the rows left outside."""
        return self.reasons.total()

    def quarantine(self, finding: Finding) -> None:
        """Leave a row outside."""
        self.reasons[finding.reason] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
