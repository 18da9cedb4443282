from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import gate, parties, people, receipts, scores
from saferoom.canonical import parse_object
from saferoom.core.grant import Grant
from saferoom.crypto.signing import Signature, Statement
from saferoom.errors import BadInput, Conflict, NotFound, Refusal, SaferoomError, Unavailable
from saferoom.ports import Evaluation
from tests import factories as f
from tests.app.world import (
    GENESIS,
    OPERATOR,
    PERMIT_ALL,
    World,
    bank,
    code,
    enterprise,
    ready_world,
)


def only_grant(world: World) -> Grant:
    with world.room.database.connect() as connection:
        stored = connection.scalars(sa.select(t.permission.c.statement)).one()
    return Grant.from_body(Statement.from_bytes(stored).body)


def refused(world: World, act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def refused_or_line(world: World) -> str | None:
    try:
        return line_code(world)
    except SaferoomError as error:
        return error.code


def line_code(world: World) -> str | None:
    return world.score().results[0].code


def replace_enterprise_key(world: World) -> None:
    """The grant was signed by the key that is void now."""
    old = f.signing_key(f.ENTERPRISE).public.id
    changes = {"party": f.ENTERPRISE, "role": "enterprise", "replaces": old}
    new = f.enrolment(
        f.ENTERPRISE,
        **{**changes, "signing_key": f.signing_key("new").public.raw.hex(), "nonce": f.nonce(9)},
    )
    people.enrol(world.room, OPERATOR, [f.sign(new.to_body(), "new", *GENESIS)])


def test_a_score_leaves_charged_once(world: World) -> None:
    (line,) = world.score().results
    assert (line.status, line.charge_mbit, line.stored) == ("released", 4000, False)
    assert line.answer in world.vault.answers.values()
    assert line.enterprise == f.ENTERPRISE
    assert world.spent() == 4000
    assert world.count(t.entry, kind="release") == 1


def test_a_retry_with_the_same_key_gets_the_same_answer_for_nothing(world: World) -> None:
    asked, key = world.request(), world.key()
    first = world.score(asked, key)
    world.later(hours=1)  # long after the request itself went stale
    assert world.score(asked, key) == first
    assert world.spent() == 4000
    assert world.vault.evaluated == 1


def test_the_same_answer_again_is_a_release_that_costs_nothing(world: World) -> None:
    first, second = world.score().results[0], world.score().results[0]
    assert (second.stored, second.charge_mbit, second.answer) == (True, 0, first.answer)
    assert second.receipt != first.receipt
    assert world.count(t.entry, kind="release") == 2
    assert (world.spent(), world.vault.evaluated) == (4000, 1)


def test_a_new_snapshot_is_a_new_answer_and_charged(world: World) -> None:
    world.score()
    world.publish()
    assert world.score().results[0].stored is False
    assert world.spent() == 8000


def test_another_body_under_the_same_key_conflicts(world: World) -> None:
    key = world.key()
    world.score(world.request(), key)
    assert refused(world, lambda: world.score(world.request(), key)) == "IDEMPOTENCY_CONFLICT"


def test_the_same_request_under_another_key_is_a_replay(world: World) -> None:
    asked = world.request()
    world.score(asked)
    assert refused(world, lambda: world.score(asked)) == "REPLAY"
    assert world.spent() == 4000


def test_a_stale_request_is_a_replay(world: World) -> None:
    asked = world.request()
    world.later(seconds=301)
    assert refused(world, lambda: world.score(asked)) == "REPLAY"


def test_a_view_below_its_gate_refuses_the_request_for_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault says so of the whole room's snapshot, not of an enterprise: nothing is charged."""

    def closed(*_: object) -> Evaluation:
        raise Refusal("QUALITY_GATE", "features: 1")

    with monkeypatch.context() as patched:
        patched.setattr(world.vault, "score", closed)
        assert refused(world, world.score) == "QUALITY_GATE"
    assert world.spent() == 0
    assert world.count(t.entry, kind="refusal") == 1
    assert world.score().results[0].status == "released"


def test_a_malformed_key_is_refused(world: World) -> None:
    with pytest.raises(BadInput) as caught:
        world.score(key="short")
    assert caught.value.code == "IDEMPOTENCY_KEY"


@pytest.mark.parametrize("permit_all", [False, True])
@pytest.mark.parametrize(
    ("code_", "spoil"),
    [
        ("AUTH_REVOKED", lambda w: w.revoke(only_grant(w))),
        ("AUTH_EXPIRED", lambda w: w.grant(valid_until=f.NOW_TEXT)),
        ("AUTH_EXPIRED", lambda w: w.grant(valid_from="2027-01-01T00:00:00Z")),
        (
            "BUDGET_FULL",
            lambda w: w.budget(replaces=w.budgets[f.ENTERPRISE, f.BANK].digest, limit_mbit=3999),
        ),
        (
            "CEILING_FULL",
            lambda w: w.budget(replaces=w.budgets[f.ENTERPRISE, f.BANK].digest, ceiling_mbit=3999),
        ),
        ("AUTH_MISSING", lambda w: w.execute(sa.delete(t.permission))),
        ("BUDGET_FULL", lambda w: w.execute(sa.delete(t.account))),
        ("KEY_UNKNOWN", replace_enterprise_key),
    ],
)
def test_refusal_of_one_enterprise_is_free_logged_and_stands_under_any_policy(
    world: World, code_: str, spoil: Callable[[World], object], permit_all: bool
) -> None:
    if permit_all:
        world.activate(PERMIT_ALL)
    spoil(world)
    (line,) = world.score().results
    assert (line.status, line.code, line.charge_mbit) == ("refused", code_, 0)
    assert line.answer is None
    assert line.remedy
    assert world.vault.evaluated == 0
    assert world.count(t.release) == 0
    assert world.count(t.entry, kind="refusal") == 1


def suspend_party(world: World) -> None:
    parties.suspend(world.room, OPERATOR, f.BANK, f.sign(f.suspension(), *GENESIS))


def drop_votes(world: World) -> None:
    world.execute(sa.delete(t.vote).where(t.vote.c.subject == world.version.digest))


def forge_vote(world: World) -> None:
    """A vote with a signature that is another vote's."""
    query = sa.select(t.vote).where(t.vote.c.subject == world.version.digest)
    with world.room.database.connect() as connection:
        rows = connection.execute(query.order_by(t.vote.c.number)).all()
    first, last = (Statement.from_bytes(rows[at].statement) for at in (0, -1))
    forged = Statement(first.body, last.signatures).to_bytes()
    world.execute(
        sa.update(t.vote).where(t.vote.c.number == rows[0].number).values(statement=forged)
    )


@pytest.mark.parametrize("permit_all", [False, True])
@pytest.mark.parametrize(
    ("code_", "spoil"),
    [
        ("ORG_INACTIVE", suspend_party),
        ("ORG_INACTIVE", lambda w: w.later(days=400)),
        ("MODEL_UNFILED", lambda w: w.suspend_version()),
        ("APPROVAL_MISSING", drop_votes),
        ("SIGNATURE_INVALID", forge_vote),
    ],
)
def test_refusal_of_the_whole_request_stands_under_any_policy(
    world: World, code_: str, spoil: Callable[[World], object], permit_all: bool
) -> None:
    if permit_all:
        world.activate(PERMIT_ALL)
    spoil(world)
    asked, key = world.request(), world.key()
    for _ in range(2):
        assert refused(world, lambda: world.score(asked, key)) == code_
    assert world.vault.evaluated == 0
    assert world.count(t.entry, kind="refusal") == 1  # one request, one entry
    assert world.count(t.release) == 0


@pytest.mark.parametrize(
    ("code_", "signer", "changes"),
    [
        ("KEY_UNKNOWN", "stranger", {}),
        ("ROLE", f"{f.BANK}.approver", {}),
        ("ROLE", "zhao", {}),
        ("PURPOSE", f"{f.BANK}.modeller", {"purpose": "post_loan_monitoring"}),
    ],
)
def test_request_that_is_not_rightly_signed_is_refused(
    world: World, code_: str, signer: str, changes: dict[str, object]
) -> None:
    asked, before = f.request(world.version, **changes), world.count(t.entry)
    assert refused(world, lambda: world.score(f.sign(asked, signer))) == code_
    logged = code_ == "PURPOSE"  # what the bank did not sign leaves no entry
    assert world.count(t.entry) == before + logged


def test_no_token_fills_the_log_with_what_nobody_signed(world: World) -> None:
    before = world.count(t.entry)
    signed = world.request()
    for caller in (enterprise(), bank(), bank("bank-b")):
        for marks in ((), (Signature(f.signing_key(caller.holder).public.id, bytes(64)),)):
            with pytest.raises((Refusal, NotFound)):
                scores.score(world.room, caller, Statement(signed.body, marks), world.key())
    with pytest.raises(NotFound):
        scores.score(world.room, enterprise(), signed, world.key())  # another's, seen somewhere
    assert world.count(t.entry) == before
    assert world.count(t.refusal) == 0


def test_a_token_of_another_party_does_not_serve_a_bank_s_request(world: World) -> None:
    world.enrol_bank("bank-b")
    asked = world.request()
    assert refused(world, lambda: world.score(asked, party="bank-b")) == "NOT_FOUND"
    assert world.score(asked).results[0].status == "released"  # and was not used up


def test_unknown_version_is_not_found(world: World) -> None:
    assert refused(world, lambda: world.score(world.request(version=world.manifest()))) == (
        "NOT_FOUND"
    )


def test_policy_refuses_by_name_where_code_would_release(world: World) -> None:
    forbids = type(PERMIT_ALL)(
        files=tuple(
            type(file)(
                name=file.name,
                text=file.text
                + '\n@id("not-now") forbid (principal, action, resource)'
                + " when { context.charge_mbit > 0 };",
            )
            if file.name.endswith(".cedar")
            else file
            for file in PERMIT_ALL.files
        )
    )
    world.activate(forbids)
    (line,) = world.score().results
    assert line.code == "POLICY_DENIED"
    assert "not-now" in (line.sentence or "")


def test_a_batch_refuses_some_and_releases_the_others(database: sa.Engine, tmp_path: Path) -> None:
    world = ready_world(database, tmp_path, enterprises=5)
    codes = [code(number + 1) for number in range(5)]
    stranger = code(77)
    world.vault.refuses[codes[2]] = "RATE_CAP"
    world.execute(sa.delete(t.permission).where(t.permission.c.enterprise == codes[4]))
    answer = world.score(world.request(stranger, *codes))
    assert [line.enterprise for line in answer.results] == [stranger, *codes]
    assert [line.code for line in answer.results] == [
        "AUTH_MISSING",
        None,
        None,
        "RATE_CAP",
        None,
        "AUTH_MISSING",
    ]
    assert world.count(t.entry, kind="release") == 1
    assert world.count(t.entry, kind="refusal") == 1  # with a record of each
    assert world.count(t.record) == 3 + 3
    assert len(answer.promises) == 2


def test_chunks_have_entries_of_their_own(
    database: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scores, "CHUNK", 2)
    world = ready_world(database, tmp_path, enterprises=5)
    codes = [code(number + 1) for number in range(5)]
    assert {line.status for line in world.score(world.request(*codes)).results} == {"released"}
    assert world.count(t.entry, kind="release") == 3


def test_a_crash_between_chunks_is_finished_by_the_retry(
    database: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ready_world(database, tmp_path, enterprises=4)
    codes = [code(number + 1) for number in range(4)]
    asked, key = world.request(*codes), world.key()
    real, calls = gate.commit_chunk, []

    def dies_the_second_time(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(scores, "CHUNK", 2)
    monkeypatch.setattr(scores, "commit_chunk", dies_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        world.score(asked, key)
    assert world.count(t.release) == 2
    answer = world.score(asked, key)
    assert [line.status for line in answer.results] == ["released"] * 4
    assert [world.spent(one) for one in codes] == [4000] * 4
    assert world.vault.evaluated == 4


def test_data_that_moved_is_evaluated_again(world: World) -> None:
    real = world.vault.score
    moves = [1, 1]

    def moves_meanwhile(*arguments: object) -> object:
        evaluation = real(*arguments)  # type: ignore[arg-type]
        if moves:
            moves.pop()
            world.publish()
        return evaluation

    world.vault.score = moves_meanwhile  # type: ignore[method-assign,assignment]
    assert world.score().results[0].status == "released"
    assert (world.vault.evaluated, world.spent()) == (3, 4000)


def test_data_that_keeps_moving_is_said_and_nothing_is_charged(world: World) -> None:
    real = world.vault.score

    def moves_meanwhile(*arguments: object) -> object:
        evaluation = real(*arguments)  # type: ignore[arg-type]
        world.publish()
        return evaluation

    world.vault.score = moves_meanwhile  # type: ignore[method-assign,assignment]
    with pytest.raises(Conflict) as caught:
        world.score()
    assert caught.value.code == "MOVED"
    assert (world.vault.evaluated, world.spent()) == (3, 0)


def test_an_erasure_or_dispute_ends_stored_answers(world: World) -> None:
    world.score()
    world.execute(sa.update(t.enterprise).values(epoch=t.enterprise.c.epoch + 1))
    assert world.score().results[0].stored is False
    assert world.spent() == 8000


def test_a_vault_that_is_away_costs_nothing_and_the_retry_succeeds(world: World) -> None:
    asked, key = world.request(), world.key()
    world.vault.away = True
    assert refused(world, lambda: world.score(asked, key)) == "VAULT_UNAVAILABLE"
    world.vault.away = False
    assert world.score(asked, key).results[0].status == "released"


def test_nothing_is_shown_until_every_sink_acknowledged(world: World) -> None:
    asked, key = world.request(), world.key()
    world.sink.away = True
    with pytest.raises(Unavailable) as caught:
        world.score(asked, key)
    assert caught.value.code == "NOT_DELIVERED"
    assert world.spent() == 4000
    assert world.count(t.release, state="recorded") == 1
    (receipt,) = receipts.list_receipts(world.room, bank())
    world.settle_log()
    assert parse_object(receipts.get(world.room, bank(), receipt))["answer"] is None
    world.sink.away = False
    (line,) = world.score(asked, key).results
    assert (line.status, line.receipt, world.spent()) == ("released", receipt, 4000)
    assert parse_object(receipts.get(world.room, bank(), receipt))["answer"] is not None


def test_a_revocation_before_delivery_withholds_the_answer(world: World) -> None:
    asked, key = world.request(), world.key()
    world.sink.away = True
    with pytest.raises(Unavailable):
        world.score(asked, key)
    world.revoke(only_grant(world))
    world.sink.away = False
    for _ in range(2):
        (line,) = world.score(asked, key).results
        assert (line.status, line.code, line.answer) == ("refused", "AUTH_REVOKED", None)
        assert line.receipt in receipts.list_receipts(world.room, enterprise())
        assert (line.charge_mbit, world.spent()) == (4000, 4000)
    world.grant()
    assert world.score(asked, key).results[0].code == "AUTH_REVOKED"
    assert world.score().results[0].stored is True  # a new request under the new grant


def test_a_suspension_before_delivery_withholds_the_answer(world: World) -> None:
    asked, key = world.request(), world.key()
    world.sink.away = True
    with pytest.raises(Unavailable):
        world.score(asked, key)
    world.suspend_version()
    world.sink.away = False
    assert world.score(asked, key).results[0].code == "MODEL_UNFILED"


ENDINGS: list[tuple[str, Callable[[World], object]]] = [
    ("AUTH_REVOKED", lambda w: w.revoke(only_grant(w))),
    ("AUTH_EXPIRED", lambda w: w.grant(valid_until=w.now_text)),
    ("ORG_INACTIVE", lambda w: w.suspend_party()),
    ("MODEL_UNFILED", lambda w: w.suspend_version()),
]


@pytest.mark.parametrize(("code_", "end"), ENDINGS)
def test_a_replay_shows_no_more_than_a_new_request_would(
    world: World, code_: str, end: Callable[[World], object]
) -> None:
    asked, key = world.request(), world.key()
    (first,) = world.score(asked, key).results
    end(world)
    (line,) = world.score(asked, key).results
    assert (line.status, line.code, line.answer) == ("refused", code_, None)
    assert (line.receipt, line.charge_mbit, world.spent()) == (first.receipt, 4000, 4000)


@pytest.mark.parametrize(("code_", "end"), ENDINGS)
def test_a_receipt_holds_no_answer_for_the_bank_after_the_end(
    world: World, code_: str, end: Callable[[World], object]
) -> None:
    (line,) = world.score().results
    world.settle()
    assert line.receipt is not None
    end(world)
    receipts_of = {
        caller: parse_object(receipts.get(world.room, caller, line.receipt))
        for caller in (bank(), OPERATOR, enterprise())
    }
    assert refused_or_line(world) == code_
    assert line.answer is not None
    assert receipts_of[enterprise()]["answer"] == line.answer.hex()
    assert receipts_of[bank()]["answer"] is receipts_of[OPERATOR]["answer"] is None
    assert receipts_of[bank()]["openings"] == receipts_of[enterprise()]["openings"]


def test_a_receipt_keeps_its_answer_while_everything_lives_and_the_asker_s_key_is_new(
    world: World,
) -> None:
    (line,) = world.score().results
    world.settle()
    holder = f"{f.BANK}.modeller"
    old = f.signing_key(holder).public.id
    new = f.enrolment(
        holder,
        party=f.BANK,
        role="modeller",
        replaces=old,
        signing_key=f.signing_key("new").public.raw.hex(),
        nonce=f.nonce(9),
    )
    people.enrol(world.room, OPERATOR, [f.sign(new.to_body(), "new", *GENESIS)])
    assert parse_object(receipts.get(world.room, bank(), str(line.receipt)))["answer"] is not None


def test_a_replay_is_signed_like_the_first_request(world: World) -> None:
    """The digest is the body's: whoever learnt it has no answer yet."""
    asked, key = world.request(), world.key()
    world.score(asked, key)
    unsigned = Statement(asked.body, ())
    assert refused(world, lambda: world.score(unsigned, key)) == "SIGNATURE_INVALID"
    stranger = f.sign(asked.body, "stranger")
    assert refused(world, lambda: world.score(stranger, key)) == "KEY_UNKNOWN"
    assert world.score(asked, key).results[0].status == "released"


def test_two_banks_of_one_group_share_a_budget_and_not_answers_of_other_versions(
    world: World,
) -> None:
    world.enrol_bank("bank-b")
    world.admit("bank-b", group=f.BANK)
    other = world.manifest(bank="bank-b")
    world.approve_version(other)
    world.grant(version=other)
    world.score()
    (line,) = world.score(world.request(version=other), party="bank-b").results
    assert (line.stored, world.spent()) == (False, 8000)


def test_answers_render_for_the_wire(world: World) -> None:
    told = world.score().to_json()
    assert set(told) == {"results", "promises"}
    assert line_code(world) is None


def test_refusal_keeps_its_detail_over_a_retry(world: World) -> None:
    world.vault.refuses[f.ENTERPRISE] = "NO_SUCH_CODE"
    asked, key = world.request(), world.key()
    first = world.score(asked, key)
    assert world.score(asked, key) == first
    assert first.results[0].code == "AUTH_MISSING"


def test_room_that_is_not_ready_says_so(world: World) -> None:
    world.execute(sa.delete(t.standing).where(t.standing.c.name == "snapshot"))
    assert refused(world, world.score) == "NOT_READY"


def test_party_without_admission_is_inactive(world: World) -> None:
    world.execute(sa.update(t.party).values(admission=None))
    with pytest.raises(Refusal) as caught:
        world.score()
    assert caught.value.code == "ORG_INACTIVE"
