"""What exactly is a model version, so that people can agree to it?

The artefact travels sealed to the vault, so the digest is over the sealed bytes:
it binds the content and says nothing about weights or thresholds. Whatever the
approvers and the enterprise agree to is a field here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.canonical import Digest, canonical_bytes
from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import hex_bytes, sealing_key_bytes


class Purpose(StrEnum):
    """Financing support is the only family."""

    CREDIT_APPROVAL = "credit_approval"
    POST_LOAN_MONITORING = "post_loan_monitoring"


class ModelFormat(StrEnum):
    """What a strict reader exists for."""

    LIGHTGBM_TEXT = "lightgbm-text"
    SCORECARD_JSON = "scorecard-json"
    FORM_JSON = "form-json"  # what the SDK makes of a live object


MISSING = "missing"  # no usable features: an outcome, charged like a grade
REFUSED = "refused"  # disputed, quality, time-out, memory, a cage's death
MOST_LETTERS = 16  # of an outcome


@dataclass(frozen=True, kw_only=True)
class Manifest(Record):
    """One version of one bank's model."""

    KIND: ClassVar[str] = "saferoom/version/1"
    bank: str
    group: str
    name: str
    purpose: Purpose
    model_format: ModelFormat
    artefact: Digest  # of the sealed bytes
    artefact_bytes: int
    features: tuple[str, ...]  # view columns that the model reads, in its order
    views: Digest  # of the approved view set that declares them
    grades: tuple[str, ...]  # best first; thresholds are inside the sealed artefact
    delivery_key: str  # the bank's X25519 key that grades are sealed to
    created_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.bank) <= 64, "bank")
        check_field(0 < len(self.group) <= 64, "group")
        check_field(0 < len(self.name) <= 100, "name")
        hex_bytes(self.artefact, 32)
        check_field(0 < self.artefact_bytes <= 64 * 2**20, "artefact_bytes")
        check_field(0 < len(self.features) <= 20_000, "features")
        check_field(len(set(self.features)) == len(self.features), "features")
        hex_bytes(self.views, 32)
        check_field(2 <= len(self.grades) <= 1000, "grades")
        check_field(len(set(self.grades)) == len(self.grades), "grades")
        check_field(not {MISSING, REFUSED} & set(self.grades), "grades")
        check_field(all(map(_is_name, self.grades)), "grades")
        sealing_key_bytes(self.delivery_key)
        read_instant(self.created_at)
        hex_bytes(self.nonce, 16)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """List every complete answer that can leave: grades, missing, refused."""
        return (*self.grades, MISSING, REFUSED)

    @property
    def artefact_aad(self) -> bytes:
        """Return what the artefact must have been sealed with."""
        return artefact_aad(self.bank, self.delivery_key)


def artefact_aad(bank: str, delivery_key: str) -> bytes:
    """Bind a sealed artefact to whom it answers: copied, it opens under no other manifest."""
    binding = canonical_bytes({"bank": bank, "delivery_key": delivery_key})
    return b"saferoom/artefact/1\0" + binding


def _is_name(grade: str) -> bool:
    """Say whether people can tell this grade from every other by reading it."""
    return 0 < len(grade) <= MOST_LETTERS and grade == grade.strip() and grade.isprintable()
