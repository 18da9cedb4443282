"""What lasts of what the vault was taught, whoever teaches it, in whatever order?

Only the roster and the rules of `authority.py`: no cage, no data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from saferoom.canonical import Digest
from saferoom.core.admission import Admission
from saferoom.core.approval import Decision, SubjectKind
from saferoom.core.enrolment import Role, check_genesis
from saferoom.core.grant import Grant
from saferoom.core.manifest import Manifest
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from saferoom.vault.authority import check_score
from saferoom.vault.roster import Roster
from tests import factories as make
from tests.factories import BANK, ENTERPRISE, GENESIS, NOW, NOW_TEXT, Register, sign

BEFORE, AFTER = "2026-11-20T10:50:00Z", "2026-11-20T10:52:00Z"


def opened() -> Roster:
    """Know the operators, two banks' people, and one enterprise."""
    register = Register.founded()
    roster = Roster(check_genesis(make.genesis()), make.signing_key("vault").public)
    for party in (BANK, "bank-b"):
        register.enrol_bank(party)
    register.enrol_enterprise()
    for statement in register.statements[2:]:
        roster.learn(statement)
    return roster


@dataclass
class Small:
    """A roster with a bank, views and a version that one enterprise granted."""

    roster: Roster = field(default_factory=opened)
    version: Manifest = field(default_factory=make.manifest)

    def __post_init__(self) -> None:
        self.admit(make.admission())
        self.roster.learn(sign(make.views(), "sun"))
        self.approve(make.views().digest, SubjectKind.VIEWS)
        self.roster.learn(sign(make.template(), "sun"))
        self.approve(make.template().digest, SubjectKind.TEMPLATE)
        self.roster.learn(sign(self.version, f"{BANK}.modeller"))
        self.approve(self.version.digest, SubjectKind.VERSION)

    def approve(self, subject: Digest, kind: SubjectKind) -> None:
        for vote in make.votes_for(subject, kind):
            self.roster.learn(vote)

    def admit(self, admission: Admission) -> None:
        self.roster.learn(sign(admission, "sun"))
        self.approve(admission.digest, SubjectKind.ADMISSION)

    def suspend(self, **changes: object) -> None:
        self.roster.learn(sign(make.suspension(**changes), *GENESIS))

    def vote(self, admission: Admission, name: str, cast_at: str = AFTER) -> None:
        self.roster.learn(sign(make.vote(admission.digest, cast_at=cast_at), name))

    def found(self, grant: Grant) -> str:
        """Say what comes of a request under this grant."""
        asked = sign(make.request(self.version), f"{BANK}.modeller")
        grants = [sign(grant, ENTERPRISE)]
        permit = check_score(self.roster, asked, grants, make.views(), NOW)
        return permit.refusals.get(ENTERPRISE, "granted")


def refused(learn: object, *arguments: object) -> str:
    assert callable(learn)
    with pytest.raises(SaferoomError) as caught:
        learn(*arguments)
    return caught.value.code


def test_a_body_signed_again_keeps_its_first_submitter_and_its_votes() -> None:
    roster = opened()
    admission = make.admission()
    roster.learn(sign(admission, "zhao"))
    refusal = make.vote(admission.digest, decision=Decision.REFUSE)
    roster.learn(sign(refusal, "qian"))
    roster.learn(sign(admission, "sun"))  # the same body, by another operator
    for name in ("sun", "zhao"):
        assert refused(roster.learn, sign(make.vote(admission.digest), name)) in {
            "VOTE_INVALID",
            "SELF_APPROVE",
        }
    assert roster.admission(BANK) is None


def test_an_approved_subject_signed_again_stays_approved() -> None:
    small = Small()
    small.roster.learn(sign(make.views(), "qian"))
    assert small.roster.approved(make.views().digest)


SIGNED_AT = "2026-11-20T10:00:00Z"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, "AUTH_REVOKED"),
        ({"nonce": make.nonce("kept back"), "signed_at": SIGNED_AT}, "AUTH_REVOKED"),
        ({"nonce": make.nonce("kept back"), "signed_at": NOW_TEXT}, "AUTH_REVOKED"),
        ({"nonce": make.nonce("new"), "signed_at": "2026-11-20T10:51:01Z"}, "granted"),
        ({"nonce": make.nonce("far"), "signed_at": "2026-11-20T10:57:00Z"}, "AUTH_EXPIRED"),
    ],
)
def test_a_revocation_ends_every_grant_that_was_signed_by_then(
    changes: dict[str, object], found: str
) -> None:
    small = Small()
    assert small.found(make.grant(small.version)) == "granted"
    small.roster.learn(sign(make.revocation(make.grant(small.version)), ENTERPRISE))
    assert small.found(make.grant(small.version, **changes)) == found


def test_a_grant_from_before_a_closed_log_waits_to_be_confirmed() -> None:
    small = Small()
    closing = make.closing(closed_at="2026-11-20T10:45:00Z")
    for names in (("zhao",), ("zhao", f"{BANK}.modeller"), (ENTERPRISE,)):
        assert refused(small.roster.learn, sign(closing, *names)) in {"APPROVAL_MISSING", "ROLE"}
    small.roster.learn(sign(closing, "zhao", "qian"))
    old = {"nonce": make.nonce("old"), "signed_at": "2026-11-20T10:50:00Z"}
    new = {"nonce": make.nonce("new"), "signed_at": "2026-11-20T10:50:01Z"}
    assert small.found(make.grant(small.version, **old)) == "AUTH_UNCONFIRMED"
    assert small.found(make.grant(small.version, **new)) == "granted"


@pytest.mark.parametrize("signer", ["zhao", f"{BANK}.modeller", f"{BANK}.approver"])
def test_a_stopped_version_is_not_evaluated_whoever_asks(signer: str) -> None:
    small = Small()
    paper = make.version_suspension(small.version.digest)
    small.roster.learn(sign(paper, signer))
    assert refused(small.found, make.grant(small.version)) == "MODEL_UNFILED"
    small.roster.learn(sign(small.version, f"{BANK}.modeller"))
    assert refused(small.found, make.grant(small.version)) == "MODEL_UNFILED"


@pytest.mark.parametrize(
    ("code", "version", "signers"),
    [
        ("ROLE", make.manifest().digest, ["bank-b.approver"]),
        ("ROLE", make.manifest().digest, [ENTERPRISE]),
        ("SIGNATURE_INVALID", make.manifest().digest, []),
        ("MODEL_UNFILED", make.some_digest(), ["zhao"]),
    ],
)
def test_nobody_else_stops_a_version(code: str, version: Digest, signers: list[str]) -> None:
    small = Small()
    paper = sign(make.version_suspension(version), *signers)
    assert refused(small.roster.learn, paper) == code
    assert small.found(make.grant(small.version)) == "granted"


def test_a_suspension_works_once_and_not_on_what_was_agreed_to_after_it() -> None:
    small = Small()
    small.suspend()
    assert refused(small.found, make.grant(small.version)) == "ORG_INACTIVE"
    renewed = make.admission(nonce=make.nonce("renewed"))
    small.admit(renewed)
    small.roster.learn(sign(make.suspension(), "qian", "sun"))  # the same words, two others
    assert small.found(make.grant(small.version)) == "granted"
    early = {"suspended_at": BEFORE, "nonce": make.nonce("early")}
    assert refused(lambda: small.suspend(**early)) == "REPLAY"
    assert small.found(make.grant(small.version)) == "granted"


def test_a_suspension_and_a_new_contract_close_the_admissions_that_waited() -> None:
    small = Small()
    first, second = (make.admission(nonce=make.nonce(name)) for name in ("first", "second"))
    small.roster.learn(sign(first, "sun"))
    small.vote(first, "zhao")
    small.suspend()
    assert refused(lambda: small.vote(first, "qian")) == "VOTE_INVALID"
    small.roster.learn(sign(first, "sun"))  # known, and closed for good
    assert refused(lambda: small.vote(first, "qian")) == "VOTE_INVALID"
    small.roster.learn(sign(second, "sun"))
    small.vote(second, "zhao")
    small.admit(make.admission(nonce=make.nonce("third")))
    assert refused(lambda: small.vote(second, "qian")) == "VOTE_INVALID"
    contract = small.roster.admission(BANK)
    assert contract is not None
    assert contract.nonce == make.nonce("third")


def test_papers_from_before_a_suspension_do_not_lift_it() -> None:
    """Admission and votes, signed before, and taught only now."""
    small = Small()
    small.suspend()
    kept = make.admission(nonce=make.nonce("kept"))
    small.roster.learn(sign(kept, "sun"))
    assert refused(lambda: small.vote(kept, "zhao", cast_at=BEFORE)) == "VOTE_INVALID"
    assert small.roster.admission(BANK) is None


def test_the_same_lessons_lead_to_the_same_roster_at_every_start() -> None:
    small = Small()
    small.suspend()
    lessons: list[Statement] = [
        sign(make.admission(nonce=make.nonce("again")), "sun"),
        sign(make.revocation(make.grant(small.version)), ENTERPRISE),
    ]
    assert [small.roster.learn(one) for one in (*lessons, *lessons)] == [True, True, False, False]


def test_a_departments_node_is_learnt_and_another_stewards_is_refused() -> None:
    roster = opened()
    roster.learn(sign(make.node(), "sun"))
    register = Register.founded()
    register.enrol("power.steward", party="power", role=Role.STEWARD)
    roster.learn(register.statements[-1])
    with pytest.raises(SaferoomError, match="ROLE"):
        roster.learn(sign(make.node(name="other"), "power.steward"))
