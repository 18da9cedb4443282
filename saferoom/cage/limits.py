"""How much may one cage use, and how long may it take?"""

from __future__ import annotations

from dataclasses import dataclass

from saferoom.errors import BadInput

SMALLEST_MEMORY = 512 * 2**20
LARGEST_MEMORY = 4 * 2**30 - 1  # the self-test's 4 GiB allocation must fail


@dataclass(frozen=True)
class Limits:
    """Address space of the worker, and wall time per call."""

    memory_bytes: int = 2 * 2**30
    start_seconds: float = 30.0
    load_seconds: float = 30.0
    evaluate_seconds: float = 30.0  # per chunk of at most 8 MiB of matrix

    def __post_init__(self) -> None:
        """Check ranges."""
        if not SMALLEST_MEMORY <= self.memory_bytes <= LARGEST_MEMORY:
            raise BadInput("SETTING_INVALID", "the cage's memory is 512 MiB to under 4 GiB")
        if min(self.start_seconds, self.load_seconds, self.evaluate_seconds) <= 0:
            raise BadInput("SETTING_INVALID", "the cage's deadlines are positive")
