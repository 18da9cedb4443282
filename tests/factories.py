"""How do tests get signed statements of every kind in one line?

Keys come from names, so the same name is the same key in every test. `Register` is an
in-memory stand-in for the enrolment table: `register.lookup` is the rules' `Lookup`.

    room = Register.founded()                     # operators zhao, qian (genesis), sun
    bank = room.enrol("li.na", party="bank-a", role=Role.MODELLER)
    version = sign(manifest(), "li.na")
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.core.admission import Admission, PartyKind
from saferoom.core.approval import CastVote, Decision, SubjectKind, Vote, check_vote
from saferoom.core.budget import DEFAULT_BUDGET_MBIT, DEFAULT_CEILING_MBIT, Budget
from saferoom.core.catalogue import Access, Item, Mode
from saferoom.core.closing import Closing
from saferoom.core.enrolment import Enrolment, Role, Signatory, check_enrolment, check_genesis
from saferoom.core.facts import CellType, Column, Table
from saferoom.core.grant import Grant, Revocation
from saferoom.core.grant_text import CLAUSES, GrantTemplate, Wording, worded
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Manifest, ModelFormat, Purpose
from saferoom.core.orders import (
    EraseOrder,
    IngestOrder,
    KeyBackupOrder,
    ProfileOrder,
    RotateOrder,
    SnapshotOrder,
)
from saferoom.core.proposals import PolicyFile, PolicySet, Suspension, VersionSuspension
from saferoom.core.record import Record
from saferoom.core.remote import RemoteNode
from saferoom.core.request import ScoreRequest
from saferoom.core.self_report import SelfReport
from saferoom.core.service import Service
from saferoom.core.source import Encoding, Heading, SourceManifest, SourceTable
from saferoom.core.trust import VaultKeys
from saferoom.core.uscc import make_uscc
from saferoom.core.verification import Kind, Question, Verifier, VerifyGrant, VerifyRequest
from saferoom.core.views import Level, View, ViewSet
from saferoom.crypto.signing import KeyId, SigningKey, Statement, sign_statement

NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)
NOW_TEXT = "2026-11-20T10:51:00Z"
LAST_YEAR = "2026-01-01T00:00:00Z"
NEXT_YEAR = "2027-11-20T00:00:00Z"
GENESIS = ("zhao", "qian")
OPERATORS = ("zhao", "qian", "sun")  # whoever puts something up needs two others
GRADES = tuple(f"G{n:02d}" for n in range(1, 15))
BANK = "bank-a"
ENTERPRISE = make_uscc(1)
FEATURES = ("reg_age_m", "tax_grade", "tax_sales_12")


def signing_key(name: str) -> SigningKey:
    """Derive a person's signing key from the name alone."""
    return SigningKey(hashlib.sha256(b"test signing " + name.encode()).digest())


def sealing_seed(name: str) -> bytes:
    """Derive a person's X25519 seed from the name alone."""
    return hashlib.sha256(b"test sealing " + name.encode()).digest()


def sealing_key(name: str) -> str:
    """Name a person's public X25519 key in hexadecimal."""
    return (
        X25519PrivateKey.from_private_bytes(sealing_seed(name))
        .public_key()
        .public_bytes_raw()
        .hex()
    )


def nonce(label: object = 0) -> str:
    """Derive 16 bytes of nonce in hexadecimal."""
    return hashlib.sha256(repr(label).encode()).hexdigest()[:32]


def some_digest(label: object = 0) -> Digest:
    """Make a digest of nothing in particular."""
    return digest_bytes(repr(label).encode())


def sign(record: Record | dict[str, Json], *names: str) -> Statement:
    """Sign a record or a bare body with the keys of these names."""
    body = record if isinstance(record, dict) else record.to_body()  # type: ignore[misc]
    return sign_statement(body, [signing_key(name) for name in names])


def enrolment(name: str, /, **changes: object) -> Enrolment:
    """Enrol this name's keys; by default as an operator of the room, under its name."""
    fields: dict[str, object] = {
        "holder": name,
        "party": "room",
        "role": Role.OPERATOR,
        "signing_key": signing_key(name).public.raw.hex(),
        "sealing_key": sealing_key(name),
        "replaces": None,
        "valid_from": LAST_YEAR,
        "nonce": nonce(name),
    }
    return Enrolment(**{**fields, **changes})  # type: ignore[arg-type]


def genesis() -> list[Statement]:
    """Sign the first two operators' enrolments, each by both."""
    return [sign(enrolment(name), *GENESIS) for name in GENESIS]


@dataclass
class Register:
    """The enrolments in force, in memory, and the statements that put them there."""

    in_force: dict[KeyId, Enrolment] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)

    @classmethod
    def founded(cls) -> Register:
        """Open with three operators, of whom the first two are the genesis."""
        register = cls()
        register.statements = genesis()
        for founder in check_genesis(register.statements):
            register.in_force[founder.key_id] = founder
        register.enrol("sun")
        return register

    def lookup(self, key: KeyId) -> Enrolment | None:
        """Answer as the rules' Lookup."""
        return self.in_force.get(key)

    def enrol(self, name: str, /, **changes: object) -> Enrolment:
        """Enrol by the rules: the key itself and two operators sign."""
        wanted = enrolment(name, **changes)
        statement = sign(wanted, name, *GENESIS)
        accepted = check_enrolment(statement, self.lookup)
        self.in_force[accepted.key_id] = accepted
        if accepted.replaces is not None:
            del self.in_force[accepted.replaces]
        self.statements.append(statement)
        return accepted

    def enrol_bank(self, party: str = BANK) -> dict[Role, Enrolment]:
        """Enrol a modeller, an approver and a system, named `bank-a.modeller` and so on."""
        roles = (Role.MODELLER, Role.APPROVER, Role.SYSTEM)
        return {role: self.enrol(f"{party}.{role}", party=party, role=role) for role in roles}

    def enrol_enterprise(self, code: str = ENTERPRISE) -> Enrolment:
        """Enrol an enterprise as its own party; its key's name is its code."""
        return self.enrol(code, party=code, role=Role.ENTERPRISE)


def admission(**changes: object) -> Admission:
    """Make a bank's contract."""
    fields: dict[str, object] = {
        "party": BANK,
        "party_kind": PartyKind.BANK,
        "name": "First Bank",
        "contact": "credit desk, 010-0000-0000",
        "group": BANK,
        "purposes": ("credit_approval", "post_loan_monitoring"),
        "categories": ("registration", "tax"),
        "valid_from": LAST_YEAR,
        "valid_until": NEXT_YEAR,
        "nonce": nonce("admission"),
    }
    return Admission(**{**fields, **changes})  # type: ignore[arg-type]


def views() -> ViewSet:
    """Make the view set that declares FEATURES."""
    return ViewSet(views=tuple(_view(name) for name in FEATURES))


def _view(name: str) -> View:
    category = "tax" if name.startswith("tax") else "registration"
    return View(
        name=name,
        category=category,
        level=Level.L3 if category == "tax" else Level.L1,
        feature_type="continuous",
        table="tax_month" if category == "tax" else "reg_base",
        formula="{}",
        title_zh=name,
        title_en=name,
    )


def manifest(**changes: object) -> Manifest:
    """Make a version of bank-a's scorecard: 14 grades, 16 outcomes, 4,000 mbit."""
    fields: dict[str, object] = {
        "bank": BANK,
        "group": BANK,
        "name": "small-firm scorecard",
        "purpose": Purpose.CREDIT_APPROVAL,
        "model_format": ModelFormat.SCORECARD_JSON,
        "artefact": some_digest("artefact"),
        "artefact_bytes": 1000,
        "features": FEATURES,
        "views": views().digest,
        "grades": GRADES,
        "delivery_key": sealing_key("bank-a delivery"),
        "created_at": NOW_TEXT,
        "nonce": nonce("manifest"),
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


def budget(**changes: object) -> Budget:
    """Make an enterprise's first budget for bank-a."""
    fields: dict[str, object] = {
        "enterprise": ENTERPRISE,
        "group": BANK,
        "limit_mbit": DEFAULT_BUDGET_MBIT,
        "ceiling_mbit": DEFAULT_CEILING_MBIT,
        "replaces": None,
        "revealed_mbit": 0,
        "signed_at": NOW_TEXT,
        "nonce": nonce("budget"),
    }
    return Budget(**{**fields, **changes})  # type: ignore[arg-type]


def template(**changes: object) -> GrantTemplate:
    """Make the shortest wording of a grant that the rules take."""
    clauses = tuple(
        Wording(name=name, zh=f"{name}：{_places(places)}。", en=f"{name}: {_places(places)}.")
        for name, places in CLAUSES.items()
    )
    fields: dict[str, object] = {
        "version": 1,
        "clauses": clauses,
        "categories": _words("registration", "tax", "utilities"),
        "personal": (),
        "purposes": _words(*Purpose),
        "methods": _words(*Purpose),
        "signatories": _words(*Signatory),
    }
    return GrantTemplate(**{**fields, **changes})  # type: ignore[arg-type]


def _places(names: Iterable[str]) -> str:
    return " ".join(f"{{{name}}}" for name in sorted(names))


def _words(*names: str) -> tuple[Wording, ...]:
    return tuple(Wording(name=str(name), zh=f"中文{name}", en=f"en {name}") for name in names)


def grant(version: Manifest | None = None, /, **changes: object) -> Grant:
    """Make the grant that exactly covers a version; by default `manifest()`.

    Its text is what `template()` renders, unless `text` says otherwise.
    """
    version = version or manifest()
    bank = admission()
    fields: dict[str, object] = {
        "enterprise": ENTERPRISE,
        "enterprise_name": "First Firm",
        "signatory": "Wang Wei",
        "signatory_role": Signatory.LEGAL_REPRESENTATIVE,
        "bank": version.bank,
        "bank_name": bank.name,
        "bank_contact": bank.contact,
        "group": version.group,
        "version": version.digest,
        "model_name": version.name,
        "purpose": version.purpose,
        "categories": views().categories_of(version.features),
        "outcomes": len(version.outcomes),
        "charge_mbit": charge_mbit(len(version.outcomes)),
        "budget": budget().digest,
        "budget_mbit": DEFAULT_BUDGET_MBIT,
        "valid_from": LAST_YEAR,
        "valid_until": NEXT_YEAR,
        "retention_days": 365,
        "template": template().digest,
        "text": some_digest("text"),
        "risk_ticked": True,
        "representative_ticked": False,
        "renews": None,
        "signed_at": LAST_YEAR,
        "nonce": nonce("grant"),
    }
    made = Grant(**{**fields, **changes})  # type: ignore[arg-type]
    if "text" in changes or not set(made.categories) <= {w.name for w in template().categories}:
        return made
    return worded(template(), made)


def closing(**changes: object) -> Closing:
    fields: dict[str, object] = {
        "origin": "room.test/log",
        "successor": "room.test/log-2",
        "placed": 6,
        "size": 7,
        "root": "ab" * 32,
        "seen_size": 10,
        "seen_root": "cd" * 32,
        "reason": "the disks burnt",
        "closed_at": NOW_TEXT,
        "nonce": nonce("closing"),
    }
    return Closing(**{**fields, **changes})  # type: ignore[arg-type]  # a test's own names


def revocation(of: Grant | None = None, /, **changes: object) -> Revocation:
    """Make the revocation of a grant; by default of `grant()`."""
    of = of or grant()
    fields: dict[str, object] = {
        "enterprise": of.enterprise,
        "grant": of.digest,
        "version": of.version,
        "revoked_at": NOW_TEXT,
        "nonce": nonce("revocation"),
    }
    return Revocation(**{**fields, **changes})  # type: ignore[arg-type]


def version_suspension(version: Digest, /, **changes: object) -> VersionSuspension:
    """Make what one person signs to stop a version."""
    fields: dict[str, object] = {
        "version": version,
        "reason": "it drifted",
        "suspended_at": NOW_TEXT,
        "nonce": nonce(("suspension", version)),
    }
    return VersionSuspension(**{**fields, **changes})  # type: ignore[arg-type]


def request(version: Manifest | None = None, /, **changes: object) -> ScoreRequest:
    """Make a score request for one enterprise, asked now."""
    version = version or manifest()
    fields: dict[str, object] = {
        "version": version.digest,
        "purpose": version.purpose,
        "loan_reference": "LN-2026-0001",
        "enterprises": (ENTERPRISE,),
        "asked_at": NOW_TEXT,
        "nonce": nonce("request"),
    }
    return ScoreRequest(**{**fields, **changes})  # type: ignore[arg-type]


def vote(subject: Digest, step: str = "review", **changes: object) -> Vote:
    """Make an approving vote."""
    fields: dict[str, object] = {
        "subject": subject,
        "step": step,
        "decision": Decision.APPROVE,
        "cast_at": NOW_TEXT,
        "nonce": nonce(("vote", subject, step)),
    }
    return Vote(**{**fields, **changes})  # type: ignore[arg-type]


def votes_for(
    subject: Digest, kind: SubjectKind, party: str = BANK, operators: Sequence[str] = GENESIS
) -> list[Statement]:
    """Sign the whole chain of approvals, in order."""
    bank = [sign(vote(subject, "bank"), f"{party}.approver")] if kind == "version" else []
    return [*bank, *(sign(vote(subject), name) for name in operators)]


def approved(
    register: Register,
    subject: Digest,
    kind: SubjectKind = SubjectKind.VERSION,
    party: str = BANK,
    submitter: Enrolment | None = None,
) -> list[CastVote]:
    """Cast the whole chain by the rules."""
    cast: list[CastVote] = []
    for statement in votes_for(subject, kind, party):
        cast.append(check_vote(statement, kind, submitter, cast, register.lookup, party))
    return cast


def body_without(record: Record, name: str) -> dict[str, Json]:
    """Drop one field, for tests of strict reading."""
    body: dict[str, Json] = record.to_body()  # type: ignore[misc]
    return {key: value for key, value in body.items() if key != name}


def policy_set(**changes: object) -> PolicySet:
    """Make a policy set of one file that permits everything."""
    files = (PolicyFile(name="all.cedar", text="permit(principal, action, resource);"),)
    return PolicySet(**{"files": files, **changes})  # type: ignore[arg-type]


def node(**changes: object) -> RemoteNode:
    """A department's node that offers one item by call."""
    fields: dict[str, object] = {
        "name": "tax",
        "party": "tax",
        "address": "https://node.tax.example",
        "key": signing_key("the node").public.raw.hex(),
        "service": Service(hosts=("node.tax.example",), networks=(), calls_per_minute=60),
        "items": (
            Item(
                id="tax.filing",
                zh="申报缴纳额",
                en="Filings and payments",
                provider="tax bureau",
                mode=Mode.CALL,
                access=Access.MODEL_ONLY,
                level=Level.L3,
                cycle="monthly",
            ),
        ),
    }
    return RemoteNode(**{**fields, **changes})  # type: ignore[arg-type]


def source(**changes: object) -> SourceManifest:
    """Make a source's manifest."""
    table = SourceTable(
        table="tax_year",
        path="tax_year*.csv",
        headings=(Heading(column="grade", heading="grade"),),
        ignore=(),
    )
    fields: dict[str, object] = {
        "name": "tax",
        "party": "tax",
        "title_zh": "税务部门",
        "title_en": "Tax bureau",
        "encoding": Encoding.UTF_8,
        "tables": (table,),
    }
    return SourceManifest(**{**fields, **changes})  # type: ignore[arg-type]


def fact_table(**changes: object) -> Table:
    """Make a yearly table of facts with one column of its own beside the year."""
    fields: dict[str, object] = {
        "name": "tax_year",
        "title_zh": "纳税信用",
        "title_en": "Tax credit",
        "items": ("tax.grade",),
        "period": "year",
        "columns": (
            Column(name="year", type=CellType.YEAR, level=Level.L2),
            Column(name="grade", type=CellType.TEXT, level=Level.L3),
        ),
    }
    return Table(**{**fields, **changes})  # type: ignore[arg-type]


def ingest_order(**changes: object) -> IngestOrder:
    """Order the tax connector's files."""
    fields: dict[str, object] = {
        "party": "tax",
        "connector": "tax",
        "files": None,
        "asked_at": NOW_TEXT,
        "nonce": nonce("ingest"),
    }
    return IngestOrder(**{**fields, **changes})  # type: ignore[arg-type]


def snapshot_order(**changes: object) -> SnapshotOrder:
    """Order a snapshot as of yesterday."""
    fields: dict[str, object] = {
        "as_of": "2026-11-19",
        "asked_at": NOW_TEXT,
        "nonce": nonce("snapshot"),
    }
    return SnapshotOrder(**{**fields, **changes})  # type: ignore[arg-type]


def erase_order(enterprise: str, **changes: object) -> EraseOrder:
    """Order an enterprise's erasure, as it does itself."""
    fields: dict[str, object] = {
        "enterprise": enterprise,
        "evidence": None,
        "asked_at": NOW_TEXT,
        "nonce": nonce("erase"),
    }
    return EraseOrder(**{**fields, **changes})  # type: ignore[arg-type]


def rotate_order(**changes: object) -> RotateOrder:
    """Order new keys."""
    fields: dict[str, object] = {"asked_at": NOW_TEXT, "nonce": nonce("rotate")}
    return RotateOrder(**{**fields, **changes})  # type: ignore[arg-type]


def key_backup_order(**changes: object) -> KeyBackupOrder:
    """Order a copy of the keys for a custodian, for a week."""
    fields: dict[str, object] = {
        "custodian": sealing_key("custodian"),
        "kept_days": 7,
        "asked_at": NOW_TEXT,
        "nonce": nonce("backup"),
    }
    return KeyBackupOrder(**{**fields, **changes})  # type: ignore[arg-type]


def profile_order(**changes: object) -> ProfileOrder:
    """Ask how two features are distributed."""
    fields: dict[str, object] = {
        "views": FEATURES[:2],
        "asked_at": NOW_TEXT,
        "nonce": nonce("profile"),
    }
    return ProfileOrder(**{**fields, **changes})  # type: ignore[arg-type]


def self_report(**changes: object) -> SelfReport:
    """Report nothing that could be opened, in the enterprise's name."""
    fields: dict[str, object] = {
        "enterprise": ENTERPRISE,
        "table": "self_month",
        "sealed": "00" * 100,
        "pledged": True,
        "asked_at": NOW_TEXT,
        "nonce": nonce("self-report"),
    }
    return SelfReport(**{**fields, **changes})  # type: ignore[arg-type]


def verifier(**changes: object) -> Verifier:
    """Declare a department that says whether a certificate of real estate is somebody's."""
    question = Question(
        id="owner",
        item="property.ownership",
        zh="是否权利人",
        en="Is it the owner?",
        kind=Kind.MATCH,
        edges=(),
        most_claims=3,
        days=30,
        path="/verify/owner",
    )
    fields: dict[str, object] = {
        "name": "property",
        "party": "tax",
        "service": Service(hosts=("verify.example",), networks=(), calls_per_minute=60),
        "questions": (question,),
    }
    return Verifier(**{**fields, **changes})  # type: ignore[arg-type]


def verify_request(**changes: object) -> VerifyRequest:
    """Ask it about the enterprise, for bank-a."""
    fields: dict[str, object] = {
        "bank": BANK,
        "enterprise": ENTERPRISE,
        "verifier": "property",
        "question": verifier().questions[0].digest,
        "claim": "C-117",
        "purpose": "credit_approval",
        "loan_reference": "L-1",
        "asked_at": NOW_TEXT,
        "nonce": nonce("verify"),
    }
    return VerifyRequest(**{**fields, **changes})  # type: ignore[arg-type]


def verify_grant(**changes: object) -> VerifyGrant:
    """Let bank-a ask it."""
    question = verifier().questions[0]
    fields: dict[str, object] = {
        "enterprise": ENTERPRISE,
        "bank": BANK,
        "question": question.digest,
        "purpose": "credit_approval",
        "charge_mbit": question.charge_mbit,
        "valid_from": LAST_YEAR,
        "valid_until": "2027-11-20T00:00:00Z",
        "risk_ticked": True,
        "signed_at": NOW_TEXT,
        "nonce": nonce("verify-grant"),
    }
    return VerifyGrant(**{**fields, **changes})  # type: ignore[arg-type]


def suspension(**changes: object) -> Suspension:
    """Make what two operators sign to stop bank-a."""
    fields: dict[str, object] = {
        "party": BANK,
        "reason": "contract broken",
        "suspended_at": NOW_TEXT,
        "nonce": nonce("suspension"),
    }
    return Suspension(**{**fields, **changes})  # type: ignore[arg-type]


def vault_keys(name: str = "vault", /, **changes: object) -> VaultKeys:
    """Make the entry of a trust file for a vault whose keys come from its name."""
    fields: dict[str, object] = {
        "answer_key": signing_key(name).public.raw.hex(),
        "sealing_key": sealing_key(name),
        "valid_from": LAST_YEAR,
        "valid_until": None,
    }
    return VaultKeys(**{**fields, **changes})  # type: ignore[arg-type]
