"""What did the vault answer, once opened with the bank's own key?

Opened here and nowhere in the room. The room relays what it cannot read and is believed
nothing: each line must be one that was asked for, each answer signed by a vault of the trust
file, for this enterprise, version and request. Whatever is not is refused, not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Digest, Json
from saferoom.core.answer import AAD, Answer, check_answer, check_fits
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.errors import Tampered

COLUMNS = ("enterprise", "grade", "status", "code", "why", "receipt", "charge_bits", "snapshot")


@dataclass(frozen=True)
class Line:
    """One row of what `score` returns."""

    enterprise: str
    grade: str | None  # a grade, or "missing", or "refused"; None when not released
    status: str
    code: str | None
    why: str | None
    receipt: str | None
    charge_bits: float
    snapshot: str | None  # that the grade is of


@dataclass(frozen=True)
class Asked:
    """One signed request, and what can come of it."""

    request: Digest
    version: Digest
    enterprises: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Reader:
    """Who opens answers, and whom they believe."""

    key: SealingKey
    trust: Trust
    clock: Callable[[], datetime]

    def lines(self, results: Sequence[dict[str, Json]], asked: Asked) -> list[Line]:
        """Turn the room's answer into rows, opening each grade."""
        told = [result.get("enterprise") for result in results]
        if told != list(asked.enterprises):
            raise Tampered("ANSWER_INVALID", "the lines are not those that were asked for")
        return [self._line(result, asked) for result in results]

    def _line(self, result: dict[str, Json], asked: Asked) -> Line:
        sealed, status = result["answer"], str(result["status"])
        if (status == "released") != isinstance(sealed, str):
            raise Tampered("ANSWER_INVALID", "a release without an answer, or the reverse")
        answer = self._open(result, asked) if isinstance(sealed, str) else None
        charge = result["charge_mbit"]
        return Line(
            enterprise=str(result["enterprise"]),
            grade=None if answer is None else answer.outcome,
            status=status,
            code=_optional(result["code"]),
            why=_optional(result["sentence"]),
            receipt=_optional(result["receipt"]),
            charge_bits=(charge if isinstance(charge, int) else 0) / 1000,
            snapshot=None if answer is None else answer.snapshot,
        )

    def _open(self, result: dict[str, Json], asked: Asked) -> Answer:
        answer = open_answer(_sealed(result), self.key, self.trust, self.clock())
        check_fits(
            answer,
            enterprise=str(result["enterprise"]),
            version=asked.version,
            request=None if result["stored"] is True else asked.request,
            outcomes=asked.outcomes,
        )
        return answer


def open_answer(sealed: bytes, key: SealingKey, trust: Trust, now: datetime) -> Answer:
    """Open one answer, as its bank or its enterprise, and check who signed it."""
    return check_answer(unseal(sealed, key, AAD), trust, now)


def _sealed(result: dict[str, Json]) -> bytes:
    try:
        return bytes.fromhex(str(result["answer"]))
    except ValueError as error:
        raise Tampered("ANSWER_INVALID", "it is not hexadecimal") from error


def _optional(value: Json) -> str | None:
    return None if value is None else str(value)
