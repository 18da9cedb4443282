"""Is an enterprise's own record relayed to it alone, and never without a trace?"""

from __future__ import annotations

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import disputes, notices, own_records
from saferoom.app.context import Caller
from saferoom.core.dispute import Dispute, Why
from saferoom.core.enrolment import Role
from saferoom.core.own_record import OwnRecordOrder
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise

STEWARD = Caller("tax.steward", "tax", Role.STEWARD, f.signing_key("tax.steward").public.id)


def order(world: World, by: str = f.ENTERPRISE, **changes: object) -> Statement:
    fields: dict[str, object] = {
        "enterprise": f.ENTERPRISE,
        "seal_to": f.sealing_key("an app's"),
        "vault": f.signing_key("vault").public.raw.hex(),
        "asked_at": world.now_text,
        "nonce": world.nonce,
    }
    return f.sign(OwnRecordOrder(**{**fields, **changes}), by)  # type: ignore[arg-type]


def disputed(world: World, by: str = f.ENTERPRISE, **changes: object) -> Statement:
    fields: dict[str, object] = {
        "enterprise": f.ENTERPRISE,
        "batch": 1,
        "row": 0,
        "why": Why.NOT_OURS,
        "asked_at": world.now_text,
        "nonce": world.nonce,
    }
    return f.sign(Dispute(**{**fields, **changes}), by)  # type: ignore[arg-type]


def test_it_is_relayed_once_the_sinks_hold_that_it_was(world: World) -> None:
    asked = order(world)
    told = own_records.give(world.room, enterprise(), asked)
    assert bytes.fromhex(str(told["sealed"])) == world.vault.own_record(asked)
    assert world.count(t.entry, kind="own_record_given", acknowledged=True) == 1
    assert notices.list_notices(world.room, enterprise())[-1]["kind"] == "own_record_given"


def test_it_waits_for_a_sink_and_a_vault_that_are_away(world: World) -> None:
    world.sink.away = True
    with pytest.raises(Unavailable, match="NOT_DELIVERED"):
        own_records.give(world.room, enterprise(), order(world))
    world.vault.away = True
    with pytest.raises(Unavailable, match="VAULT_UNAVAILABLE"):
        own_records.give(world.room, enterprise(), order(world))
    assert world.count(t.entry, kind="own_record_given") == 1


@pytest.mark.parametrize("caller", [bank(), OPERATOR, AUDITOR, STEWARD])
def test_nobody_but_an_enterprise_asks(world: World, caller: Caller) -> None:
    with pytest.raises(Refusal, match="ROLE"):
        own_records.give(world.room, caller, order(world))
    with pytest.raises(Refusal, match="ROLE"):
        disputes.dispute(world.room, caller, disputed(world))
    assert world.count(t.entry, kind="own_record_given") == 0


def test_nobody_asks_for_another_enterprise(world: World) -> None:
    other = code(2)
    world.enrol_enterprises([other])
    for caller, by, changes in (
        (enterprise(other), f.ENTERPRISE, {}),  # relays another's order
        (enterprise(other), other, {}),  # signs in another's name
        (enterprise(), f.ENTERPRISE, {"asked_at": "2026-11-20T01:00:00Z"}),
    ):
        with pytest.raises(Refusal, match=r"ROLE|SIGNATURE_INVALID|REPLAY"):
            own_records.give(world.room, caller, order(world, by, **changes))
        with pytest.raises(Refusal, match=r"ROLE|SIGNATURE_INVALID|REPLAY"):
            disputes.dispute(world.room, caller, disputed(world, by, **changes))
    assert world.count(t.entry, kind="own_record_given") == 0
    assert world.count(t.dispute) == 0


def test_a_dispute_is_logged_and_told_to_the_enterprise_and_the_source(world: World) -> None:
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    asked = disputed(world)
    for _ in range(2):  # a retry changes nothing
        assert disputes.dispute(world.room, enterprise(), asked) == asked.digest
    assert world.count(t.entry, kind="record_disputed") == 1
    for caller in (enterprise(), STEWARD):
        assert notices.list_notices(world.room, caller)[-1]["kind"] == "record_disputed"
    assert world.count(t.paper, kind="batches") == 1  # it is a batch of its own


def test_each_lists_its_own_and_only_a_steward_gets_the_note(world: World) -> None:
    asked = disputed(world)
    disputes.dispute(world.room, enterprise(), asked)
    (own,) = disputes.list_disputes(world.room, enterprise())
    assert (own["statement"], own["note"]) == (asked.to_json(), None)
    (seen,) = disputes.list_disputes(world.room, STEWARD)
    assert (seen["statement"], seen["note"]) == (None, b"sealed note".hex())
    (shown,) = disputes.list_disputes(world.room, OPERATOR)
    assert shown["note"] is None
    assert world.count(t.entry, kind="looked_up") == 1
    for caller in (bank(), enterprise(code(2))):
        assert disputes.list_disputes(world.room, caller) == []
