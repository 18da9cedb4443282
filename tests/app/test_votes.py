"""What comes of votes on each kind of subject, and of a party's and a version's life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import health, parties, subjects, versions, votes
from saferoom.app.context import Caller
from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import Role
from saferoom.core.mock import MockColumn, MockSet, Stop
from saferoom.core.proposals import PolicyFile, PolicySet, VersionSuspension
from saferoom.crypto.signing import Signature, Statement
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import (
    ARTEFACT,
    AUDITOR,
    GENESIS,
    OPERATOR,
    PERMIT_ALL,
    World,
    bank,
    code,
    enterprise,
    founded_world,
)


@pytest.fixture
def founded(database: sa.Engine, tmp_path: Path) -> World:
    return founded_world(database, tmp_path)


@pytest.fixture
def banked(founded: World) -> World:
    founded.enrol_bank()
    founded.admit()
    founded.version = founded.manifest()
    return founded


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def state_of(world: World, party: str = f.BANK) -> Json:
    listed = parties.list_parties(world.room, OPERATOR)
    return next(one["state"] for one in listed if one["party"] == party)


def test_an_admission_takes_two_operators_other_than_its_proposer(founded: World) -> None:
    digest = parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))
    assert state_of(founded) == "applied"
    assert refused(lambda: founded.approve(digest, names=["zhao"])) == "SELF_APPROVE"
    assert founded.approve(digest, names=["qian"]) == "open"
    assert state_of(founded) == "assessed"
    assert founded.approve(digest, names=["sun"]) == "approved"
    assert state_of(founded) == "admitted"
    assert refused(lambda: founded.approve(digest, names=["qian"])) == "VOTE_INVALID"


def test_one_refusal_ends_an_admission(founded: World) -> None:
    digest = parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))
    assert founded.refuse(digest, "qian") == "refused"
    assert state_of(founded) == "applied"
    assert founded.count(t.entry, kind="party_admitted") == 0


def test_the_same_words_of_two_voters_are_two_votes(founded: World) -> None:
    digest = parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))
    vote = f.vote(digest)
    votes.cast(founded.room, OPERATOR, f.sign(vote, "qian"))
    assert votes.cast(founded.room, OPERATOR, f.sign(vote, "sun")) == (digest, "approved")
    assert votes.cast(founded.room, OPERATOR, f.sign(vote, "qian")) == (digest, "approved")
    assert founded.count(t.entry, kind="vote_cast", acknowledged=False) >= 2


def test_a_stored_vote_s_words_with_a_wrong_signature_change_nothing(founded: World) -> None:
    digest = parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))
    vote = f.sign(f.vote(digest), "qian")
    mark = Signature(f.signing_key("sun").public.id, vote.signatures[0].value)
    forged = Statement(vote.body, (mark,))
    assert refused(lambda: votes.cast(founded.room, OPERATOR, forged)) == "SIGNATURE_INVALID"


def test_a_vote_on_nothing_is_not_found(founded: World) -> None:
    assert refused(lambda: founded.approve(f.some_digest())) == "NOT_FOUND"


def test_a_suspension_takes_two_operators_and_readmission_lifts_it(banked: World) -> None:
    one, two = (f.sign(f.suspension(), *names) for names in (GENESIS[:1], GENESIS))

    def suspend(s: Statement) -> object:
        return parties.suspend(banked.room, OPERATOR, f.BANK, s)

    assert refused(lambda: suspend(one)) == "APPROVAL_MISSING"
    assert suspend(two) == "suspended"
    assert refused(lambda: suspend(two)) == "STATE"
    banked.admit()
    assert state_of(banked) == "admitted"
    assert refused(lambda: suspend(two)) == "REPLAY"


def test_only_an_operator_brings_a_suspension(banked: World) -> None:
    paper = f.sign(f.suspension(), *GENESIS)

    def suspend(caller: Caller) -> object:
        return parties.suspend(banked.room, caller, f.BANK, paper)

    assert [refused(lambda: suspend(bank())), refused(lambda: suspend(enterprise()))] == [
        "ROLE"
    ] * 2
    assert refused(lambda: suspend(AUDITOR)) == "ROLE"
    assert state_of(banked) == "admitted"


def test_an_old_suspension_stops_nobody(banked: World) -> None:
    kept = f.sign(f.suspension(nonce=banked.nonce), *GENESIS)
    banked.later(minutes=1)
    banked.admit()  # a contract that is newer than the paper

    def suspend(s: Statement) -> object:
        return parties.suspend(banked.room, OPERATOR, f.BANK, s)

    assert refused(lambda: suspend(kept)) == "REPLAY"
    fresh = f.sign(f.suspension(suspended_at=banked.now_text, nonce=banked.nonce), *GENESIS)
    banked.later(days=1, seconds=1)
    assert refused(lambda: suspend(fresh)) == "REPLAY"
    banked.later(days=-1)
    assert suspend(fresh) == "suspended"


def test_a_suspension_closes_the_admissions_that_waited(banked: World) -> None:
    waiting = parties.apply(banked.room, OPERATOR, f.sign(f.admission(nonce=banked.nonce), "zhao"))
    banked.approve(waiting, names=["qian"])
    banked.suspend_party()
    assert refused(lambda: banked.approve(waiting, names=["sun"])) == "VOTE_INVALID"
    assert state_of(banked) == "suspended"
    banked.admit()
    assert state_of(banked) == "admitted"


def test_a_newly_approved_admission_closes_the_others(banked: World) -> None:
    older = parties.apply(banked.room, OPERATOR, f.sign(f.admission(nonce=banked.nonce), "zhao"))
    banked.approve(older, names=["qian"])
    newer = banked.admit()
    assert refused(lambda: banked.approve(older, names=["sun"])) == "VOTE_INVALID"
    assert banked.count(t.party, admission=newer) == 1


def test_votes_from_before_a_suspension_do_not_lift_it(banked: World) -> None:
    early = banked.now_text
    banked.later(minutes=2)
    banked.suspend_party()
    fresh = parties.apply(banked.room, OPERATOR, f.sign(f.admission(nonce=banked.nonce), "zhao"))
    old, ahead = (
        f.sign(f.vote(fresh, cast_at=at), "qian") for at in (early, "2026-11-20T11:00:00Z")
    )
    assert refused(lambda: votes.cast(banked.room, OPERATOR, old)) == "VOTE_INVALID"
    assert refused(lambda: votes.cast(banked.room, OPERATOR, ahead)) == "FIELD_INVALID"


def test_a_suspension_of_another_or_an_unknown_party_is_refused(banked: World) -> None:
    other = f.sign(f.suspension(party="bank-x"), *GENESIS)

    def act(party: str) -> object:
        return parties.suspend(banked.room, OPERATOR, party, other)

    assert refused(lambda: act(f.BANK)) == "FIELD_INVALID"
    assert refused(lambda: act("bank-x")) == "NOT_FOUND"


def test_a_renewed_contract_replaces_the_old_one(banked: World) -> None:
    digest = banked.admit(name="First Bank, renewed")
    assert state_of(banked) == "admitted"
    assert banked.count(t.party, admission=digest) == 1


def test_open_admissions_are_listed_for_the_voters(founded: World) -> None:
    digest = parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))
    parties.apply(founded.room, OPERATOR, f.sign(f.admission(), "zhao"))  # sent again
    (listed,) = parties.list_parties(founded.room, OPERATOR)
    assert listed == {"party": f.BANK, "state": "applied", "admission": None, "open": [digest]}


def test_a_policy_set_is_read_before_anybody_votes(founded: World) -> None:
    bad = PolicySet(files=(PolicyFile(name="a.cedar", text="nonsense"),))

    def propose() -> Digest:
        return subjects.propose(founded.room, OPERATOR, f.sign(bad, "zhao"))

    assert refused(propose) == "POLICY_INVALID"


def test_an_activated_policy_set_counts_at_once(founded: World) -> None:
    digest = founded.activate(PERMIT_ALL)
    assert health.describe(founded.room)["policy"] == digest


def test_a_refused_policy_set_never_counts(founded: World) -> None:
    before = health.describe(founded.room)["policy"]
    digest = subjects.propose(founded.room, OPERATOR, f.sign(PERMIT_ALL, "zhao"))
    founded.refuse(digest, "sun")
    assert health.describe(founded.room)["policy"] == before


def test_a_source_needs_its_party_and_its_own_steward_or_an_operator(founded: World) -> None:
    manifest = f.source()

    def propose(who: str) -> Digest:
        return subjects.propose(founded.room, OPERATOR, f.sign(manifest, who))

    assert refused(lambda: propose("zhao")) == "NOT_FOUND"
    founded.admit("tax", party_kind="source")
    founded.enrol("tax.steward", party="tax", role=Role.STEWARD)
    founded.enrol("power.steward", party="power", role=Role.STEWARD)
    assert refused(lambda: propose("power.steward")) == "ROLE"
    digest = propose("tax.steward")
    assert founded.approve(digest, names=["zhao", "qian"]) == "approved"
    assert founded.count(t.entry, kind="source_connected") == 1


def test_a_departments_node_is_enrolled_by_two_operators_and_logged(founded: World) -> None:
    def propose(who: str) -> Digest:
        return subjects.propose(founded.room, OPERATOR, f.sign(f.node(), who))

    assert refused(lambda: propose("zhao")) == "NOT_FOUND"
    founded.admit("tax", party_kind="source")
    founded.enrol("tax.steward", party="tax", role=Role.STEWARD)
    founded.enrol("power.steward", party="power", role=Role.STEWARD)
    assert refused(lambda: propose("power.steward")) == "ROLE"
    digest = propose("tax.steward")
    assert founded.count(t.entry, kind="source_connected") == 0
    assert founded.approve(digest, names=["zhao", "qian"]) == "approved"
    assert founded.count(t.entry, kind="source_connected") == 1


def declared_mock(names: Sequence[str] = f.FEATURES) -> MockSet:
    stops = (Stop(permille=0, value="0"), Stop(permille=1000, value="1"))
    columns = [
        MockColumn(
            name=name, stops=stops, shares=(), whole=False, missing_permille=0, missing_with="tax"
        )
        for name in sorted(names)
    ]
    return MockSet(columns=tuple(columns), correlations=())


def test_mock_data_is_declared_by_a_steward_and_agreed_to_by_two_operators(
    founded: World,
) -> None:
    founded.enrol("tax.steward", party="tax", role=Role.STEWARD)
    founded.enrol_bank()
    mock = declared_mock()

    def propose(who: str) -> Digest:
        return subjects.propose(founded.room, OPERATOR, f.sign(mock, who))

    assert refused(lambda: health.mock_set(founded.room)) == "NOT_READY"
    assert refused(lambda: propose(f"{f.BANK}.modeller")) == "ROLE"
    digest = propose("tax.steward")
    assert refused(lambda: founded.approve(digest, names=["tax.steward"])) == "SELF_APPROVE"
    assert founded.approve(digest, names=["zhao"]) == "open"
    assert refused(lambda: health.mock_set(founded.room)) == "NOT_READY"
    assert founded.approve(digest, names=["qian"]) == "approved"
    assert founded.count(t.entry, kind="mock_approved") == 1
    founded.vault.away = True  # no word of the vault's is needed
    assert health.mock_set(founded.room) == mock.to_body()
    assert health.catalogue(founded.room) == f.views().to_body()


def test_the_vault_is_not_taught_mock_data(founded: World) -> None:
    before = len(founded.vault.learnt)
    digest = subjects.propose(founded.room, OPERATOR, f.sign(declared_mock(), "zhao"))
    founded.approve(digest)
    assert len(founded.vault.learnt) == before


def test_a_view_without_mock_data_is_no_set_to_vote_on(founded: World) -> None:
    few = f.sign(declared_mock(f.FEATURES[:1]), "zhao")
    assert refused(lambda: subjects.propose(founded.room, OPERATOR, few)) == "MOCK_UNDECLARED"


@pytest.mark.parametrize("body", [{"kind": "saferoom/budget/1"}, {"kind": 3}, {}])
def test_other_kinds_are_not_put_up(founded: World, body: dict[str, Json]) -> None:

    def act() -> object:
        return subjects.propose(founded.room, OPERATOR, f.sign(body, "zhao"))

    assert refused(act) == "FIELD_INVALID"


def test_only_operators_put_views_up(banked: World) -> None:
    views = f.sign(f.views().to_body(), f"{f.BANK}.modeller")
    assert refused(lambda: subjects.propose(banked.room, bank(), views)) == "ROLE"


def test_a_version_s_life(banked: World) -> None:
    digest = banked.submit(banked.version)

    def state() -> Json:
        return versions.get_version(banked.room, OPERATOR, digest)["state"]

    assert state() == "checked"
    assert refused(lambda: banked.approve(digest, "bank", [f"{f.BANK}.modeller"])) == "SELF_APPROVE"
    assert refused(lambda: banked.approve(digest, "review", ["zhao"])) == "VOTE_INVALID"
    assert banked.approve(digest, "bank", [f"{f.BANK}.approver"]) == "open"
    assert state() == "under_review"
    assert banked.approve(digest, "review", ["zhao", "qian"]) == "approved"
    assert state() == "approved"
    assert banked.suspend_version() == "suspended"
    assert refused(banked.suspend_version) == "STATE"


def test_a_refused_version_is_refused(banked: World) -> None:
    digest = banked.submit(banked.version)
    assert banked.refuse(digest, f"{f.BANK}.approver", "bank") == "refused"
    assert versions.get_version(banked.room, bank(), digest)["state"] == "refused"


def test_a_version_sent_again_is_the_same_version(banked: World) -> None:
    assert banked.submit(banked.version) == banked.submit(banked.version)
    assert banked.count(t.entry, kind="version_submitted") == 1


@pytest.mark.parametrize(
    ("caller", "sees"),
    [(bank(), True), (OPERATOR, True), (AUDITOR, True), (enterprise(), False), (bank("b"), False)],
)
def test_a_version_is_known_to_those_it_concerns(banked: World, caller: Caller, sees: bool) -> None:
    digest = banked.submit(banked.version)
    assert len(versions.list_versions(banked.room, caller)) == int(sees)
    if not sees:
        assert refused(lambda: versions.get_version(banked.room, caller, digest)) == "NOT_FOUND"


def test_an_enterprise_knows_the_versions_that_it_granted_at_some_time(world: World) -> None:
    other = world.manifest()
    world.approve_version(other)
    known = [one["digest"] for one in versions.list_versions(world.room, enterprise())]
    assert known == [world.version.digest]
    assert len(versions.list_versions(world.room, bank())) == 2
    world.revoke(world.grant())
    held = versions.get_version(world.room, enterprise(), world.version.digest)
    assert held["state"] == "approved"
    stranger = enterprise(code(8))

    def get(caller: Caller, digest: str) -> object:
        return versions.get_version(world.room, caller, digest)

    assert refused(lambda: get(enterprise(), other.digest)) == "NOT_FOUND"
    assert refused(lambda: get(stranger, world.version.digest)) == "NOT_FOUND"


STOPPERS = [OPERATOR, bank(), bank(role=Role.APPROVER)]


@pytest.mark.parametrize("caller", STOPPERS)
def test_an_operator_or_the_bank_stops_a_version_by_signing(world: World, caller: Caller) -> None:
    assert world.suspend_version(caller) == "suspended"
    assert world.vault.learnt[-1].kind == VersionSuspension.KIND
    assert world.count(t.entry, kind="version_suspended") == 1
    assert refused(world.score) == "MODEL_UNFILED"


OTHERS = [
    (bank("b", Role.APPROVER), "NOT_FOUND"),  # nor does it learn that the version is there
    (bank(role=Role.SYSTEM), "ROLE"),
    (enterprise(), "ROLE"),
]


@pytest.mark.parametrize(("caller", "why"), OTHERS)
def test_others_do_not_suspend_a_version(world: World, caller: Caller, why: str) -> None:
    world.enrol_bank("b")
    assert refused(lambda: world.suspend_version(caller)) == why
    paper = f.version_suspension(world.version.digest)

    def stop(brings: Caller, signs: str) -> object:
        signed = f.sign(paper, signs)
        return versions.suspend(world.room, brings, world.version.digest, signed)

    assert refused(lambda: stop(caller, "zhao")) == why
    assert refused(lambda: stop(OPERATOR, caller.holder)) == "ROLE"
    assert world.count(t.suspension) == 0


def test_a_version_s_state_in_the_database_does_not_undo_its_suspension(world: World) -> None:
    world.suspend_version()
    world.execute(sa.update(t.version).values(state="approved"))
    assert refused(world.score) == "MODEL_UNFILED"


def test_a_party_s_state_in_the_database_does_not_undo_its_suspension(world: World) -> None:
    world.suspend_party()
    world.execute(sa.update(t.party).values(state="admitted"))
    assert refused(world.score) == "ORG_INACTIVE"


@pytest.mark.parametrize(
    ("code_", "by", "changes"),
    [
        ("FIELD_INVALID", {}, {"version": f.some_digest()}),
        ("FIELD_INVALID", {"minutes": -6}, {"suspended_at": f.NOW_TEXT}),
        ("REPLAY", {"days": 2}, {"suspended_at": f.NOW_TEXT}),
        ("REPLAY", {}, {"suspended_at": "2026-11-20T10:50:59Z"}),  # before its approval
    ],
)
def test_a_version_is_not_stopped_by_another_s_or_old_paper(
    world: World, code_: str, by: dict[str, float], changes: dict[str, object]
) -> None:
    world.later(**by)
    assert refused(lambda: world.suspend_version(**changes)) == code_


def test_an_unknown_version_is_not_found(banked: World) -> None:
    def stop() -> object:
        paper = f.sign(f.version_suspension(Digest("0" * 64)), "zhao")
        return versions.suspend(banked.room, OPERATOR, "0" * 64, paper)

    assert refused(stop) == "NOT_FOUND"
    assert refused(lambda: versions.get_version(banked.room, OPERATOR, "0" * 64)) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("code_", "changes"),
    [
        ("CONTENT_CHANGED", {"artefact": f.some_digest()}),
        ("CONTENT_CHANGED", {"artefact_bytes": 3}),
        ("VIEW_UNAPPROVED", {"views": f.some_digest()}),
        ("MODEL_FEATURE_UNKNOWN", {"features": ("no_such",)}),
        ("CONTRACT_SCOPE", {"group": "another"}),
    ],
)
def test_a_version_that_could_never_score_is_refused(
    banked: World, code_: str, changes: dict[str, object]
) -> None:
    assert refused(lambda: banked.submit(banked.manifest(**changes))) == code_
    assert banked.count(t.version) == 0


@pytest.mark.parametrize(
    ("code_", "signer"),
    [("ROLE", f"{f.BANK}.approver"), ("ROLE", "bank-b.modeller"), ("KEY_UNKNOWN", "nobody")],
)
def test_only_the_bank_s_modeller_submits(banked: World, code_: str, signer: str) -> None:
    banked.enrol_bank("bank-b")
    statement = f.sign(banked.version, signer)

    def act() -> object:
        return versions.submit(banked.room, bank(), statement, ARTEFACT)

    assert refused(act) == code_


def test_a_bank_that_is_not_admitted_submits_nothing(founded: World) -> None:
    founded.enrol_bank()
    assert refused(lambda: founded.submit(founded.manifest())) == "ORG_INACTIVE"
