"""What goes over the wire, field by field, with an example of each?

Pydantic stands only here, at the edge: it bounds and names what came in, and the strict
readers of the rules (`Statement.from_json`, each record's `from_body`) decide what it is.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from saferoom.crypto.signing import Statement

MOST_STATEMENTS = 500
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_CODE = "91990101MA00000X0K"  # the region 99 is assigned to no place
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


DigestPath = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
ReceiptPath = Annotated[
    str, Path(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64}(-(0|[1-9][0-9]{0,5}))?)$")
]  # of a release; of an entry, or of one record of it
PartyPath = Annotated[str, Path(pattern=r"^[^\x00-\x1f]{1,64}$")]
Open = dict[str, JsonValue]  # an answer whose fields are the business of the use case


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Mark(_In):
    """One signature."""

    key: Hex32 = Field(description="SHA-256 of `ed25519` NUL and the public key.")
    signature: Hex64 = Field(description="Ed25519 over the context and the canonical body.")


def _refuse_nul(value: JsonValue) -> JsonValue:
    """Refuse U+0000 anywhere: PostgreSQL has no text with it, SQLite has, and they must agree."""
    match value:
        case str():
            if "\0" in value:
                raise ValueError("U+0000 has no place in text")
        case list():
            for item in value:
                _refuse_nul(item)
        case dict():
            for name, item in value.items():
                _refuse_nul(name)
                _refuse_nul(item)
    return value


class StatementIn(_In):
    """A body and who signed it; the body's kind says which record it is."""

    body: Annotated[dict[str, JsonValue], AfterValidator(_refuse_nul)]
    signatures: list[Mark] = Field(max_length=8)

    def read(self) -> Statement:
        """Read strictly."""
        return Statement.from_json(self.model_dump())


def _signed(**body: JsonValue) -> dict[str, JsonValue]:
    mark: dict[str, JsonValue] = {"key": _DIGEST, "signature": _DIGEST * 2}
    return {"body": body, "signatures": [mark]}


_NONCE = "5f0c2b6de5b94a0d8f6a5f0c2b6de5b9"
_NOW = "2026-11-20T10:51:00Z"
VOTE: dict[str, JsonValue] = _signed(
    kind="saferoom/vote/1",
    subject=_DIGEST,
    step="review",
    decision="approve",
    cast_at=_NOW,
    nonce=_NONCE,
)
SCORE: dict[str, JsonValue] = _signed(
    kind="saferoom/score-request/1",
    version=_DIGEST,
    purpose="credit_approval",
    loan_reference="LOAN-2026-0001",
    enterprises=[_CODE],
    asked_at=_NOW,
    nonce=_NONCE,
)
TOKEN: dict[str, JsonValue] = _signed(
    kind="saferoom/token-request/1",
    origin="saferoom.example/log",
    holder="li.na",
    asked_at=_NOW,
    nonce=_NONCE,
)
REVOCATION: dict[str, JsonValue] = _signed(
    kind="saferoom/revocation/1",
    enterprise=_CODE,
    grant=_DIGEST,
    version=_DIGEST,
    revoked_at=_NOW,
    nonce=_NONCE,
)


class One(_In):
    """One signed statement."""

    statement: StatementIn


class OpeningsIn(_In):
    """From which entry on, and below which size of the log; unset: the published one."""

    first: int = Field(ge=0)
    size: int | None = Field(default=None, ge=0)


class TokenIn(One):
    """A token request, signed by the enrolled key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"statement": TOKEN}]})


class VoteIn(One):
    """A vote, signed by whoever casts it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"statement": VOTE}]})


class ScoreIn(One):
    """A score request of up to 1,000 enterprises, signed by the caller."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"statement": SCORE}]})


class RevocationIn(One):
    """A revocation, signed by the enterprise."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"statement": REVOCATION}]})

    def read(self) -> list[Statement]:
        """Read strictly."""
        return [self.statement.read()]


class Many(_In):
    """Signed statements, taken all or none."""

    statements: list[StatementIn] = Field(min_length=1, max_length=MOST_STATEMENTS)

    def read(self) -> list[Statement]:
        """Read each strictly."""
        return [statement.read() for statement in self.statements]


class RevocationsIn(Many):
    """Revocations, each signed by its enterprise."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"statements": [REVOCATION]}]})


class VersionIn(One):
    """A version's manifest, signed, and its artefact, sealed to the vault."""

    artefact: str = Field(
        pattern=r"^([0-9a-f]{2})+$",
        max_length=128 * 2**20,
        description="The sealed bytes as lower-case hexadecimal.",
    )


class IngestIn(One):
    """An order to read a source, signed by its own steward."""


class SnapshotIn(One):
    """An order to publish a snapshot, signed by an operator."""


class VerifyIn(_In):
    """A bank's signed question about an enterprise, and the enterprise's signed permission."""

    statement: StatementIn
    grant: StatementIn


class ReportIn(One):
    """An enterprise's own figures, sealed to the vault, signed by the enterprise."""


class EraseIn(One):
    """An order to erase an enterprise, signed by itself or by two operators with evidence."""


class RotateIn(One):
    """An order to change the vault's keys, signed by two operators."""


class ProfileIn(One):
    """An order to tell how features are distributed, signed by a steward or an operator."""


class _Out(BaseModel):
    """What we answer: names are promised, further fields may follow."""

    model_config = ConfigDict(extra="allow")


class Problem(_Out):
    """Why not, and what would change it."""

    code: str = Field(examples=["AUTH_EXPIRED"])
    sentence: str = Field(examples=["The enterprise's grant is outside its period."])
    remedy: str = Field(examples=["Ask the enterprise for a new grant."])
    trace_id: str = Field(examples=["0af7651916cd43dd8448eb211c80319c"])


class Failure(_Out):
    """The one shape of every error."""

    error: Problem


class Token(_Out):
    """A bearer token."""

    token: str
    expires_at: str = Field(examples=[_NOW])


class Me(_Out):
    """Who the room takes the caller for."""

    holder: str = Field(examples=["li.na"])
    party: str = Field(examples=["bank-a"])
    role: str = Field(examples=["modeller"])


class ErasureOut(_Out):
    """An order of erasure; its state is ordered, certified, or the code that refused it."""

    order: str
    enterprise: str
    ordered_at: str
    state: str
    remedy: str | None


class ErasuresOut(_Out):
    """The newest first."""

    erasures: list[ErasureOut]


class OpeningsOut(_Out):
    """A page of an auditor's export; the reference of formats says what a line holds."""

    origin: str
    size: int
    next: int
    lines: list[dict[str, JsonValue]]


class DigestOut(_Out):
    """What was taken, by its digest."""

    digest: str = Field(examples=[_DIGEST])


class DigestsOut(_Out):
    """What was taken, by digest, in the order sent."""

    digests: list[str] = Field(examples=[[_DIGEST]])


class StateOut(_Out):
    """The state afterwards."""

    state: str = Field(examples=["suspended"])


class SubjectOut(StateOut):
    """What was voted on, and its state afterwards."""

    subject: str = Field(examples=[_DIGEST])


class Findings(_Out):
    """A sealed model's shape; never its thresholds or points."""

    features: list[str] = Field(examples=[["reg_age_m"]])
    scorer: str = Field(examples=["tree ensemble"])
    parts: int = Field(examples=[40])
    leaves: int = Field(examples=[312])
    grades: int = Field(examples=[14])
    depth: int = Field(examples=[5])


class SubmittedOut(DigestOut):
    """A version that was read strictly and waits for votes."""

    findings: Findings
    self_reported: list[str] = Field(
        default=[], description="Of its features: they read what enterprises say of themselves."
    )


class VerifyOut(_Out):
    """One word of a department, sealed to the asking person and the enterprise."""

    answer: str = Field(description="Sealed, hexadecimal.")
    charge_mbit: int


class ResultOut(_Out):
    """One enterprise's line."""

    enterprise: str = Field(examples=[_CODE])
    status: str = Field(examples=["released"], description="`released` or `refused`.")
    code: str | None = Field(examples=[None])
    sentence: str | None = Field(examples=[None])
    remedy: str | None = Field(examples=[None])
    answer: str | None = Field(description="Sealed to the bank's delivery key, hexadecimal.")
    receipt: str | None = Field(description="The receipt's id.")
    charge_mbit: int = Field(examples=[4000], description="Milli-bits debited; 0 when stored.")
    stored: bool = Field(examples=[False])


class ScoresOut(_Out):
    """A line per enterprise in the request's order, and signed promises to log them."""

    results: list[ResultOut]
    promises: list[JsonValue]


class Readiness(_Out):
    """Whether each part of the room is there."""

    ready: bool
    parts: dict[str, str] = Field(examples=[{"database": "ready", "vault": "ready"}])


class ReceiptsOut(_Out):
    """Receipt ids."""

    receipts: list[str]
