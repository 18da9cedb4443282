"""Does the room forget what it must, keep what it must, and finish what was ordered?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import deliveries, erasures, log, notices, receipts, teaching
from saferoom.canonical import canonical_bytes
from saferoom.client.verifying import check_erased, verify
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, Refusal, Tampered, Unavailable
from saferoom.worker import loop
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, enterprise, ready_world

FIRM, KEY = f.ENTERPRISE, "key-of-this-request-1"


@pytest.fixture
def world(database: sa.Engine, tmp_path: Path) -> World:
    return ready_world(database, tmp_path)


def order(world: World, *by: str, **changes: object) -> Statement:
    fields: dict[str, object] = {"asked_at": world.now_text, "nonce": world.nonce}
    return f.sign(f.erase_order(FIRM, **{**fields, **changes}), *(by or (FIRM,)))


def epoch(world: World) -> int:
    query = sa.select(t.enterprise.c.epoch).where(t.enterprise.c.code == FIRM)
    with reading(world.room.database) as connection:
        return int(connection.scalar(query) or 0)


def answers(world: World) -> set[bytes]:
    query = sa.select(t.release.c.answer).where(t.release.c.enterprise == FIRM)
    with reading(world.room.database) as connection:
        return {bytes(one) for one in connection.scalars(query)}


def test_stored_answers_go_and_the_receipt_still_verifies(world: World) -> None:
    (line,) = world.score().results
    world.settle()
    before, spent = epoch(world), world.spent()
    paper = order(world)
    told = erasures.erase(world.room, OPERATOR, paper)
    said = Statement.from_json(told["certificate"])
    assert ErasureCertificate.from_body(said.body).order == paper.digest
    assert told["models"] == []
    assert told["models_in_words"] == erasures.NO_MODELS
    assert answers(world) == {b""}
    assert epoch(world) > before
    assert world.spent() == spent  # spent bits never come back
    world.settle()
    for caller in (bank(), enterprise(FIRM), OPERATOR):
        data = receipts.get(world.room, caller, str(line.receipt))
        found = world.verify(data)
        assert found.answer is None
        assert found.opened["charge_mbit"] == 4000
    assert world.count(t.entry, kind="erased") == 1
    kinds = [one["kind"] for one in notices.list_notices(world.room, enterprise(FIRM))]
    assert kinds[-2:] == ["erased", "looked_up"]  # the operator read the receipt


def test_an_answer_from_store_is_evaluated_again(world: World) -> None:
    world.score()
    assert world.score().results[0].stored
    erasures.erase(world.room, OPERATOR, order(world))
    again = world.score().results[0]
    assert (again.status, again.stored) == ("released", False)
    assert world.vault.evaluated == 2


def test_a_replay_shows_the_erased_answer_no_more(world: World) -> None:
    request = world.request()
    (line,) = world.score(request, KEY).results
    assert line.answer
    erasures.erase(world.room, OPERATOR, order(world))
    (again,) = world.score(request, KEY).results
    assert (again.status, again.code, again.answer) == ("refused", "ERASED", None)
    assert again.receipt == line.receipt


def test_what_was_recorded_and_not_delivered_is_not_shown(world: World) -> None:
    world.sink.away = True
    request = world.request()
    with pytest.raises(Unavailable):
        world.score(request, KEY)
    erasures.erase(world.room, OPERATOR, order(world))
    world.sink.away = False
    world.settle()
    (line,) = world.score(request, KEY).results
    assert (line.code, line.answer) == ("ERASED", None)


def test_a_score_that_runs_is_evaluated_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = world.vault.score

    def erased_meanwhile(*given: object) -> object:
        found = score(*given)  # type: ignore[arg-type]
        monkeypatch.undo()
        erasures.erase(world.room, OPERATOR, order(world))
        return found

    monkeypatch.setattr(world.vault, "score", erased_meanwhile)
    assert world.score().results[0].status == "released"
    assert world.vault.erased == 1
    query = sa.select(t.release.c.epoch).where(t.release.c.enterprise == FIRM)
    with reading(world.room.database) as connection:
        assert connection.scalars(query).all() == [epoch(world)]


def test_the_same_order_again_gets_the_same_certificate_and_one_entry(world: World) -> None:
    paper = order(world)
    first = erasures.erase(world.room, OPERATOR, paper)
    world.later(days=2)
    assert erasures.erase(world.room, OPERATOR, paper) == first
    assert erasures.certificate(world.room, OPERATOR, paper.digest) == first
    assert world.count(t.entry, kind="erased") == 1
    moved = epoch(world)
    assert moved > 0


def test_a_vault_that_is_away_erases_when_it_is_back(world: World) -> None:
    world.score()
    paper = order(world)
    world.vault.away = True
    with pytest.raises(Unavailable):
        erasures.erase(world.room, OPERATOR, paper)
    with pytest.raises(Unavailable, match="NOT_READY"):
        erasures.certificate(world.room, OPERATOR, paper.digest)
    assert answers(world) == {b""}  # what the room itself holds goes with the order
    with pytest.raises(Unavailable):  # nor is it shown again from store while the vault is away
        world.score()
    faults: dict[str, str] = {}
    loop.turn(world.room, faults)
    assert faults["erase"] == "VAULT_UNAVAILABLE"
    world.vault.away = False
    loop.turn(world.room, faults)
    assert not faults
    assert answers(world) == {b""}
    assert erasures.certificate(world.room, OPERATOR, paper.digest)["models"] == []


def test_an_order_outlives_a_damaged_file_of_the_vault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = order(world)

    def damaged(_: Statement) -> Statement:
        raise Tampered("CONTENT_CHANGED", "a part of the facts")

    with monkeypatch.context() as broken:
        broken.setattr(world.vault, "erase", damaged)
        with pytest.raises(Tampered):
            erasures.erase(world.room, OPERATOR, paper)
    assert erasures.carry_out_waiting(world.room) == 1
    assert erasures.certificate(world.room, OPERATOR, paper.digest)["models"] == []


def test_what_the_vault_refuses_has_ended_and_says_why(world: World) -> None:
    world.score()
    world.vault.refuses_orders = "REPLAY"
    paper = order(world)
    with pytest.raises(Refusal, match="REPLAY"):
        erasures.erase(world.room, OPERATOR, paper)
    with pytest.raises(Refusal, match="REPLAY"):
        erasures.certificate(world.room, OPERATOR, paper.digest)
    assert erasures.carry_out_waiting(world.room) == 0
    assert answers(world) == {b""}  # the order itself was good: what we hold went with it


@pytest.mark.parametrize(
    ("by", "evidence", "code"),
    [
        (("zhao",), None, "ROLE"),
        (("zhao", "qian"), None, "SIGNATURE_INVALID"),
        (("zhao",), f.some_digest(), "APPROVAL_MISSING"),
        ((f"{f.BANK}.system",), None, "ROLE"),
    ],
)
def test_nobody_else_has_it_erased(
    world: World, by: tuple[str, ...], evidence: object, code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        erasures.erase(world.room, OPERATOR, order(world, *by, evidence=evidence))
    assert refused.value.code == code
    assert world.vault.erased == 0
    assert world.count(t.erasure) == 0


def test_two_operators_erase_on_its_behalf(world: World) -> None:
    paper = order(world, "zhao", "qian", evidence=f.some_digest())
    assert erasures.erase(world.room, OPERATOR, paper)["order"] == paper.to_json()
    with pytest.raises(NotFound):
        erasures.certificate(world.room, OPERATOR, f.some_digest("another"))


def test_an_erasure_s_row_is_ended_once(world: World) -> None:
    paper = order(world)
    erasures.erase(world.room, OPERATOR, paper)
    with writing(world.room.database) as connection:
        assert not erasures._settle(connection, paper.digest, "REPLAY")


def test_two_operators_change_the_keys_and_the_log_says_so(world: World) -> None:
    paper = f.sign(f.rotate_order(asked_at=world.now_text), "zhao", "qian")
    assert erasures.rotate(world.room, OPERATOR, paper)["rotated_at"] == f.NOW_TEXT
    assert world.count(t.entry, kind="keys_rotated") == 1
    alone = f.sign(f.rotate_order(asked_at=world.now_text), "zhao")
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        erasures.rotate(world.room, OPERATOR, alone)


def test_verify_says_since_when_an_answer_is_no_longer_reproducible(
    world: World, tmp_path: Path
) -> None:
    (line,) = world.score().results
    told = erasures.erase(world.room, OPERATOR, order(world))
    world.settle()
    data = receipts.get(world.room, bank(), str(line.receipt))
    keys = f.vault_keys("vault")
    trusted = tmp_path / "trust.json"
    trusted.write_bytes(replace(world.trust, vaults=(keys,)).to_bytes())
    paper = tmp_path / "erasure.json"
    paper.write_bytes(canonical_bytes(told))
    plain = verify(data, trust=trusted)
    said = verify(data, trust=trusted, erasure=paper)
    assert said.links[:-1] == plain.links
    assert said.links[-1].startswith(f"no longer reproducible: erased at {f.NOW_TEXT}")
    other = f.sign(f.erase_order(make_uscc(77)), "x")
    bent = {**told, "order": other.to_json()}
    paper.write_bytes(canonical_bytes(bent))
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        verify(data, trust=trusted, erasure=paper)


def test_a_certificate_of_another_enterprise_says_nothing_of_a_receipt(world: World) -> None:
    (line,) = world.score().results
    told = erasures.erase(world.room, OPERATOR, order(world))
    world.settle()
    data = receipts.get(world.room, bank(), str(line.receipt))
    trusted = replace(world.trust, vaults=(f.vault_keys("vault"),))
    verified = replace(world.verify(data, trusted), opened={"enterprise": "another"})
    with pytest.raises(Tampered, match="another enterprise"):
        check_erased(canonical_bytes(told), verified, trusted)


def test_what_is_erased_between_reading_and_showing_is_not_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sinks take their time, and the enterprise is erased meanwhile."""
    offer = log.offer

    def erased_meanwhile(*given: object) -> object:
        monkeypatch.undo()
        offered = offer(*given)  # type: ignore[arg-type]
        erasures.erase(world.room, OPERATOR, order(world))
        return offered

    monkeypatch.setattr(deliveries, "offer", erased_meanwhile)
    (line,) = world.score().results
    assert (line.status, line.code, line.answer) == ("refused", "ERASED", None)
    assert world.count(t.release, state="delivered") == 0


def test_what_is_erased_after_the_last_look_is_not_shown_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = deliveries._mark_delivered

    def erased_then(connection: sa.Connection, *given: object) -> None:
        marked(connection, *given)  # type: ignore[arg-type]
        mine = t.release.c.enterprise == FIRM
        connection.execute(sa.update(t.release).where(mine).values(answer=b""))

    monkeypatch.setattr(deliveries, "_mark_delivered", erased_then)
    (line,) = world.score().results
    assert (line.status, line.code, line.answer) == ("refused", "ERASED", None)


def listed(world: World) -> dict[str, str]:
    return {
        str(one["order"]): str(one["state"])
        for one in erasures.list_orders(world.room, enterprise(FIRM))
    }


def test_an_order_that_the_vault_refused_is_seen_and_a_fresh_one_is_obeyed(world: World) -> None:
    """The vault was away for longer than an order is fresh: nothing is lost, and nobody guesses."""
    paper = order(world)
    world.vault.away = True
    with pytest.raises(Unavailable):
        erasures.erase(world.room, OPERATOR, paper)
    assert listed(world) == {paper.digest: "ordered"}
    world.later(days=2)
    world.vault.away, world.vault.refuses_orders = False, "REPLAY"
    with pytest.raises(Refusal, match="REPLAY"):
        erasures.carry_out_waiting(world.room)
    assert listed(world) == {paper.digest: "REPLAY"}
    (line,) = erasures.list_orders(world.room, OPERATOR)
    assert "fresh request" in str(line["remedy"])
    world.vault.refuses_orders = None
    fresh = order(world, "zhao", "qian", evidence=paper.digest)  # its own order is the paper
    erasures.erase(world.room, OPERATOR, fresh)
    assert listed(world) == {paper.digest: "REPLAY", fresh.digest: "certified"}


def test_an_order_that_was_refused_and_is_obeyed_after_all_is_certified(world: World) -> None:
    paper = order(world)
    world.vault.refuses_orders = "REPLAY"
    with pytest.raises(Refusal):
        erasures.erase(world.room, OPERATOR, paper)
    world.vault.refuses_orders = None
    erasures.erase(world.room, OPERATOR, paper)
    assert listed(world) == {paper.digest: "certified"}
    assert world.count(t.entry, kind="erased") == 1


def test_only_who_it_is_about_and_who_reviews_sees_an_order(world: World) -> None:
    paper = order(world)
    erasures.erase(world.room, OPERATOR, paper)
    for caller in (OPERATOR, AUDITOR, enterprise(FIRM)):
        assert len(erasures.list_orders(world.room, caller)) == 1
        assert erasures.certificate(world.room, caller, paper.digest)["models"] == []
    for caller in (bank(), enterprise(make_uscc(2))):
        assert erasures.list_orders(world.room, caller) == []
        with pytest.raises(NotFound):
            erasures.certificate(world.room, caller, paper.digest)


def test_one_order_that_fails_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.vault.away = True
    papers = [order(world) for _ in range(2)]
    for paper in papers:
        with pytest.raises(Unavailable):
            erasures.erase(world.room, OPERATOR, paper)
    world.vault.away = False
    obey, broken = world.vault.erase, min(listed(world))  # the first of equal times

    def damaged(paper: Statement) -> Statement:
        if paper.digest == broken:
            raise Tampered("CONTENT_CHANGED", "a part of the facts")
        return obey(paper)

    monkeypatch.setattr(world.vault, "erase", damaged)
    with pytest.raises(Tampered):
        erasures.carry_out_waiting(world.room)
    assert sorted(listed(world).values()) == ["certified", "ordered"]


def test_order_and_certificate_are_lessons(world: World) -> None:
    paper = order(world)
    told = erasures.erase(world.room, OPERATOR, paper)
    teaching.teach(world.room)
    assert world.vault.learnt[-2:] == [paper, Statement.from_json(told["certificate"])]


def test_a_vault_that_was_set_back_is_taught_and_asked_what_it_certifies_now(
    world: World,
) -> None:
    world.score()
    paper = order(world)
    before = len(world.vault.learnt)
    first = erasures.erase(world.room, OPERATOR, paper)
    teaching.teach(world.room)
    world.score()
    kept, moved = answers(world), epoch(world)
    del world.vault.learnt[before:]  # restored from before the order
    world.vault.certified_at = world.now_text
    world.later(hours=1)
    world.vault.certified_at = world.now_text
    faults: dict[str, str] = {}
    loop.turn(world.room, faults)
    assert not faults
    again = erasures.certificate(world.room, OPERATOR, paper.digest)
    assert again["unreadable_here_at"] == world.now_text != first["unreadable_here_at"]
    assert world.count(t.entry, kind="erased") == 2
    assert answers(world) == {b""} != kept  # it was readable again: what was told since goes too
    assert epoch(world) > moved
    loop.turn(world.room, faults)
    assert world.vault.learnt[-1] == Statement.from_json(again["certificate"])


def test_a_vault_that_only_forgot_lessons_changes_no_certificate(world: World) -> None:
    paper = order(world)
    first = erasures.erase(world.room, OPERATOR, paper)
    teaching.teach(world.room)
    del world.vault.learnt[2:]
    loop.turn(world.room, {})
    assert erasures.certificate(world.room, OPERATOR, paper.digest) == first
    assert world.count(t.entry, kind="erased") == 1


def test_a_certificate_of_a_vault_that_has_the_rows_again_is_not_shown(world: World) -> None:
    paper = order(world)
    erasures.erase(world.room, OPERATOR, paper)
    teaching.teach(world.room)
    del world.vault.learnt[2:]
    world.vault.refuses_orders = "REPLAY"
    loop.turn(world.room, {})
    with pytest.raises(Refusal, match="REPLAY"):
        erasures.certificate(world.room, OPERATOR, paper.digest)
    assert listed(world) == {paper.digest: "REPLAY"}
