"""What did the enterprise agree to, exactly, and does it still?

One model version of one bank, for one purpose and period, drawing on one budget.
What is signed is what is enforced: each field is compared at every score. Grants for one
version are a chain, each naming the one before; a revocation ends whatever was signed up to
its instant, so that a grant which somebody kept back never returns after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from saferoom.canonical import Digest
from saferoom.core.enrolment import Lookup, Signatory, check_enterprise
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Manifest, Purpose
from saferoom.core.moment import SKEW, read_instant
from saferoom.core.record import Record, check_field, is_line
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class Grant(Record):
    """An enterprise's signed permission; whatever its text says is a field here."""

    KIND: ClassVar[str] = "saferoom/grant/1"
    enterprise: str
    enterprise_name: str
    signatory: str  # who signs for it
    signatory_role: Signatory
    bank: str
    bank_name: str
    bank_contact: str
    group: str  # whose budget it draws on
    version: Digest
    model_name: str
    purpose: Purpose
    categories: tuple[str, ...]  # of the views that the version reads
    outcomes: int
    charge_mbit: int  # per score
    budget: Digest
    budget_mbit: int  # the budget's limit, as the text said it
    valid_from: str
    valid_until: str
    retention_days: int  # for how long the bank may keep an answer
    template: Digest  # of the wording, which two operators approved
    text: Digest  # of what the template renders from all the others (grant_text.py)
    risk_ticked: bool
    representative_ticked: bool  # the legal representative's separate agreement
    renews: Digest | None  # the enterprise's latest grant for this version, if there is one
    signed_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges; a grant without the risk's tick does not exist."""
        check_field(len(self.enterprise) == 18, "enterprise")
        check_field(0 < len(self.bank) <= 64, "bank")
        check_field(0 < len(self.group) <= 64, "group")
        for name in ("enterprise_name", "signatory", "bank_name", "bank_contact", "model_name"):
            check_field(is_line(getattr(self, name)), name)
        hex_bytes(self.version, 32)
        check_field(0 < len(self.categories) <= 40, "categories")
        check_field(2 <= self.outcomes <= 1002, "outcomes")
        check_field(0 < self.charge_mbit <= 1_000_000, "charge_mbit")
        hex_bytes(self.budget, 32)
        check_field(0 < self.budget_mbit <= 1_000_000, "budget_mbit")
        check_field(read_instant(self.valid_from) < read_instant(self.valid_until), "valid_until")
        check_field(1 <= self.retention_days <= 3650, "retention_days")
        hex_bytes(self.template, 32)
        hex_bytes(self.text, 32)
        check_field(self.risk_ticked, "risk_ticked")
        if self.renews is not None:
            hex_bytes(self.renews, 32)
        read_instant(self.signed_at)
        hex_bytes(self.nonce, 16)


@dataclass(frozen=True, kw_only=True)
class Revocation(Record):
    """An enterprise takes a grant back, and all that it had signed for that version by then."""

    KIND: ClassVar[str] = "saferoom/revocation/1"
    enterprise: str
    grant: Digest
    version: Digest
    revoked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(len(self.enterprise) == 18, "enterprise")
        hex_bytes(self.grant, 32)
        hex_bytes(self.version, 32)
        read_instant(self.revoked_at)
        hex_bytes(self.nonce, 16)


def check_grant(statement: Statement, lookup: Lookup) -> Grant:
    """Accept a grant signed by the enterprise's own key, and by nothing else."""
    grant = Grant.from_body(statement.body)
    check_enterprise(statement, grant.enterprise, lookup)
    return grant


def check_revocation(statement: Statement, lookup: Lookup) -> Revocation:
    """Accept a revocation signed by the enterprise's own key, and by nothing else."""
    revocation = Revocation.from_body(statement.body)
    check_enterprise(statement, revocation.enterprise, lookup)
    return revocation


def check_revokes(revocation: Revocation, grant: Grant) -> None:
    """Refuse to revoke another enterprise's grant, another grant, or another version's."""
    named = (revocation.enterprise, revocation.grant, revocation.version)
    if named != (grant.enterprise, grant.digest, grant.version):
        raise Refusal("AUTH_SCOPE", "grant")


class Revocable(Protocol):
    """What an enterprise can take back: a model's grant, or one to verify."""

    @property
    def digest(self) -> Digest: ...  # noqa: D102  # as a record's
    @property
    def enterprise(self) -> str: ...  # noqa: D102  # whose it is
    @property
    def version(self) -> Digest: ...  # noqa: D102  # of the model, or the question
    @property
    def signed_at(self) -> str: ...  # noqa: D102  # an instant


def revoked(grant: Revocable, revocations: Iterable[Revocation]) -> bool:
    """Say whether one of these ends the grant: by name, or as signed up to its instant."""
    return any(_ends(one, grant) for one in revocations)


def _ends(revocation: Revocation, grant: Revocable) -> bool:
    if revocation.enterprise != grant.enterprise:
        return False
    signed_by_then = read_instant(grant.signed_at) <= read_instant(revocation.revoked_at)
    return revocation.grant == grant.digest or (
        revocation.version == grant.version and signed_by_then
    )


def check_renewal(grant: Grant, latest: Grant | None) -> None:
    """Refuse a grant that is not the next of its chain: an older one was superseded."""
    if grant.renews != (None if latest is None else latest.digest):
        raise Refusal("AUTH_SCOPE", "renews")
    if latest is not None and read_instant(grant.signed_at) <= read_instant(latest.signed_at):
        raise Refusal("AUTH_SCOPE", "signed_at")


def live(grant: Grant, now: datetime) -> bool:
    """Say whether it is signed and its period holds now; its end is no longer inside."""
    signed = read_instant(grant.signed_at) <= now + SKEW
    return signed and read_instant(grant.valid_from) <= now < read_instant(grant.valid_until)


def check_covers(  # noqa: PLR0917  # the signature is a seam
    grant: Grant,
    manifest: Manifest,
    categories: Sequence[str],
    purpose: Purpose,
    bank: str,
    now: datetime,
) -> None:
    """Refuse unless each field says exactly what is about to happen."""
    if not live(grant, now):
        raise Refusal("AUTH_EXPIRED")
    field = first_mismatch(grant, manifest, categories, purpose, bank)
    if field is not None:
        raise Refusal("AUTH_SCOPE", field)


def first_mismatch(
    grant: Grant, manifest: Manifest, categories: Sequence[str], purpose: Purpose, bank: str
) -> str | None:
    """Name the first field of the grant that does not say what is about to happen."""
    outcomes = len(manifest.outcomes)
    signed_and_meant: dict[str, tuple[object, object]] = {
        "bank": (grant.bank, bank),
        "version's bank": (manifest.bank, bank),
        "version": (grant.version, manifest.digest),
        "model_name": (grant.model_name, manifest.name),
        "group": (grant.group, manifest.group),
        "purpose": (grant.purpose, purpose),
        "version's purpose": (manifest.purpose, purpose),
        "categories": (grant.categories, tuple(categories)),
        "outcomes": (grant.outcomes, outcomes),
        "charge_mbit": (grant.charge_mbit, charge_mbit(outcomes)),
    }
    return next((name for name, (a, b) in signed_and_meant.items() if a != b), None)
