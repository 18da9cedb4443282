"""Who gets evaluated, and who gets nothing at all?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from saferoom.core.answer import AAD, pad
from saferoom.core.approval import Decision, SubjectKind
from saferoom.core.enrolment import Role
from saferoom.core.grant import Grant
from saferoom.core.grant_text import worded
from saferoom.core.manifest import Manifest, Purpose
from saferoom.crypto.sealing import SealingKey, SealingPublicKey, seal, unseal
from saferoom.crypto.signing import Signature, Statement
from saferoom.errors import Refusal, SaferoomError, Tampered
from tests import factories as make
from tests.vault.room import CODES, SmallRoom, forget

ONE, TWO, THREE, FOUR, FIVE, SIX, UNKNOWN, _ = CODES


def test_every_kind_of_enterprise_has_its_outcome(room: SmallRoom) -> None:
    version = room.file_version()
    scored = room.score(version, *CODES[:7])
    assert room.outcomes(scored) == {
        ONE: "A",  # 120,000 yuan, grade A
        TWO: "B",  # 120,000 yuan, grade D
        THREE: "C",  # no sales, grade C
        FOUR: "refused",  # a disputed filing
        FIVE: "missing",  # registered, no taxes
        SIX: "missing",  # power only
        UNKNOWN: "missing",  # not in any source
    }
    assert scored.refusals == {}
    assert list(scored.answers) == list(CODES[:7])


def test_an_answer_is_for_the_bank_and_the_enterprise_alone(room: SmallRoom) -> None:
    version = room.file_version()
    scored = room.score(version, ONE)
    sealed = scored.answers[ONE]
    answer = room.opened(sealed)
    assert answer == room.opened(sealed, ONE)
    assert (answer.enterprise, answer.version) == (ONE, version.digest)
    assert answer.snapshot == scored.snapshot
    for stranger in (TWO, "zhao", f"{make.BANK}.modeller"):
        with pytest.raises(Tampered):
            unseal(sealed, SealingKey(make.sealing_seed(stranger)), b"saferoom/answer/1")


def test_the_sealed_length_says_nothing(room: SmallRoom) -> None:
    """Names of unequal length, in letters of unequal bytes, some of them escaped in JSON."""
    version = room.file_version(grades=("优秀客户", "B", '"\\"'))
    scored = room.score(version, *CODES[:7])
    assert set(room.outcomes(scored).values()) == {*version.grades, "missing", "refused"}
    assert len({len(sealed) for sealed in scored.answers.values()}) == 1


def test_who_knows_the_delivery_key_cannot_answer_in_the_vaults_name(room: SmallRoom) -> None:
    version = room.file_version()
    told = room.opened(room.score(version, ONE).answers[ONE])
    bank = [SealingPublicKey.from_hex(version.delivery_key)]
    for statement in (
        Statement(told.to_body(), ()),
        make.sign(told, "zhao"),
        make.sign(told, "bank-a.modeller"),
    ):
        with pytest.raises(Tampered, match="ANSWER_INVALID"):
            room.opened(seal(pad(statement), bank, AAD, room.random))


Forge = Callable[[SmallRoom, Manifest], Statement | None]


def _other_purpose(room: SmallRoom, version: Manifest) -> Statement:
    return room.grant(version, ONE, purpose=Purpose.POST_LOAN_MONITORING)


def _expired(room: SmallRoom, version: Manifest) -> Statement:
    return room.grant(version, ONE, valid_until="2026-11-20T10:00:00Z")


def _signed_by(name: str) -> Forge:
    def forge(room: SmallRoom, version: Manifest) -> Statement:
        return make.sign(room.grant(version, ONE).body, name)

    return forge


def _edited(**changes: object) -> Forge:
    """Change a signed grant and keep its signature."""

    def forge(room: SmallRoom, version: Manifest) -> Statement:
        honest = room.grant(version, ONE)
        other = room.grant(version, ONE, **changes)
        return Statement(other.body, honest.signatures)

    return forge


def worded_otherwise(room: SmallRoom, version: Manifest, votes: int) -> Statement:
    """Sign under another wording, which the vault was taught with so many votes."""
    other = make.template(version=2)
    room.put_up(other)
    room.learn(*make.votes_for(other.digest, SubjectKind.TEMPLATE)[:votes])
    bare = Grant.from_body(room.grant(version, ONE, template=other.digest).body)
    return make.sign(worded(other, bare), ONE)


def test_an_older_and_a_newer_wording_stand_side_by_side(room: SmallRoom) -> None:
    version = room.file_version()
    grants = [worded_otherwise(room, version, votes=2), room.grant(version, TWO)]
    assert room.service.score(room.request(version, (ONE, TWO)), grants).refusals == {}


def test_what_is_no_wording_serves_as_none(room: SmallRoom) -> None:
    version = room.file_version()
    grant = room.grant(version, ONE, template=room.declared.views.digest)
    scored = room.service.score(room.request(version, (ONE,)), [grant])
    assert scored.refusals == {ONE: "AUTH_SCOPE"}


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda room, version: None, "AUTH_MISSING"),
        (lambda room, version: forget(room.grant(version, ONE)), "SIGNATURE_INVALID"),
        (_signed_by(TWO), "SIGNATURE_INVALID"),
        (_signed_by("zhao"), "ROLE"),
        (_signed_by("nobody"), "KEY_UNKNOWN"),
        (_edited(valid_until="2099-01-01T00:00:00Z"), "SIGNATURE_INVALID"),
        (_edited(nonce=make.nonce("another")), "SIGNATURE_INVALID"),
        (_expired, "AUTH_EXPIRED"),
        (_other_purpose, "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, outcomes=4), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, charge_mbit=1), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, bank="bank-b"), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, text=make.some_digest()), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, template=make.some_digest()), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, representative_ticked=True), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, model_name="better"), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, group="bank-b"), "AUTH_SCOPE"),
        (lambda room, version: worded_otherwise(room, version, votes=1), "AUTH_SCOPE"),
        (lambda room, version: room.grant(version, ONE, categories=("tax", "x")), "AUTH_SCOPE"),
        (
            lambda room, version: room.grant(version, ONE, version=make.some_digest()),
            "AUTH_SCOPE",
        ),
    ],
)
def test_a_grant_that_is_not_the_enterprises_own_and_exact_refuses(
    room: SmallRoom, forge: Forge, code: str
) -> None:
    version = room.file_version()
    one = forge(room, version)
    grants = [room.grant(version, TWO), *([one] if one else [])]
    scored = room.service.score(room.request(version, (ONE, TWO)), grants)
    assert scored.refusals == {ONE: code}
    assert list(scored.answers) == [TWO]


def test_a_revoked_grant_refuses_at_once_and_after_a_restart(room: SmallRoom) -> None:
    version = room.file_version()
    assert room.score(version, ONE).refusals == {}
    granted = Grant.from_body(room.grant(version, ONE).body)
    room.learn(make.sign(make.revocation(granted), ONE))
    assert room.score(version, ONE).refusals == {ONE: "AUTH_REVOKED"}  # not even the old answer
    room.restart()
    assert room.score(version, ONE, number=1).refusals == {ONE: "AUTH_REVOKED"}


def test_nobody_else_can_revoke(room: SmallRoom) -> None:
    version = room.file_version()
    granted = Grant.from_body(room.grant(version, ONE).body)
    with pytest.raises(Refusal):
        room.learn(make.sign(make.revocation(granted), TWO))
    assert room.score(version, ONE).refusals == {}


def _unsigned(room: SmallRoom, version: Manifest) -> Statement:
    return forget(room.request(version, (ONE,)))


def _by(name: str) -> Callable[[SmallRoom, Manifest], Statement]:
    def forge(room: SmallRoom, version: Manifest) -> Statement:
        return make.sign(room.request(version, (ONE,)).body, name)

    return forge


def _old(room: SmallRoom, version: Manifest) -> Statement:
    return room.request(version, (ONE,), asked_at="2026-11-20T10:45:59Z")


def _damaged(room: SmallRoom, version: Manifest) -> Statement:
    honest = room.request(version, (ONE,))
    (mark,) = honest.signatures
    flipped = bytes([mark.value[0] ^ 1]) + mark.value[1:]
    return Statement(honest.body, (Signature(mark.key, flipped),))


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (_unsigned, "SIGNATURE_INVALID"),
        (_damaged, "SIGNATURE_INVALID"),
        (_by("nobody"), "KEY_UNKNOWN"),
        (_by("zhao"), "ROLE"),
        (_by(ONE), "ROLE"),
        (_by("bank-a.approver"), "ROLE"),
        (_by("bank-b.system"), "ROLE"),
        (_old, "REPLAY"),
        (
            lambda room, version: room.request(version, (ONE,), asked_at="2026-11-20T10:56:01Z"),
            "REPLAY",
        ),
        (
            lambda room, version: room.request(
                version, (ONE,), purpose=Purpose.POST_LOAN_MONITORING
            ),
            "PURPOSE",
        ),
        (
            lambda room, version: room.request(version, (ONE,), version=make.some_digest()),
            "MODEL_UNFILED",
        ),
    ],
)
def test_a_request_that_the_bank_did_not_sign_now_is_refused_whole(
    room: SmallRoom, forge: Callable[[SmallRoom, Manifest], Statement], code: str
) -> None:
    room.enrol("bank-b.system", "bank-b", Role.SYSTEM)
    version = room.file_version()
    with pytest.raises(SaferoomError) as refused:
        room.service.score(forge(room, version), [room.grant(version, ONE)])
    assert refused.value.code == code


def test_a_replayed_old_request_is_refused(room: SmallRoom) -> None:
    version = room.file_version()
    request, grants = room.request(version, (ONE,)), [room.grant(version, ONE)]
    room.service.score(request, grants)
    room.later(minutes=6)
    with pytest.raises(Refusal, match="REPLAY"):
        room.service.score(request, grants)


@pytest.mark.parametrize("votes", [0, 1, 2])
def test_a_version_without_all_its_votes_scores_nobody(room: SmallRoom, votes: int) -> None:
    sealed = room.sealed()
    version = room.manifest(sealed)
    statement = make.sign(version, "bank-a.modeller")
    room.service.check_model(statement, sealed)
    room.learn(statement, *make.votes_for(statement.digest, SubjectKind.VERSION)[:votes])
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        room.score(version, ONE)


@pytest.mark.parametrize(
    ("voters", "code"),
    [
        (("bank-a.modeller",), "SELF_APPROVE"),
        (("bank-a.approver", "bank-a.approver"), "VOTE_INVALID"),
        (("bank-a.approver", ONE), "ROLE"),
        (("bank-a.approver", "zhao", "zhao"), "VOTE_INVALID"),
        (("bank-a.approver", "stranger"), "KEY_UNKNOWN"),
        (("bank-b.approver",), "ROLE"),
    ],
)
def test_forged_votes_count_for_nothing(
    room: SmallRoom, voters: tuple[str, ...], code: str
) -> None:
    room.enrol("bank-b.approver", "bank-b", Role.APPROVER)
    sealed = room.sealed()
    version = room.manifest(sealed)
    statement = make.sign(version, "bank-a.modeller")
    room.service.check_model(statement, sealed)
    room.learn(statement)
    *before, last = [
        make.sign(make.vote(version.digest, _step(voters, n), nonce=make.nonce(n)), voter)
        for n, voter in enumerate(voters)
    ]
    room.learn(*before)
    with pytest.raises(SaferoomError) as refused:
        room.learn(last)
    assert refused.value.code == code
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        room.score(version, ONE)


def _step(voters: tuple[str, ...], number: int) -> str:
    """Vote at the bank's step first, and again if the same person tries twice."""
    return "bank" if voters[number] == voters[0] else "review"


def test_a_refusing_vote_ends_it(room: SmallRoom) -> None:
    sealed = room.sealed()
    version = room.manifest(sealed)
    statement = make.sign(version, "bank-a.modeller")
    room.service.check_model(statement, sealed)
    no = make.vote(version.digest, "bank", decision=Decision.REFUSE)
    room.learn(statement, make.sign(no, "bank-a.approver"))
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        room.score(version, ONE)


def test_another_banks_key_scores_nobody_with_this_banks_version(room: SmallRoom) -> None:
    version = room.file_version()
    stolen = replace(version, bank="bank-b")
    with pytest.raises(Refusal, match="MODEL_UNFILED"):
        room.score(stolen, ONE)


def test_a_suspended_bank_scores_nobody_until_it_is_admitted_anew(room: SmallRoom) -> None:
    version = room.file_version()
    room.learn(make.sign(make.suspension(), "zhao", "qian"))
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        room.score(version, ONE)
    room.restart()
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        room.score(version, ONE)
    again = make.admission(
        categories=("registration", "tax", "utilities"), nonce=make.nonce("again")
    )
    room.approve(room.put_up(again), SubjectKind.ADMISSION)
    assert room.score(version, ONE).refusals == {}


def test_a_bank_outside_its_contract_scores_nobody(room: SmallRoom) -> None:
    version = room.file_version()
    narrow = make.admission(categories=("registration",), nonce=make.nonce("narrow"))
    room.approve(room.put_up(narrow), SubjectKind.ADMISSION)
    with pytest.raises(Refusal, match="CONTRACT_SCOPE"):
        room.score(version, ONE)


def test_a_tampered_artefact_is_never_loaded(room: SmallRoom) -> None:
    version = room.file_version()
    path = room.home / "vault/models" / version.artefact
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        room.score(version, ONE)


def test_one_grant_for_each_enterprise_that_was_asked_for(room: SmallRoom) -> None:
    version = room.file_version()
    grant = room.grant(version, ONE)
    for grants in ([grant, grant], [grant, room.grant(version, TWO)]):
        with pytest.raises(SaferoomError, match="FIELD_INVALID"):
            room.service.score(room.request(version, (ONE,)), grants)


def test_a_replaced_enterprise_key_voids_its_grants(room: SmallRoom) -> None:
    version = room.file_version()
    old = make.enrolment(ONE, party=ONE, role=Role.ENTERPRISE)
    new = make.enrolment(
        "new phone", holder=ONE, party=ONE, role=Role.ENTERPRISE, replaces=old.key_id
    )
    room.learn(make.sign(new, "new phone", "zhao", "qian"))
    assert room.score(version, ONE).refusals == {ONE: "KEY_UNKNOWN"}
    fresh = make.sign(room.grant(version, ONE).body, "new phone")
    scored = room.service.score(room.request(version, (ONE,), 1), [fresh])
    assert room.outcome(scored.answers[ONE], "new phone") == "A"
