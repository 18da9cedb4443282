"""Does a score lead down to the batches it was made of, and back, for those alone who may know?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import erasures, lineage, receipts, sources, subjects, whereabouts
from saferoom.app.context import Caller
from saferoom.canonical import Digest, Json
from saferoom.client.lineage import Lineage, check_lineage
from saferoom.core.enrolment import Role
from saferoom.core.lineage import SnapshotPaper
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, NotYet, Tampered
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise

STEWARD = Caller("tax.steward", "tax", Role.STEWARD, f.signing_key("tax.steward").public.id)
OTHER_STEWARD = replace(STEWARD, holder="power.steward", party="power")


def believed(world: World) -> Trust:
    return replace(world.trust, vaults=(f.vault_keys(valid_from="2020-01-01T00:00:00Z"),))


@pytest.fixture
def fed(world: World) -> World:
    """A world whose source brought two batches before the snapshot of the score, and one after."""
    for name in ("tax", "power"):
        world.enrol(f"{name}.steward", party=name, role=Role.STEWARD)
        world.admit(name, party_kind="source")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.source(), "zhao")))
    bring(world)
    world.vault.take("register", "reg_base", f.some_digest("another order"))
    bring(world)
    world.publish()
    world.score()
    bring(world)
    world.settle()
    return world


def bring(world: World) -> Statement:
    order = f.sign(f.ingest_order(asked_at=world.now_text, nonce=world.nonce), "tax.steward")
    sources.ingest(world.room, STEWARD, "tax", order)
    return order


def receipt(world: World) -> str:
    return receipts.list_receipts(world.room, bank())[-1]


def told(world: World, caller: Caller | None = None, which: str | None = None) -> dict[str, Json]:
    return lineage.of_release(world.room, caller or bank(), which or receipt(world))


def checked(world: World, which: str | None = None) -> Lineage:
    return check_lineage(told(world, which=which), believed(world))


def test_a_score_leads_to_its_snapshot_features_tables_and_batches(fed: World) -> None:
    found = checked(fed)
    assert found.version.digest == fed.version.digest
    assert found.snapshot.snapshot == fed.vault.snapshot.digest
    assert found.snapshot.batches == 3
    assert set(found.features) == set(fed.version.features)
    assert {one.line.number for one in found.batches} == {
        line.number for line in fed.vault.lines[:3] if line.table in found.tables
    }
    assert found.batches
    for one in found.batches:
        assert one.line == fed.vault.lines[one.line.number - 1]
        assert fed.count(t.entry, leaf_index=one.entry, kind="batches_taken") == 1
    assert found.erased == ()


def test_those_whose_score_it_is_see_it_and_to_others_it_does_not_exist(fed: World) -> None:
    for caller in (bank(), enterprise(), OPERATOR, AUDITOR):
        assert check_lineage(told(fed, caller), believed(fed)).snapshot.batches == 3
    for caller in (bank("bank-b"), enterprise(code(2)), STEWARD):
        with pytest.raises(NotFound, match="NOT_FOUND"):
            told(fed, caller)
    assert fed.count(t.entry, kind="looked_up") == 2  # the operator's and the auditor's


def test_it_holds_no_row_and_names_no_other_enterprise(fed: World) -> None:
    other = code(8)
    fed.enrol_enterprises([other])
    fed.budget(other)
    fed.grant(other)
    lines = fed.score(fed.request(f.ENTERPRISE, other)).results
    fed.settle()
    (own,) = [line.receipt for line in lines if line.enterprise == f.ENTERPRISE]
    assert other not in str(told(fed, enterprise(), own))


def test_before_the_log_has_its_entries_it_is_too_early(fed: World) -> None:
    (line,) = fed.score().results
    with pytest.raises(NotYet, match="NOT_SEQUENCED"):
        told(fed, which=line.receipt)


def test_a_snapshot_from_before_papers_has_no_lineage(fed: World) -> None:
    fed.execute(sa.delete(t.paper).where(t.paper.c.kind == "snapshot"))
    with pytest.raises(NotFound, match="NOT_FOUND"):
        told(fed)


def _shown(body: Any) -> Any:
    """Find the parts that are shown whole."""
    return [part for part in body["batches"] if "paper" in part]


def _resign(body: Any, **changes: Json) -> None:
    said = {**body["snapshot"]["paper"]["body"], **changes}
    paper = f.sign(SnapshotPaper.from_body(said), "vault")
    body["snapshot"]["paper"] = paper.to_json()


_LIES: dict[str, Callable[[Any], object]] = {
    "a batch's table is another": lambda body: _shown(body)[0]["paper"]["body"]["lines"][0].update(
        table="tax_year"
    ),
    "a batch is left out": lambda body: body["batches"].pop(0),
    "the last batches are left out": lambda body: body.update(batches=body["batches"][:1]),
    "batches change places": lambda body: body["batches"].reverse(),
    "a hidden batch is another": lambda body: body["batches"].__setitem__(
        slice(0, 1), [{"hashes": ["00" * 32]}]
    ),
    "the vault signs another day": lambda body: _resign(body, as_of="2026-01-01"),
    "the vault signs fewer batches": lambda body: _resign(body, batches=2),
    "the snapshot is another": lambda body: _resign(body, snapshot="00" * 32),
    "the version is another": lambda body: body["manifest"].update(name="another"),
    "a feature is another": lambda body: body["views"]["views"][0].update(title_en="Another"),
    "the score's proof is of the snapshot": lambda body: body.update(
        proof=body["snapshot"]["proof"]
    ),
    "the snapshot's proof is of a batch": lambda body: body["snapshot"].update(
        proof=_shown(body)[0]["proof"]
    ),
    "a batch's proof is the other's": lambda body: _shown(body)[0].update(
        proof=_shown(body)[1]["proof"]
    ),
    "a part is missing": lambda body: body.pop("snapshot"),
    "a part is something else": lambda body: body.update(batches={}),
    "a batch is something else": lambda body: body.update(batches=[1]),
}


@pytest.mark.parametrize("lie", _LIES)
def test_no_link_can_be_bent(fed: World, lie: str) -> None:
    body = copy.deepcopy(told(fed))
    check_lineage(body, believed(fed))
    _LIES[lie](body)
    with pytest.raises(Tampered):
        check_lineage(body, believed(fed))


def test_a_table_that_was_changed_in_the_database_is_noticed(fed: World) -> None:
    """The room's own tables are believed nothing."""
    other = f.sign(
        SnapshotPaper(
            snapshot=fed.vault.snapshot.digest,
            as_of="2026-11-19",
            views=fed.vault.views,
            published_at=f.NOW_TEXT,
            batches=0,
            root="00" * 32,
        ),
        "vault",
    )
    change = sa.update(t.paper).where(t.paper.c.about == fed.vault.snapshot.digest)
    fed.execute(change.values(statement=other.to_bytes(), last=0))
    with pytest.raises(Tampered, match="LINEAGE_INVALID"):
        checked(fed)


def test_what_was_missed_is_kept_with_the_next(fed: World) -> None:
    """A call that ended between the vault and the room's record leaves no gap."""
    fed.vault.take("tax", "tax_year", f.some_digest("nobody recorded it"))
    fed.publish()
    fed.publish()
    (line,) = fed.score().results
    fed.settle()
    found = checked(fed, line.receipt)
    assert found.snapshot.batches == len(fed.vault.lines) == 5
    assert fed.count(t.paper, kind="batches") == 4


def erase(world: World) -> Statement:
    order = f.sign(
        f.erase_order(f.ENTERPRISE, asked_at=world.now_text, nonce=world.nonce), f.ENTERPRISE
    )
    erasures.erase(world.room, enterprise(), order)
    return order


def test_an_erased_enterprise_s_score_is_no_longer_reproducible(fed: World) -> None:
    erase(fed)
    found = checked(fed)
    (said,) = found.erased
    assert said.startswith("no longer reproducible: erased at")
    assert found.release.answer is None
    other = copy.deepcopy(cast("Any", told(fed)))
    other["erasures"][0]["certificate"]["body"]["tables"] = []
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_lineage(other, believed(fed))


def test_people_who_decide_see_which_models_an_erased_enterprise_touched(fed: World) -> None:
    order = erase(fed)
    for caller in (OPERATOR, AUDITOR, enterprise()):
        listed = whereabouts.of_erasure(fed.room, caller, order.digest)
        assert listed["trained"] == []  # nothing in this room is trained on rows
        assert listed["versions"] == [
            {
                "version": fed.version.digest,
                "bank": f.BANK,
                "state": "approved",
                "releases": 1,
            }
        ]
        assert listed["state"] == "certified"
    for caller in (bank(), STEWARD, enterprise(code(2))):
        with pytest.raises(NotFound, match="NOT_FOUND"):
            whereabouts.of_erasure(fed.room, caller, order.digest)
    with pytest.raises(NotFound, match="NOT_FOUND"):
        whereabouts.of_erasure(fed.room, OPERATOR, Digest("00" * 32))


def test_a_source_sees_where_its_batch_went_and_no_other_source_does(fed: World) -> None:
    for caller in (STEWARD, OPERATOR, AUDITOR):
        went = whereabouts.of_batch(fed.room, caller, 1)
        assert cast("Any", went["line"])["number"] == 1
        snapshots = cast("Any", went["snapshots"])
        assert [one["body"]["batches"] for one in snapshots] == [3]
        for version in cast("Any", went["versions"]):
            assert version["version"] == fed.version.digest
            assert version["enterprises"] is None  # fewer than twenty
            assert set(version["features"]) <= set(fed.version.features)
    assert whereabouts.of_batch(fed.room, STEWARD, 4)["snapshots"] == []
    for caller, number in (
        (OTHER_STEWARD, 1),
        (STEWARD, 2),
        (STEWARD, 99),
        (bank(), 1),
        (enterprise(), 1),
    ):
        with pytest.raises(NotFound, match="NOT_FOUND"):
            whereabouts.of_batch(fed.room, caller, number)
