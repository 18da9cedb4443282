from __future__ import annotations

from collections.abc import Sequence

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import health, idempotency, parties, sources, subjects, teaching
from saferoom.app.context import Caller
from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, Isolation, Refusal, SaferoomError, Unavailable
from saferoom.ports import Evaluation
from tests import factories as f
from tests.app.world import OPERATOR, World, bank, code

STEWARD = Caller("tax.steward", "tax", Role.STEWARD, OPERATOR.key)


def test_a_vault_that_was_away_is_taught_in_order_by_the_worker(world: World) -> None:
    known = len(world.vault.learnt)
    world.vault.away = True
    world.enrol_enterprises([code(8), code(9)])
    world.revoke(world.grant())
    assert len(world.vault.learnt) == known
    world.vault.away = False
    assert teaching.teach(world.room) == 3
    kinds = [one.kind for one in world.vault.learnt[known:]]
    assert kinds == ["saferoom/enrolment/1"] * 2 + ["saferoom/revocation/1"]
    assert teaching.teach(world.room) == 0


def test_a_score_first_teaches_what_waits(world: World) -> None:
    world.vault.away = True
    world.enrol_enterprises([code(8)])
    world.vault.away = False
    world.score()
    assert world.vault.learnt[-1].body["holder"] == code(8)


def test_a_lesson_that_the_vault_refuses_is_set_aside_and_shown(world: World) -> None:
    world.vault.away = True
    world.enrol_enterprises([code(7), code(8), code(9)])
    world.vault.away = False
    refused = f.enrolment(code(8), party=code(8), role=Role.ENTERPRISE).digest
    world.vault.refuses_lessons = {refused}
    assert health.parts(world.room)["lessons"] == "ready"
    assert teaching.teach(world.room) == 3
    assert [one.body["holder"] for one in world.vault.learnt[-2:]] == [code(7), code(9)]
    assert world.count(t.lesson, state="KEY_UNKNOWN") == 1
    assert health.parts(world.room)["lessons"] == "NOT_READY"


def _revoked_and_set_back(world: World) -> int:
    """Let the vault learn a revocation, and then lose its last lessons; return how many it had."""
    world.revoke(world.grant())
    known = len(world.vault.learnt)
    del world.vault.learnt[-3:]
    return known


def test_a_vault_that_was_set_back_is_taught_again_before_it_scores(world: World) -> None:
    known = _revoked_and_set_back(world)
    assert health.parts(world.room)["vault"] == "VAULT_BEHIND"
    seen: list[int] = []
    real = world.vault.score

    def score(request: Statement, grants: Sequence[Statement]) -> Evaluation:
        seen.append(len(world.vault.learnt))
        return real(request, grants)

    world.vault.score = score  # type: ignore[method-assign]
    world.grant()
    world.score()
    assert seen == [known]
    assert world.vault.learnt[-1].kind == "saferoom/revocation/1"
    assert health.parts(world.room)["vault"] == "ready"


def test_the_worker_s_turn_teaches_again_too(world: World) -> None:
    known = _revoked_and_set_back(world)
    assert teaching.teach(world.room) == 0
    assert len(world.vault.learnt) == known


def test_a_vault_that_took_other_lessons_meanwhile_is_taught_again(world: World) -> None:
    known = _revoked_and_set_back(world)
    world.vault.learnt += [f.sign(f.suspension(party=f"x{n}"), "zhao", "qian") for n in range(4)]
    assert health.parts(world.room)["vault"] == "VAULT_BEHIND"
    teaching.teach(world.room)
    assert len(world.vault.learnt) == known + 4
    assert health.parts(world.room)["vault"] == "ready"


def test_a_vault_that_refuses_what_it_forgot_scores_nothing(world: World) -> None:
    lost = world.vault.learnt[-1]
    del world.vault.learnt[-1:]
    world.vault.refuses_lessons = {lost.digest}
    for _ in range(2):
        with pytest.raises(Isolation, match="VAULT_BEHIND"):
            world.score()
        assert health.parts(world.room)["vault"] == "VAULT_BEHIND"
    assert world.vault.evaluated == 0
    world.revoke(world.grant())  # is recorded, and obeyed by the gate, all the same
    assert world.count(t.lesson, state="waiting") == 1
    world.vault.refuses_lessons = set()
    assert teaching.teach(world.room) == 1
    assert health.parts(world.room)["vault"] == "ready"


def test_readiness_names_each_part(world: World) -> None:
    parts = health.parts(world.room)
    assert set(parts.values()) == {"ready"}
    assert set(parts) == {"database", "vault", "cage", "lessons", "sink file", "sink switch"}
    world.vault.away = world.sink.away = True
    parts = health.parts(world.room)
    assert (parts["vault"], parts["cage"]) == ("VAULT_UNAVAILABLE", "VAULT_UNAVAILABLE")
    assert (parts["sink switch"], parts["sink file"]) == ("SINK_UNAVAILABLE", "ready")


def test_a_vault_without_a_cage_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.vault, "describe", lambda: {"cage": "absent"})
    assert health.parts(world.room)["cage"] == "CAGE_UNAVAILABLE"


def test_the_room_describes_what_is_public(world: World) -> None:
    told = health.describe(world.room)
    assert told["log_key"] == world.room.log_key.public.raw.hex()
    assert (told["views"], told["snapshot"]) == (f.views().digest, world.vault.snapshot.digest)
    assert health.catalogue(world.room) == f.views().to_body()


def test_a_write_under_one_key_is_done_once(world: World) -> None:
    done: list[int] = []

    def act() -> Json:
        done.append(1)
        return {"n": len(done)}

    key, request = world.key(), f.some_digest("request")
    first = idempotency.once(world.room, OPERATOR, key, request, act)
    assert idempotency.once(world.room, OPERATOR, key, request, act) == first == {"n": 1}
    assert idempotency.once(world.room, bank(), key, request, act) == {"n": 2}  # another party
    with pytest.raises(Conflict) as caught:
        idempotency.once(world.room, OPERATOR, key, f.some_digest("other"), act)
    assert caught.value.code == "IDEMPOTENCY_CONFLICT"


def test_a_write_that_failed_may_be_tried_again_under_its_key(world: World) -> None:
    answers: list[Json] = ["done"]

    def act() -> Json:
        if len(answers) == 1:
            answers.append("tried")
            raise Refusal("ROLE")
        return answers[0]

    key, request = world.key(), f.some_digest("request")
    with pytest.raises(Refusal):
        idempotency.once(world.room, OPERATOR, key, request, act)
    assert idempotency.once(world.room, OPERATOR, key, request, act) == "done"


@pytest.fixture
def sourced(world: World) -> World:
    world.admit("tax", party_kind="source")
    digest = subjects.propose(world.room, OPERATOR, f.sign(f.source(), "zhao"))
    world.approve(digest, names=["qian", "sun"])
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    world.enrol("power.steward", party="power", role=Role.STEWARD)
    return world


def order(by: str = "tax.steward", **changes: object) -> Statement:
    return f.sign(f.ingest_order(**changes), by)


@pytest.mark.parametrize("caller", [STEWARD, OPERATOR])
def test_a_connected_source_is_ingested_and_logged(sourced: World, caller: Caller) -> None:
    counts = sources.ingest(sourced.room, caller, "tax", order())
    assert (counts["rows"], counts["quarantined"]) == (10, 1)
    assert sourced.count(t.entry, kind="ingested") == 1


@pytest.mark.parametrize(
    ("code_", "caller", "party", "given"),
    [
        ("ROLE", bank(), "tax", order()),
        ("ROLE", STEWARD, "power", order("power.steward", party="power", connector="power")),
        ("FIELD_INVALID", OPERATOR, "power", order()),
        ("NOT_FOUND", OPERATOR, "tax", order(connector="other")),
        ("NOT_FOUND", OPERATOR, "power", order(party="power")),
        ("ROLE", OPERATOR, "tax", order("zhao")),
        ("ROLE", STEWARD, "tax", order("power.steward")),
        ("REPLAY", STEWARD, "tax", order(asked_at="2026-11-20T10:45:00Z")),
        ("KEY_UNKNOWN", OPERATOR, "tax", order("stranger")),
    ],
)
def test_another_s_or_an_unknown_source_is_not_ingested(
    sourced: World, code_: str, caller: Caller, party: str, given: Statement
) -> None:
    with pytest.raises(SaferoomError) as caught:
        sources.ingest(sourced.room, caller, party, given)
    assert caught.value.code == code_


def test_a_suspended_source_is_not_ingested(sourced: World) -> None:
    stop = f.sign(f.suspension(party="tax"), "zhao", "qian")
    parties.suspend(sourced.room, OPERATOR, "tax", stop)
    with pytest.raises(Refusal) as caught:
        sources.ingest(sourced.room, STEWARD, "tax", order())
    assert caught.value.code == "ORG_INACTIVE"


def test_only_an_operator_publishes_a_snapshot_of_the_approved_views(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        sources.materialise(world.room, bank(), world.snapshot_order())
    assert caught.value.code == "ROLE"
    with pytest.raises(Refusal) as caught:
        sources.materialise(world.room, OPERATOR, world.snapshot_order("bank-a.modeller"))
    assert caught.value.code == "ROLE"
    world.vault.views = Digest("0" * 64)
    with pytest.raises(Refusal) as caught:
        world.publish()
    assert caught.value.code == "VIEW_UNAPPROVED"


def test_nothing_is_published_before_views_are_approved(world: World) -> None:
    world.execute(t.standing.delete())
    with pytest.raises(Unavailable) as caught:
        world.publish()
    assert caught.value.code == "NOT_READY"
    with pytest.raises(Unavailable):
        health.catalogue(world.room)
