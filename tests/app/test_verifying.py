"""Is a department's word charged, logged and delivered, and by whose leave?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import notices, revoking, subjects, verifying
from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.grant import Revocation
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, SaferoomError, Unavailable
from tests import factories as f
from tests.app.world import OPERATOR, World, bank, code, enterprise, with_room

COST = 1585


@pytest.fixture
def asked(world: World) -> World:
    """Let a department's question be approved."""
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    world.admit("tax", party_kind="source")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.verifier(), "zhao")))
    return world


def paper(world: World, **changes: Any) -> Statement:
    fixed = {"asked_at": world.now_text, "nonce": world.nonce, **changes}
    return f.sign(f.verify_request(**fixed), "bank-a.system")


def leave(by: str = f.ENTERPRISE, **changes: Any) -> Statement:
    return f.sign(f.verify_grant(**changes), by)


def verify(world: World, request: Statement | None = None, **changes: Any) -> dict[str, Json]:
    return verifying.verify(world.room, bank(), request or paper(world), leave(**changes))


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def test_a_word_is_charged_logged_and_told(asked: World) -> None:
    told = verify(asked)
    assert told == {"answer": b"sealed word".hex(), "charge_mbit": COST}
    assert asked.spent() == COST
    assert asked.count(t.entry, kind="verified") == 1
    listed = notices.list_notices(asked.room, enterprise(f.ENTERPRISE))
    assert "verified" in [one["kind"] for one in listed]


def test_the_same_signed_request_is_charged_once(asked: World) -> None:
    request = paper(asked)
    assert verify(asked, request) == verify(asked, request)
    assert (asked.spent(), asked.count(t.entry, kind="verified")) == (COST, 1)
    verify(asked)
    assert asked.spent() == 2 * COST


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"by": code(2)}, "KEY_UNKNOWN"),
        ({"bank": "bank-b"}, "AUTH_SCOPE"),
        ({"charge_mbit": 1}, "AUTH_SCOPE"),
        ({"valid_until": f.NOW_TEXT}, "AUTH_EXPIRED"),
    ],
)
def test_without_its_leave_nothing_is_asked_or_charged(
    asked: World, changes: dict[str, Any], why: str
) -> None:
    assert refused(lambda: verify(asked, **changes)) == why
    assert (asked.spent(), asked.vault.verified) == (0, 0)


def test_another_bank_and_an_unknown_question_are_refused(asked: World) -> None:
    other = paper(asked, bank="bank-b")
    assert refused(lambda: verifying.verify(asked.room, bank(), other, leave())) == "ROLE"
    unknown = paper(asked, question="00" * 32)
    assert refused(lambda: verifying.verify(asked.room, bank(), unknown, leave())) == "NOT_FOUND"


def test_a_full_budget_asks_nothing(asked: World) -> None:
    before = asked.budgets[f.ENTERPRISE, f.BANK].digest
    asked.budget(replaces=before, limit_mbit=COST)
    verify(asked)
    assert refused(lambda: verify(asked)) == "BUDGET_FULL"
    assert (asked.spent(), asked.vault.verified) == (COST, 1)


def test_what_was_taken_back_is_neither_asked_nor_shown_again(asked: World) -> None:
    request = paper(asked)
    verify(asked, request)
    grant = f.verify_grant()
    taken = Revocation(
        enterprise=f.ENTERPRISE,
        grant=grant.digest,
        version=grant.question,
        revoked_at=asked.now_text,
        nonce=asked.nonce,
    )
    revoking.revoke(asked.room, enterprise(f.ENTERPRISE), f.sign(taken, f.ENTERPRISE))
    assert f.sign(taken, f.ENTERPRISE) in asked.vault.learnt
    assert refused(lambda: verify(asked, request)) == "AUTH_REVOKED"
    assert refused(lambda: verify(asked)) == "AUTH_REVOKED"
    assert asked.spent() == COST


def test_what_the_department_or_vault_refuses_is_not_charged(
    asked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def capped(*_: object) -> bytes:
        raise Refusal("CLAIM_CAP")

    monkeypatch.setattr(asked.vault, "verify", capped)
    assert refused(lambda: verify(asked)) == "CLAIM_CAP"
    assert asked.spent() == 0


def test_nothing_is_shown_before_the_sinks_hold_it(asked: World) -> None:
    class Away:
        name = "away"

        def append(self, _rows: object) -> None:
            raise Unavailable("SINK_UNAVAILABLE")

    request = paper(asked)
    away = with_room(asked, sinks=(Away(),))
    assert refused(lambda: verify(away, request)) == "NOT_DELIVERED"
    assert asked.spent() == COST
    assert verify(asked, request)["charge_mbit"] == COST
    assert asked.spent() == COST


def test_a_suspended_bank_asks_nothing(asked: World) -> None:
    asked.suspend_party()
    assert refused(lambda: verify(asked)) == "ORG_INACTIVE"


def test_what_may_be_asked_is_listed_with_its_cost(asked: World) -> None:
    (listed,) = verifying.list_questions(asked.room)
    assert (listed["verifier"], listed["charge_mbit"]) == ("property", COST)
    assert listed["digest"] == f.verifier().questions[0].digest
