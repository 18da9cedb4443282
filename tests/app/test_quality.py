"""Does the source hear of its bad batches, with numbers, and nobody of another's?"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import notices, quality
from saferoom.app.context import Caller
from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank

TICKET: dict[str, Json] = {
    "rule": "in_time",
    "table": "tax_year",
    "batch": 3,
    "of": 1005,
}


def steward(party: str) -> Caller:
    holder = f"{party}.steward"
    return Caller(holder, party, Role.STEWARD, f.signing_key(holder).public.id)


@pytest.fixture
def poor(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    told: dict[str, Json] = {
        **world.vault.describe(),
        "sources": {"tax": f.source().to_body()},
        "quality": {"closed": ["tax_year"], "tickets": [TICKET]},
    }

    def describe() -> Mapping[str, Json]:
        return told

    monkeypatch.setattr(world.vault, "describe", describe)
    return world


def test_with_a_snapshot_the_source_gets_a_ticket_and_a_notice(poor: World) -> None:
    before = poor.count(t.entry, kind="quality_ticket")
    poor.publish()
    assert poor.count(t.entry, kind="quality_ticket") == before + 1
    party = f.source().party
    listed = notices.list_notices(poor.room, steward(party))
    assert [one["kind"] for one in listed] == ["quality_ticket"]
    assert notices.list_notices(poor.room, steward("power")) == []


def test_good_data_send_no_ticket(world: World) -> None:
    assert quality.send_tickets(world.room) == 0
    assert quality.quality(world.room, OPERATOR) == {"closed": [], "tickets": []}


@pytest.mark.parametrize("caller", [OPERATOR, AUDITOR, steward(f.source().party)])
def test_its_steward_operators_and_auditors_read_tickets(poor: World, caller: Caller) -> None:
    assert quality.quality(poor.room, caller) == {"closed": ["tax_year"], "tickets": [TICKET]}


@pytest.mark.parametrize("caller", [steward("power"), bank()])
def test_others_read_only_what_is_closed(poor: World, caller: Caller) -> None:
    assert quality.quality(poor.room, caller) == {"closed": ["tax_year"], "tickets": []}
