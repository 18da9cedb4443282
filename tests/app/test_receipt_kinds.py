"""Whoever an entry concerns gets a receipt of it, with the papers, and nobody else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from saferoom.adapters.database.engine import writing
from saferoom.app import contacts, erasures, receipts
from saferoom.app.concerns import PARTIES
from saferoom.app.context import Caller
from saferoom.app.shredding import shred
from saferoom.core.contact import Contact
from saferoom.core.enrolment import Role
from saferoom.core.log_events import KINDS
from saferoom.core.papers import PAPERS
from saferoom.core.receipt import Verified
from saferoom.errors import BadInput, NotFound
from tests import factories as f
from tests.app.world import AUDITOR, GENESIS, OPERATOR, World, bank, code, enterprise

FIRM = f.ENTERPRISE
STEWARD = Caller("tax.steward", "tax", Role.STEWARD, bank().key)


def only(world: World, caller: Caller, kind: str) -> Verified:
    """Verify the newest receipt of a kind that the caller is shown."""
    world.settle()
    names = receipts.list_receipts(world.room, caller, kind=kind)
    return world.verify(receipts.get(world.room, caller, names[-1]))


def stop(world: World) -> None:
    world.suspend_party()


def erase(world: World) -> None:
    order = f.sign(f.erase_order(FIRM, asked_at=world.now_text), FIRM)
    erasures.erase(world.room, OPERATOR, order)


def refuse(world: World) -> None:
    """Ask for one that granted, and one that did not."""
    other = code(7)
    world.enrol_enterprises([other])
    world.score(world.request(FIRM, other))


def new_contact(world: World) -> None:
    contact = Contact(
        party=FIRM, address="a@firm.example", set_at=world.now_text, nonce=world.nonce
    )
    contacts.set_contact(world.room, enterprise(), f.sign(contact, FIRM))


def replace_key(world: World) -> None:
    world.enrol(
        "new key",
        holder=FIRM,
        party=FIRM,
        role=Role.ENTERPRISE,
        replaces=f.signing_key(FIRM).public.id,
    )


def revoke(world: World) -> None:
    world.revoke(world.grant())


def nothing(world: World) -> None:
    """It happened while the room was opened."""


# What happens, of which kind, and which parties may ask besides operators and auditors.
HAPPENINGS: Mapping[str, tuple[Callable[[World], None], str, set[str]]] = {
    "a grant": (nothing, "grant_signed", {FIRM, f.BANK}),
    "a budget": (nothing, "budget_signed", {FIRM}),
    "a revocation": (revoke, "grant_revoked", {FIRM, f.BANK}),
    "a refusal": (refuse, "refusal", {code(7), f.BANK}),
    "an approval": (nothing, "version_approved", {f.BANK}),
    "a submission": (nothing, "version_submitted", {f.BANK}),
    "an admission": (nothing, "party_admitted", {f.BANK}),
    "a suspension": (stop, "party_suspended", {f.BANK}),
    "a stopped version": (lambda w: (w.suspend_version(), None)[1], "version_suspended", {f.BANK}),
    "an erasure": (erase, "erased", {FIRM}),
    "a new key": (replace_key, "key_enrolled", {FIRM}),
    "a contact": (new_contact, "contact_set", {FIRM}),
    "a policy set": (nothing, "policy_activated", set()),
    "views": (nothing, "views_approved", set()),
    "a snapshot": (nothing, "snapshot_published", set()),
    "a token": (nothing, "genesis", set()),
}
ASKERS: Mapping[str, Caller] = {
    FIRM: enterprise(),
    code(7): enterprise(code(7)),
    f.BANK: bank(),
    "bank-b": bank("bank-b"),
    "tax": STEWARD,
}


@pytest.mark.parametrize("name", HAPPENINGS)
def test_a_receipt_of_each_kind_exists_for_those_it_concerns(world: World, name: str) -> None:
    happen, kind, parties = HAPPENINGS[name]
    happen(world)
    world.settle()
    newest = receipts.list_receipts(world.room, AUDITOR, kind=kind)[-1]
    data = receipts.get(world.room, AUDITOR, newest)
    shown = world.verify(data)
    assert shown.kind == kind
    wanted = [field for field in PAPERS.get(kind, {}) if shown.opened.get(field)]
    said = "\n".join(shown.links)
    assert all(f"{field}: the paper itself" in said for field in wanted)
    for party, caller in ASKERS.items():
        sees = party in parties
        assert (newest in receipts.list_receipts(world.room, caller, kind=kind)) == sees, party
        if sees:
            assert receipts.get(world.room, caller, newest) == data
        else:
            with pytest.raises(NotFound):
                receipts.get(world.room, caller, newest)


def test_an_approval_carries_every_vote(world: World) -> None:
    said = "\n".join(only(world, bank(), "version_approved").links)
    for voter in (f"{f.BANK}.approver (approver of {f.BANK})", "zhao (operator", "qian (operator"):
        assert voter in said


def test_a_vote_is_its_voters_own(world: World) -> None:
    shown = only(world, bank(), "vote_cast")
    assert shown.opened["voter"] == f"{f.BANK}.approver"
    assert "statement: the paper itself, signed by bank-a.approver" in "\n".join(shown.links)


def test_a_release_carries_its_grant_and_its_version(world: World) -> None:
    (line,) = world.score().results
    world.settle()
    shown = world.verify(receipts.get(world.room, bank(), str(line.receipt)))
    assert {paper.kind for paper in shown.papers} == {"saferoom/grant/1", "saferoom/version/1"}
    assert shown.links[-3].startswith(("grant: the paper", "version: the paper"))


def test_of_a_batch_each_sees_its_own_refusal_alone(world: World) -> None:
    refused = [code(7), code(8)]
    world.enrol_enterprises(refused)
    world.score(world.request(*refused))
    world.settle()
    for who in refused:
        (name,) = receipts.list_receipts(world.room, enterprise(who), kind="refusal")
        shown = world.verify(receipts.get(world.room, enterprise(who), name))
        assert shown.opened["enterprise"] == who
        assert shown.opened["code"] == "AUTH_MISSING"
    entry, _, _ = name.partition("-")
    mine = receipts.list_receipts(world.room, bank(), kind="refusal")
    assert mine == [f"{entry}-0", f"{entry}-1"]
    assert mine == receipts.list_receipts(world.room, AUDITOR, kind="refusal")
    with pytest.raises(NotFound):
        receipts.get(world.room, enterprise(refused[0]), name)
    assert world.verify(receipts.get(world.room, AUDITOR, entry)).opened["bank"] == f.BANK


def test_a_shredded_enterprise_takes_its_papers_with_it(world: World) -> None:
    (line,) = world.score().results
    (name,) = receipts.list_receipts(world.room, enterprise(), kind="grant_signed")
    world.settle()
    with writing(world.room.database) as connection:
        shred(connection, FIRM)
    shown = world.verify(receipts.get(world.room, bank(), name))
    assert (shown.opened, shown.papers) == ({}, ())
    assert set(shown.shredded) == set(KINDS["grant_signed"].committed)
    released = world.verify(receipts.get(world.room, bank(), str(line.receipt)))
    assert [paper.kind for paper in released.papers] == ["saferoom/version/1"]


def test_an_operators_key_that_was_replaced_still_vouches(world: World) -> None:
    world.enrol("sun again", holder="sun", replaces=f.signing_key("sun").public.id)
    assert only(world, OPERATOR, "views_approved").enrolments


def test_receipts_are_listed_by_kind_and_time(world: World) -> None:
    assert receipts.list_receipts(world.room, bank(), kind="grant_revoked") == []
    before = world.now_text
    world.later(minutes=1)
    since = world.now_text
    revoke(world)
    listed = receipts.list_receipts(world.room, bank(), since=since, kind="grant_signed")
    every = receipts.list_receipts(world.room, bank(), since=before, kind="grant_signed")
    assert listed == every[-1:]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in every)


@pytest.mark.parametrize(("kind", "version"), [("grants", None), ("erased", "00" * 32)])
def test_only_kinds_that_exist_are_listed(world: World, kind: str, version: str | None) -> None:
    with pytest.raises(BadInput):
        receipts.list_receipts(world.room, bank(), version=version, kind=kind)


@pytest.mark.parametrize("name", ["00" * 16, "00" * 32, "00" * 32 + "-0"])
def test_what_does_not_exist_has_no_receipt(world: World, name: str) -> None:
    for caller in (bank(), AUDITOR):
        with pytest.raises(NotFound):
            receipts.get(world.room, caller, name)


def test_every_party_that_a_kind_names_is_a_field_of_it() -> None:
    for kind, fields in PARTIES.items():
        assert set(fields) <= set(KINDS[kind].committed)


def test_genesis_is_vouched_for_by_the_trust_file_alone(world: World) -> None:
    names = receipts.list_receipts(world.room, AUDITOR, kind="key_enrolled")
    world.settle()
    first = world.verify(receipts.get(world.room, AUDITOR, names[0]))
    assert first.opened["holder"] in GENESIS
    assert first.enrolments == ()
    assert "both founders" in "\n".join(first.links)
