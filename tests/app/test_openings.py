"""An auditor's export fits the log, is logged, and shows nothing to complain of."""

from __future__ import annotations

from pathlib import Path

import pytest

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.app import openings
from saferoom.app.shredding import shred
from saferoom.canonical import Json, canonical_bytes
from saferoom.errors import BadInput, Refusal, Unavailable
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.places import open_log
from saferoom.monitor.trusted import read_trusted
from tests import factories as f
from tests.app.test_witnessing import trust_of
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise


def export(world: World, path: Path) -> int:
    """Write the export as the command does; return how many pages it took."""
    lines, first, size, pages = [], 0, None, 0
    while size is None or first < size:
        page = openings.export(world.room, AUDITOR, first, size)
        if size is None:
            size = int(str(page["size"]))
            lines.append(canonical_bytes({
                "kind": "saferoom/openings/1", "origin": page["origin"], "size": size,
            }))  # fmt: skip  # a head
        found = page["lines"]
        assert isinstance(found, list)
        lines += [canonical_bytes(line) for line in found]
        first, pages = int(str(page["next"])), pages + 1
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return pages


def alarms(world: World, folder: Path) -> tuple[Visit, list[str]]:
    trusted = read_trusted(trust_of(world, quorum=0, names=()).to_bytes())
    fetch = open_log(str(folder / "log"))
    asked = Asked(fetch=fetch, trusted=trusted, now=world.now, openings=folder / "openings")
    visit = Visit(asked)
    return visit, [f"{one.code} {one.index}" for one in visit.run()]


def busy(world: World) -> None:
    """Score, ask again, refuse, revoke, grant again, raise a budget."""
    world.score()
    world.score(world.request(nonce=world.nonce))
    world.score(world.request(f.ENTERPRISE, code(9)))
    grant = world.grant()
    world.score()
    world.revoke(grant)
    assert world.score().results[0].status == "refused"
    world.later(seconds=2)
    old = world.budgets[f.ENTERPRISE, f.BANK]
    world.budget(
        replaces=old.digest, revealed_mbit=world.spent(), limit_mbit=60_000,
        signed_at=world.now_text,
    )  # fmt: skip  # one call
    world.grant()
    world.publish()
    world.score()


def test_a_real_room_raises_no_alarm(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openings, "PAGE", 7)
    busy(world)
    world.settle()
    assert export(world, tmp_path / "openings") > 3
    visit, found = alarms(world, tmp_path)
    assert found == []
    assert visit.opened == world.room.log.size > 20


def test_a_shredded_enterprise_stays_closed(world: World, tmp_path: Path) -> None:
    busy(world)
    world.settle()
    with writing(world.room.database) as connection:
        shred(connection, f.ENTERPRISE)
    export(world, tmp_path / "openings")
    assert f.ENTERPRISE.encode() not in (tmp_path / "openings").read_bytes()
    visit, found = alarms(world, tmp_path)
    assert found  # nobody takes what is closed for what is well
    assert {one.split()[0] for one in found} == {"OPENING_WITHHELD"}
    assert visit.opened == visit.size


def test_each_page_is_logged_before_it_is_given(world: World) -> None:
    world.settle()
    size = world.room.log.size
    openings.export(world.room, AUDITOR, 0, None)
    world.settle()
    assert world.room.log.size == size + 1
    assert world.count(t.entry, kind="openings_exported") == 1


def test_no_page_is_given_before_every_sink_holds_its_entry(world: World) -> None:
    world.settle()
    world.sink.away = True
    with pytest.raises(Unavailable) as caught:
        openings.export(world.room, AUDITOR, 0, None)
    assert caught.value.code == "NOT_DELIVERED"
    assert world.count(t.entry, kind="openings_exported") == 1  # it was asked for, and that stands
    world.sink.away = False
    held = len(world.sink.held)
    assert openings.export(world.room, AUDITOR, 0, None)["lines"]
    assert len(world.sink.held) == held + 1


def test_only_an_auditor_is_given_one(world: World) -> None:
    for caller in (OPERATOR, bank(), enterprise()):
        with pytest.raises(Refusal):
            openings.export(world.room, caller, 0, None)
    assert world.count(t.entry, kind="openings_exported") == 0


@pytest.mark.parametrize(("first", "size"), [(1, 0), (0, 10_000), (10_000, None)])
def test_a_page_outside_the_log_is_refused(world: World, first: int, size: int | None) -> None:
    world.settle()
    with pytest.raises(BadInput):
        openings.export(world.room, AUDITOR, first, size)


def test_a_release_that_somebody_slipped_into_the_log_is_found(
    world: World, tmp_path: Path
) -> None:
    """The whole room is the liar's; the monitor's rules are not."""
    from saferoom.app.entries import Draft, write_entry  # noqa: PLC0415  # what a liar would use

    world.settle()
    record: dict[str, Json] = {
        "enterprise": code(9), "grant": f.some_digest(), "budget": f.some_digest(),
        "charge_mbit": 4000, "answer": f.some_digest(), "source": "evaluated",
    }  # fmt: skip  # a record
    personal: dict[str, Json] = {
        "bank": f.BANK, "request": f.some_digest(), "caller": "eve", "purpose": "x",
        "loan_reference": "x", "approvers": [], "override": None,
    }  # fmt: skip  # a leaf
    names = ("version", "views", "snapshot", "policy_set")
    lie = Draft(
        "release", f.BANK, personal, {name: f.some_digest(name) for name in names},
        [record], [code(9)],
    )  # fmt: skip  # one draft
    with writing(world.room.database) as connection:
        write_entry(connection, world.room, lie)
    world.settle()
    export(world, tmp_path / "openings")
    codes = {one.split()[0] for one in alarms(world, tmp_path)[1]}
    expected = {
        "RELEASE_UNGRANTED", "RELEASE_UNAPPROVED", "RELEASE_UNCHARGED", "RELEASE_OVERDRAWN",
    }  # fmt: skip  # codes
    assert codes == expected
