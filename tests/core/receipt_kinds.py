"""A receipt of every kind of entry that rests on signed papers, by real keys and real rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.log_events import KINDS, Entry, build_entry
from saferoom.core.papers import check_papers
from saferoom.core.proposals import Exit
from saferoom.core.receipt import Verified, build_receipt, check_receipt, record_part
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.tlog.checkpoint import Checkpoint, sign_checkpoint
from saferoom.tlog.merkle import MemoryReader, inclusion_proof, root
from tests import factories as f
from tests.tlog.small_log import LOG_KEY, NOW, ORIGIN, SmallLog, counting, trust

FIRM, BANK = f.ENTERPRISE, f.BANK
APPROVER, MODELLER, SYSTEM = f"{BANK}.approver", f"{BANK}.modeller", f"{BANK}.system"


@dataclass(frozen=True)
class Case:
    """One entry, and what its receipt carries."""

    kind: str
    personal: Mapping[str, Json]
    papers: Sequence[Statement] = ()
    enrolled: Sequence[str] = ()  # whose enrolments are needed beyond the founders'
    artefacts: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Json] | None = None

    def entry(self) -> Entry:
        records = [] if self.record is None else [self.record, {**self.record}]
        return build_entry(
            self.kind,
            self.artefacts,  # type: ignore[arg-type]  # texts are digests here
            self.personal,
            NOW,
            counting(),
            records,
        )

    def receipt(self, shred: Sequence[str] = ()) -> bytes:
        """Log it third of five, and prove it."""
        log, entry = SmallLog.make(), self.entry()
        log.entries[2] = entry
        head = Checkpoint(ORIGIN, 5, root(log.leaves))
        shown = {name: one for name, one in entry.openings.items() if name not in shred}
        return build_receipt(
            checkpoint=sign_checkpoint(head, LOG_KEY),
            leaf=entry.leaf,
            leaf_index=2,
            leaf_proof=inclusion_proof(MemoryReader(log.leaves), 2, 5),
            openings=shown,
            record=record_part(entry.records, 0, entry.record_openings[0])
            if self.record is not None
            else None,
            papers=self.papers,
            enrolments=[ENROLMENTS[name] for name in self.enrolled],
        )

    def verify(self) -> Verified:
        return check_receipt(self.receipt(), TRUST, check_papers=check_papers)


TRUST: Trust = replace(trust(), operators=tuple(f.genesis()), vaults=(f.vault_keys(),))


def _enrol(name: str, **changes: object) -> Statement:
    return f.sign(f.enrolment(name, **changes), name, *f.GENESIS)


SUN = _enrol("sun")
ENROLMENTS: Mapping[str, Statement] = {
    "sun": SUN,
    FIRM: _enrol(FIRM, party=FIRM, role=Role.ENTERPRISE),
    APPROVER: _enrol(APPROVER, party=BANK, role=Role.APPROVER),
    MODELLER: _enrol(MODELLER, party=BANK, role=Role.MODELLER),
    "bank-b.modeller": _enrol("bank-b.modeller", party="bank-b", role=Role.MODELLER),
    # vouched for by an operator who is no founder, and the key that a new one replaces
    SYSTEM: f.sign(f.enrolment(SYSTEM, party=BANK, role=Role.SYSTEM), SYSTEM, "sun", "zhao"),
    "new": f.sign(
        f.enrolment(
            "new",
            holder=SYSTEM,
            party=BANK,
            role=Role.SYSTEM,
            replaces=f.signing_key(SYSTEM).public.id,
        ),
        "new",
        "sun",
        "qian",
    ),
}
MANIFEST = f.manifest()
GRANT = f.grant(MANIFEST)
ADMISSION = f.admission()
BUDGET = f.budget()
ORDER = f.sign(f.erase_order(FIRM), FIRM)
CERTIFICATE = ErasureCertificate(
    order=ORDER.digest,
    unreadable_here_at=f.NOW_TEXT,
    unreadable_everywhere_from=f.NOW_TEXT,
    tables=("tax_month",),
    snapshots=(),
    models=(),
)


def votes(subject: str, *names: str, step: str = "review") -> list[Statement]:
    return [f.sign(f.vote(subject, step), name) for name in names]  # type: ignore[arg-type]


def _enrolment_case(name: str, needs: Sequence[str]) -> Case:
    paper = ENROLMENTS[name]
    said = {key: paper.body[key] for key in ("holder", "party", "role", "replaces")}
    key = f.signing_key(name).public.id
    return Case("key_enrolled", {**said, "key": key, "statement": paper.digest}, [paper], needs)


def _standing(kind: str, name: str, paper: Statement) -> Case:
    return Case(
        kind,
        {"voters": ["zhao", "qian"]},
        [paper, *votes(paper.digest, "zhao", "qian")],
        ["sun"],
        {name: paper.digest},
    )


def _release() -> Case:
    names: dict[str, str] = {name: f.some_digest(name) for name in KINDS["release"].artefacts}
    return Case(
        "release",
        {
            "bank": BANK,
            "request": f.some_digest("request"),
            "caller": SYSTEM,
            "purpose": str(GRANT.purpose),
            "loan_reference": "LN-1",
            "approvers": [APPROVER, "zhao", "qian"],
            "override": None,
        },
        [f.sign(GRANT, FIRM), f.sign(MANIFEST, MODELLER)],
        [FIRM, MODELLER],
        {**names, "version": MANIFEST.digest},
        {
            "enterprise": FIRM,
            "grant": GRANT.digest,
            "budget": BUDGET.digest,
            "charge_mbit": 4000,
            "answer": f.some_digest("answer"),
            "source": "evaluated",
        },
    )


def _stop(paper: Statement) -> Case:
    said: dict[str, Json] = {"party": BANK, "statement": paper.digest, "voters": ["zhao", "qian"]}
    return Case("party_suspended", said, [paper])


def _of(paper: Statement, *fields: str) -> dict[str, Json]:
    return {name: paper.body[name] for name in fields}


def _signed(kind: str, paper: Statement, fields: Sequence[str]) -> Case:
    return Case(kind, {**_of(paper, *fields), "statement": paper.digest}, [paper], [FIRM])


def _admitted() -> Case:
    said: dict[str, Json] = {
        "party": BANK,
        "statement": ADMISSION.digest,
        "voters": ["qian", "sun"],
    }
    papers = [f.sign(ADMISSION, "zhao"), *votes(ADMISSION.digest, "qian", "sun")]
    return Case("party_admitted", said, papers, ["sun"])


def _vote_case() -> Case:
    (paper,) = votes(MANIFEST.digest, APPROVER, step="bank")
    said = _of(paper, "subject", "decision")
    return Case(
        "vote_cast",
        {**said, "voter": APPROVER, "statement": paper.digest},
        [paper],
        [APPROVER],
    )


def _approved() -> Case:
    papers = [
        f.sign(MANIFEST, MODELLER),
        *votes(MANIFEST.digest, APPROVER, step="bank"),
        *votes(MANIFEST.digest, "zhao", "qian"),
    ]
    return Case(
        "version_approved",
        {"voters": [APPROVER, "zhao", "qian"]},
        papers,
        [MODELLER, APPROVER],
        {"version": MANIFEST.digest},
    )


def _erased(order: Statement, needs: Sequence[str]) -> Case:
    certificate = f.sign(replace(CERTIFICATE, order=order.digest), "vault")
    said: dict[str, Json] = {
        "enterprise": FIRM,
        "statement": order.digest,
        "certificate": certificate.digest,
    }
    return Case("erased", said, [order, certificate], needs)


_EXIT = Exit(party=BANK, reason="it left", exited_at=f.NOW_TEXT, nonce=f.nonce("exit"))
_NODE = f.sign(f.node(), "zhao")
_SOURCE = f.sign(f.source(), "zhao")
_STOPPED = f.sign(f.version_suspension(MANIFEST.digest), "zhao")
_EVIDENCE = f.sign(f.erase_order(FIRM, evidence=f.some_digest("paper")), *f.GENESIS)
_MAKERS: Mapping[str, Callable[[], Case]] = {
    "a key": lambda: _enrolment_case(FIRM, []),
    "a founder's key": lambda: Case(
        "key_enrolled",
        {
            **_of(TRUST.operators[0], "holder", "party", "role", "replaces"),
            "key": f.signing_key("zhao").public.id,
            "statement": TRUST.operators[0].digest,
        },
        [TRUST.operators[0]],
    ),
    "another key": lambda: _enrolment_case("new", ["sun", SYSTEM]),
    "an admission": _admitted,
    "a suspension": lambda: _stop(f.sign(f.suspension(), *f.GENESIS)),
    "an exit": lambda: _stop(f.sign(_EXIT, *f.GENESIS)),
    "a source": lambda: replace(
        _standing("source_connected", "manifest", _SOURCE),
        personal={"party": f.source().party, "voters": ["qian", "sun"]},
        papers=[_SOURCE, *votes(_SOURCE.digest, "qian", "sun")],
    ),
    "a node": lambda: replace(
        _standing("source_connected", "manifest", _NODE),
        personal={"party": f.node().party, "voters": ["qian", "sun"]},
        papers=[_NODE, *votes(_NODE.digest, "qian", "sun")],
    ),
    "views": lambda: replace(
        _standing("views_approved", "views", f.sign(f.views(), "sun")),
    ),
    "a template": lambda: _standing("template_approved", "template", f.sign(f.template(), "sun")),
    "a policy set": lambda: _standing(
        "policy_activated", "policy_set", f.sign(f.policy_set(), "sun")
    ),
    "a submission": lambda: Case(
        "version_submitted",
        {"bank": BANK, "submitter": MODELLER},
        [f.sign(MANIFEST, MODELLER)],
        [MODELLER],
        {"version": MANIFEST.digest},
    ),
    "a vote": _vote_case,
    "an approval": _approved,
    "a stopped version": lambda: Case(
        "version_suspended",
        {"by": "zhao", "statement": _STOPPED.digest},
        [_STOPPED],
        artefacts={"version": MANIFEST.digest},
    ),
    "a budget": lambda: _signed(
        "budget_signed",
        f.sign(BUDGET, FIRM),
        ("enterprise", "group", "limit_mbit", "ceiling_mbit"),
    ),
    "a grant": lambda: _signed(
        "grant_signed", f.sign(GRANT, FIRM), ("enterprise", "bank", "version")
    ),
    "a revocation": lambda: _signed(
        "grant_revoked", f.sign(f.revocation(GRANT), FIRM), ("enterprise", "grant")
    ),
    "a release": _release,
    "an erasure": lambda: _erased(ORDER, [FIRM]),
    "an erasure by paper": lambda: _erased(_EVIDENCE, []),
    "a refusal": lambda: Case(
        "refusal",
        {"bank": BANK, "request": f.some_digest("request")},
        record={"enterprise": FIRM, "code": "AUTH_EXPIRED"},
    ),
}
CASES: Mapping[str, Case] = {name: make() for name, make in _MAKERS.items()}
