"""Does an enterprise find everything that the log holds about it, and nothing of the others?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import grants, looks, openings, receipts
from saferoom.app.context import Caller
from saferoom.app.shredding import load_keys, open_openings, shred
from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.client.http import RoomClient
from saferoom.client.looks import Look, check_looks, fetch_looks, to_csv
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.errors import BadInput, Refusal, Tampered
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise

OTHER = code(8)


class Asking:
    """What a client asks of the room, without HTTP."""

    def __init__(self, world: World, caller: Caller) -> None:
        self.world, self.caller = world, caller

    def looks(self, first: int = 0) -> dict[str, Json]:
        return looks.list_looks(self.world.room, self.caller, first)


def kept(world: World, who: str = f.ENTERPRISE) -> bytes:
    """Fetch the list as its file."""
    return fetch_looks(cast("RoomClient", Asking(world, enterprise(who))), who)


def listed(world: World, who: str = f.ENTERPRISE) -> list[Look]:
    world.settle()
    return check_looks(kept(world, who), world.trust)


def busy(world: World) -> None:
    """Let two enterprises be scored together, refused, looked up, exported and revoked."""
    world.enrol_enterprises([OTHER])
    world.budget(OTHER)
    grant = world.grant(OTHER)
    world.score(world.request(f.ENTERPRISE, OTHER))
    world.score(world.request(f.ENTERPRISE, OTHER, code(9)))
    world.settle()
    for caller in (bank(), OPERATOR, AUDITOR):
        for receipt in receipts.list_receipts(world.room, caller):
            receipts.get(world.room, caller, receipt)
        grants.list_grants(world.room, caller)
        grants.ledger(world.room, caller)
    world.settle()
    openings.export(world.room, AUDITOR, 0, None)
    world.revoke(grant)
    world.score(world.request(OTHER))
    world.settle()


def naming(world: World, who: str) -> set[tuple[int, int]]:
    """Open the whole log as nobody may, and find every place that names an enterprise."""
    with reading(world.room.database) as connection:
        query = sa.select(t.opening, t.entry.c.leaf_index).join(
            t.entry, t.entry.c.id == t.opening.c.entry
        )
        rows = connection.execute(query).all()
        keys = load_keys(connection, world.room, {row.subject for row in rows})
    return {
        (row.leaf_index, row.position)
        for row in rows
        if who
        in {
            str(one.value)
            for one in open_openings(
                keys[row.subject], row.sealed, row.entry, row.position
            ).values()
        }
    }


def told(world: World, who: str) -> set[tuple[int, int]]:
    pages = parse_object(kept(world, who))["pages"]
    names = [name for page in cast("Any", pages) for name in page["page"]["body"]["places"]]
    assert len(names) == len(set(names))
    return {(int(x), int(y) if y else -1) for x, _, y in (name.partition(".") for name in names)}


@pytest.mark.parametrize("who", [f.ENTERPRISE, OTHER])
def test_every_entry_that_commits_to_an_enterprise_is_in_its_list_and_the_reverse(
    world: World, who: str
) -> None:
    busy(world)
    broad = {
        (one.index, -1)
        for one in listed(world, who)
        if one.kind == "openings_exported" or (one.kind == "looked_up" and one.what != "receipt")
    }
    assert len(broad) == 5  # grants and accounts of all, by two, and an export
    assert told(world, who) - broad == naming(world, who)
    assert broad.isdisjoint(naming(world, who))


def test_each_line_says_when_who_for_what_and_at_which_charge(world: World) -> None:
    busy(world)
    lines = listed(world)
    kinds = [one.kind for one in lines]
    assert kinds[:4] == ["key_enrolled", "budget_signed", "grant_signed", "release"]
    first = next(one for one in lines if one.kind == "release")
    assert (first.who, first.caller) == (f.BANK, f"{f.BANK}.modeller")
    assert (first.purpose, first.version) == ("credit_approval", world.version.digest)
    assert (first.charge_mbit, first.time) == (4000, f.NOW_TEXT)
    assert first.receipt in receipts.list_receipts(world.room, enterprise())
    assert first.grant == world.signed[f.ENTERPRISE, world.version.digest][0]
    assert {(one.who, one.what) for one in lines if one.kind == "looked_up"} == {
        (who, what) for who in ("zhao", "wu") for what in ("receipt", "grants", "ledger")
    }
    refused = [one for one in listed(world, OTHER) if one.kind == "refusal"]
    assert [(one.who, one.code) for one in refused] == [(f.BANK, "AUTH_REVOKED")]
    asked_in_vain = [one for one in listed(world, code(9)) if one.who == f.BANK]
    assert [one.code for one in asked_in_vain] == ["AUTH_MISSING"]  # enrolled or not


def test_a_bank_that_reads_its_own_leaves_no_trace_and_an_operator_does(world: World) -> None:
    (line,) = world.score().results
    world.settle()
    receipts.get(world.room, bank(), str(line.receipt))
    receipts.get(world.room, enterprise(), str(line.receipt))
    grants.ledger(world.room, bank())
    assert world.count(t.entry, kind="looked_up") == 0
    receipts.get(world.room, OPERATOR, str(line.receipt))
    assert world.count(t.entry, kind="looked_up") == 1
    assert world.count(t.notice, kind="looked_up", recipient=f.ENTERPRISE) == 1


def test_pages_follow_one_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(world)
    whole = listed(world)
    monkeypatch.setattr(looks, "PAGE", 2)
    assert listed(world) == whole
    monkeypatch.setattr(looks, "MOST_BROAD", 1)
    assert listed(world) == whole
    pages = cast("Any", parse_object(kept(world))["pages"])
    assert len(pages) > 5


def test_only_an_enterprise_has_such_a_list(world: World) -> None:
    for caller in (bank(), OPERATOR, AUDITOR):
        with pytest.raises(Refusal, match="ROLE"):
            looks.list_looks(world.room, caller)
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        looks.list_looks(world.room, enterprise(), 10**6)


def test_what_was_shredded_is_listed_closed(world: World) -> None:
    busy(world)
    before = listed(world, OTHER)
    with writing(world.room.database) as connection:
        shred(connection, OTHER)
    after = listed(world, OTHER)
    assert [one.index for one in after] == [one.index for one in before]
    assert {one.grant for one in after} == {None}


def _forged(world: World, file: bytes, change: str) -> bytes:
    body = cast("Any", parse_object(file))
    _CHANGES[change](world, body, body["pages"][0])
    return canonical_bytes(body)


def _sign_as(name: str, page: Any) -> None:
    page["page"] = sign_statement(page["page"]["body"], [f.signing_key(name)]).to_json()


def _drop_place(_: World, __: Any, page: Any) -> None:
    del page["looks"][-1]
    del page["page"]["body"]["places"][-1]


def _list_another(world: World, page: Any) -> None:
    """Let the room itself sign that the other's first entry concerned this one."""
    other = cast("Any", parse_object(kept(world, OTHER))["pages"])[0]
    page["looks"] = [other["looks"][0]]
    said = {**page["page"]["body"], "places": other["page"]["body"]["places"][:1]}
    page["page"] = sign_statement(said, [world.room.log_key]).to_json()


_CHANGES: dict[str, Callable[[World, Any, Any], object]] = {
    "a line is left out": lambda _, __, page: page["looks"].pop(),
    "a line and its place are left out": _drop_place,
    "a page is left out": lambda _, body, __: body["pages"].pop(0),
    "somebody else signed": lambda _, __, page: _sign_as("mallory", page),
    "nobody signed": lambda _, __, page: page["page"].update(signatures=[]),
    "it is another's": lambda _, body, __: body.update(enterprise=OTHER),
    "a receipt is changed": lambda _, __, page: page["looks"][0]["proof"]["leaf"].update(
        time="2026-11-20T11Z"
    ),
    "the room lists what concerns nobody": lambda world, _, page: _list_another(world, page),
    "no page": lambda _, body, __: body.update(pages=[{}]),
    "no list": lambda _, body, __: body.update(kind="saferoom/other/1"),
}


@pytest.mark.parametrize(
    ("change", "code_"),
    [
        ("a line is left out", "LOOKS_INVALID"),
        ("a line and its place are left out", "LOOKS_INVALID"),
        ("a page is left out", "LOOKS_INVALID"),
        ("somebody else signed", "LOOKS_INVALID"),
        ("nobody signed", "LOOKS_INVALID"),
        ("it is another's", "LOOKS_INVALID"),
        ("a receipt is changed", "RECEIPT_INVALID|PROOF_INVALID"),
        ("the room lists what concerns nobody", "LOOKS_INVALID"),
    ],
)
def test_a_list_that_was_changed_does_not_check(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str, code_: str
) -> None:
    busy(world)
    monkeypatch.setattr(looks, "PAGE", 4)
    with pytest.raises(Tampered, match=code_):
        check_looks(_forged(world, kept(world), change), world.trust)


@pytest.mark.parametrize("change", ["no page", "no list"])
def test_what_is_no_list_is_refused(world: World, change: str) -> None:
    busy(world)
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        check_looks(_forged(world, kept(world), change), world.trust)


def test_a_kept_list_checks_against_a_kept_checkpoint_and_the_log(
    world: World, tmp_path: Path
) -> None:
    busy(world)
    file = kept(world)
    world.score()
    world.settle()
    (tmp_path / "kept").write_text(world.room.log.checkpoint())
    believed = tmp_path / "trust.json"
    believed.write_bytes(world.trust.to_bytes())
    log = tmp_path / "log"
    assert check_looks(file, believed, tmp_path / "kept", log) == check_looks(file, world.trust)
    with pytest.raises(Tampered, match="CONSISTENCY"):
        check_looks(file, world.trust, tmp_path / "kept", tmp_path / "nowhere")


def test_a_spreadsheet_takes_no_text_for_a_formula(world: World) -> None:
    world.score(world.request(loan_reference="=cmd()"))
    lines = to_csv(listed(world)).splitlines()
    assert lines[0].startswith("index,time,kind,who,caller,purpose,loan_reference")
    assert sum("'=cmd()" in line for line in lines) == 1
    assert not any(",=" in line for line in lines)


def test_a_page_is_signed_by_a_key_of_the_trust_file_alone(world: World) -> None:
    busy(world)
    page = looks.list_looks(world.room, enterprise())["page"]
    Statement.from_json(page).check_signed_by(world.room.log_key.public)
    stranger = Trust(origin="other.test/log", log_keys=world.trust.log_keys)
    with pytest.raises(Tampered, match="LOOKS_INVALID"):
        check_looks(kept(world), stranger)
