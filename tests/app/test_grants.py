from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import grants
from saferoom.app.context import Caller
from saferoom.canonical import Json
from saferoom.core.grant import Grant
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise, ready_world


def listed(world: World) -> list[dict[str, Json]]:
    return grants.list_grants(world.room, OPERATOR)


def only_grant(world: World) -> Grant:
    with world.room.database.connect() as connection:
        stored = connection.scalars(sa.select(t.permission.c.statement)).one()
    return Grant.from_body(Statement.from_bytes(stored).body)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize(
    ("code_", "changes"),
    [
        ("AUTH_SCOPE", {"bank": "bank-b"}),
        ("AUTH_SCOPE", {"purpose": "post_loan_monitoring"}),
        ("AUTH_SCOPE", {"categories": ("tax",)}),
        ("AUTH_SCOPE", {"outcomes": 15}),
        ("AUTH_SCOPE", {"charge_mbit": 3000}),
        ("NOT_FOUND", {"budget": f.some_digest()}),
    ],
)
def test_a_grant_that_could_never_be_used_is_refused(
    world: World, code_: str, changes: dict[str, object]
) -> None:
    assert refused(lambda: world.grant(f.ENTERPRISE, world.version, **changes)) == code_
    assert world.count(t.permission) == 1


def test_a_grant_for_an_unknown_version_is_not_found(world: World) -> None:
    assert refused(lambda: world.grant(version=world.manifest())) == "NOT_FOUND"


def test_a_grant_draws_on_the_enterprise_s_own_budget(world: World) -> None:
    other = code(8)
    world.enrol_enterprises([other])
    drawn = world.budgets[f.ENTERPRISE, f.BANK].digest
    world.budget(other)
    assert refused(lambda: world.grant(other, budget=drawn)) == "AUTH_SCOPE"


@pytest.mark.parametrize(
    ("code_", "signer"),
    [("ROLE", "zhao"), ("KEY_UNKNOWN", "stranger"), ("SIGNATURE_INVALID", code(8))],
)
def test_only_the_enterprise_s_own_key_signs(world: World, code_: str, signer: str) -> None:
    world.enrol_enterprises([code(8)])
    drawn = world.budgets[f.ENTERPRISE, f.BANK].digest
    grant = f.sign(f.grant(world.version, nonce=world.nonce, budget=drawn), signer)
    assert refused(lambda: grants.sign_grants(world.room, OPERATOR, [grant])) == code_


def test_one_wrong_statement_spoils_the_batch(world: World) -> None:
    good = f.sign(f.budget(group="bank-b", nonce=world.nonce), f.ENTERPRISE)
    bad = f.sign(f.budget(group="bank-c", nonce=world.nonce), "zhao")
    assert refused(lambda: grants.sign_budgets(world.room, OPERATOR, [good, bad])) == "ROLE"
    assert world.count(t.budget) == 1


def test_a_batch_has_one_budget_for_each_account(world: World) -> None:
    batch = [f.sign(f.budget(group="g", nonce=world.nonce), f.ENTERPRISE) for _ in range(2)]
    assert refused(lambda: grants.sign_budgets(world.room, OPERATOR, batch)) == "FIELD_INVALID"


def test_statements_sent_again_change_nothing(world: World) -> None:
    budget = f.sign(f.budget(group="bank-b", nonce=world.nonce), f.ENTERPRISE)
    first = grants.sign_budgets(world.room, OPERATOR, [budget])
    assert grants.sign_budgets(world.room, OPERATOR, [budget]) == first
    grant = f.sign(world.unsent_grant(), f.ENTERPRISE)
    assert grants.sign_grants(world.room, OPERATOR, [grant]) == grants.sign_grants(
        world.room, OPERATOR, [grant]
    )
    assert world.count(t.entry, kind="budget_signed") == 2
    assert world.count(t.entry, kind="grant_signed") == 2


def test_a_larger_budget_must_say_what_is_revealed(world: World) -> None:
    world.score()
    current = world.budgets[f.ENTERPRISE, f.BANK].digest

    def act() -> object:
        return world.budget(replaces=current, limit_mbit=50_000)

    assert refused(act) == "STATE"
    world.budget(replaces=current, limit_mbit=50_000, revealed_mbit=4000)
    assert world.spent() == 4000  # spent bits never come back
    assert refused(lambda: world.budget(revealed_mbit=4000)) == "STATE"


def test_a_revocation_is_final_logged_and_taught(world: World) -> None:
    grant = world.grant()
    first = world.revoke(grant)
    assert world.revoke(grant) == first
    assert world.count(t.entry, kind="grant_revoked") == 1
    assert world.vault.learnt[-1].digest == first
    states = [one["state"] for one in grants.list_grants(world.room, enterprise())]
    assert states == ["revoked", "revoked"]  # what was signed before it, too


def test_a_revocation_while_the_vault_is_away_holds_at_the_gate(world: World) -> None:
    world.vault.away = True
    world.revoke(world.grant())
    world.vault.away = False
    assert world.score().results[0].code == "AUTH_REVOKED"


def test_nobody_revokes_another_s_grant(world: World) -> None:
    other = code(8)
    world.enrol_enterprises([other])
    grant = world.grant()
    stolen = f.sign(f.revocation(grant, enterprise=other, nonce=world.nonce), other)
    assert refused(lambda: grants.revoke(world.room, OPERATOR, stolen)) == "AUTH_SCOPE"
    theirs = f.sign(f.revocation(grant, version=f.some_digest(), nonce=world.nonce), f.ENTERPRISE)
    assert refused(lambda: grants.revoke(world.room, OPERATOR, theirs)) == "AUTH_SCOPE"
    named = {"grant": f.some_digest(), "version": f.some_digest(), "nonce": world.nonce}
    unknown = f.sign(f.revocation(grant, **named), f.ENTERPRISE)
    assert refused(lambda: grants.revoke(world.room, OPERATOR, unknown)) == "NOT_FOUND"


def test_a_kept_back_grant_never_returns_after_a_revocation(world: World) -> None:
    first = only_grant(world)
    kept = world.unsent_grant()  # signed, and kept back by whoever should have brought it
    world.later(seconds=10)
    world.revoke(first)
    assert refused(lambda: world.bring(kept)) == "AUTH_REVOKED"
    older = f.grant(world.version, budget=first.budget, nonce=world.nonce)
    assert refused(lambda: world.bring(older)) == "AUTH_REVOKED"
    assert world.score().results[0].code == "AUTH_REVOKED"
    world.grant()  # a new consent, signed since, counts
    assert world.score().results[0].status == "released"


def test_a_grant_is_revoked_before_it_was_ever_brought(world: World) -> None:
    kept = world.unsent_grant()
    paper = f.revocation(kept, revoked_at=kept.signed_at, nonce=world.nonce)
    grants.revoke(world.room, OPERATOR, f.sign(paper, f.ENTERPRISE))
    assert refused(lambda: world.bring(kept)) == "AUTH_REVOKED"
    assert world.score().results[0].code == "AUTH_REVOKED"


def test_a_second_revocation_ends_what_was_signed_since_the_first(world: World) -> None:
    first = only_grant(world)
    world.revoke(first)
    kept = world.unsent_grant()
    world.later(minutes=1)
    assert world.revoke(first) == world.vault.learnt[-1].digest
    assert world.count(t.entry, kind="grant_revoked") == 2
    assert refused(lambda: world.bring(kept)) == "AUTH_REVOKED"


def test_an_older_grant_does_not_take_a_newer_one_s_place(world: World) -> None:
    first = only_grant(world)
    older = f.grant(world.version, budget=first.budget, nonce=world.nonce)
    assert refused(lambda: world.bring(older)) == "AUTH_SCOPE"
    assert refused(lambda: world.grant(renews=None)) == "AUTH_SCOPE"
    assert refused(lambda: world.grant(renews=f.some_digest())) == "AUTH_SCOPE"
    assert refused(lambda: world.grant(signed_at=first.signed_at)) == "AUTH_SCOPE"
    kept = world.unsent_grant()
    world.grant(valid_until=f.NOW_TEXT)  # the enterprise narrowed it
    assert refused(lambda: world.bring(kept)) == "AUTH_SCOPE"
    assert world.score().results[0].code == "AUTH_EXPIRED"


@pytest.mark.parametrize("ahead", ["signed_at", "revoked_at"])
def test_what_is_signed_in_the_future_is_refused(world: World, ahead: str) -> None:
    grant, late = only_grant(world), write_instant(f.NOW + timedelta(minutes=6))
    if ahead == "signed_at":
        assert refused(lambda: world.grant(signed_at=late)) == "FIELD_INVALID"
        return
    paper = f.sign(f.revocation(grant, revoked_at=late, nonce=world.nonce), f.ENTERPRISE)
    assert refused(lambda: grants.revoke(world.room, OPERATOR, paper)) == "FIELD_INVALID"


def test_a_grant_s_state_in_the_database_does_not_undo_a_revocation(world: World) -> None:
    world.revoke(only_grant(world))
    world.execute(sa.update(t.permission).values(state="granted"))
    assert world.score().results[0].code == "AUTH_REVOKED"


def test_of_one_batch_the_second_renews_the_first(world: World) -> None:
    world.grant()
    first = world.unsent_grant()
    at = write_instant(world.now + timedelta(seconds=30))
    second = world.unsent_grant(renews=first.digest, signed_at=at)
    batch = [f.sign(one, f.ENTERPRISE) for one in (first, second)]
    assert len(grants.sign_grants(world.room, OPERATOR, batch)) == 2


@pytest.mark.parametrize(
    ("caller", "count"),
    [
        (enterprise(), 1),
        (bank(), 1),
        (OPERATOR, 1),
        (AUDITOR, 1),
        (enterprise(code(8)), 0),
        (bank("bank-b"), 0),
    ],
)
def test_grants_and_accounts_are_shown_to_those_they_concern(
    world: World, caller: Caller, count: int
) -> None:
    assert len(grants.list_grants(world.room, caller)) == count
    assert len(grants.ledger(world.room, caller)) == count


def test_a_bank_does_not_see_what_others_learnt(world: World) -> None:
    world.score()
    (own,) = grants.ledger(world.room, bank())
    assert (own["spent_mbit"], "spent_all_mbit" in own) == (4000, False)
    (whole,) = grants.ledger(world.room, enterprise())
    assert whole["spent_all_mbit"] == 4000


def test_an_expired_grant_is_listed_as_expired(world: World) -> None:
    world.later(days=366)
    assert [g["state"] for g in grants.list_grants(world.room, AUDITOR)] == ["expired"]


def test_many_are_revoked_at_once_all_or_none(database: sa.Engine, tmp_path: Path) -> None:
    world = ready_world(database, tmp_path, enterprises=3)
    codes = [code(number + 1) for number in range(3)]
    given = [Grant.from_body(one["grant"]) for one in listed(world)]
    signed = [f.sign(f.revocation(one, nonce=world.nonce), one.enterprise) for one in given]
    unsigned = Statement(signed[2].body, ())
    with pytest.raises(SaferoomError):
        grants.revoke_all(world.room, OPERATOR, [*signed[:2], unsigned])
    assert [one["state"] for one in listed(world)] == ["granted"] * 3
    digests = grants.revoke_all(world.room, OPERATOR, [*signed, signed[0]])
    assert digests == (*(one.digest for one in signed), signed[0].digest)
    assert [one["state"] for one in listed(world)] == ["revoked"] * 3
    assert world.count(t.entry, kind="grant_revoked") == 3
    assert grants.revoke_all(world.room, OPERATOR, signed) == digests[:3]
    assert {one.digest for one in world.vault.learnt} >= set(digests)
    assert {line.code for line in world.score(world.request(*codes)).results} == {"AUTH_REVOKED"}
