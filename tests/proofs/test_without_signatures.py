"""What does the vault evaluate for somebody who has everything but signatures?

The caller speaks the real protocol on the vault's own socket, as the API does, and holds the
whole database. He may also have a key of his own, another bank's, or one operator's help.
Evaluations are counted in the vault's journal of tickets: there must not be one more.

Not shown here: a signed request with live grants is evaluated, of course, also when the gate
refused it or answered it from its store and so never showed it to the vault. Whoever has the
database within five minutes can make the vault evaluate it, once, sealed to the bank and the
enterprise and charged to nobody; the vault's rate cap bounds that.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.adapters.vault_client import VaultClient
from saferoom.client.statements import Author, countersign, utc_now
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import Statement
from saferoom.demo.opening import OPERATORS
from saferoom.vault.durable import AppendLog
from tests.proofs.attacker import Attacker, claimed, edited, edits, resealed, signed_by, stranger
from tests.proofs.small_room import (
    APPROVER,
    MODELLER,
    SYSTEM,
    UNGRANTED,
    SmallRoom,
    grant,
    request,
    score,
)

Try = tuple[Statement, Sequence[Statement], Sequence[Statement]]  # request, grants, lessons
Attack = Callable[[Attacker], Iterator[Try]]


@pytest.fixture(scope="module")
def attacker(room: SmallRoom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacker]:
    score(room, [room.stage.codes[UNGRANTED]])  # refused: no grant. The database has it signed.
    copy = tmp_path_factory.mktemp("stolen") / "room.db"
    with (
        closing(sqlite3.connect(room.home / "room.db")) as database,
        closing(sqlite3.connect(copy)) as stolen,
    ):
        database.backup(stolen)
    vault = VaultClient(room.home / "run" / "vault.sock")
    yield Attacker(room, vault, copy)
    vault.close()


@pytest.fixture
def evaluations(room: SmallRoom, tmp_path: Path) -> Callable[[], int]:
    """Count what the vault has journalled: nothing leaves it before."""

    def count() -> int:
        found = 0
        for journal in (room.home / "vault" / "journal").glob("tickets-*.log"):
            copy = tmp_path / journal.name
            shutil.copyfile(journal, copy)
            log = AppendLog(copy)
            found += len(list(log.records()))
            log.close()
        return found

    return count


def fresh_request(attacker: Attacker) -> Statement:
    """Find the bank's signed request for the enterprise that granted nothing."""
    code = attacker.room.stage.codes[UNGRANTED]
    return next(one for one in attacker.requests if one.body["enterprises"] == [code])


def forged_grants(attacker: Attacker) -> Iterator[Try]:
    asked, code = fresh_request(attacker), attacker.room.stage.codes[UNGRANTED]
    owner = attacker.room.stage.enterprises.author(code)
    others = attacker.room.stage.enterprises.author(attacker.room.stage.codes[0])
    real, budget = attacker.grants[0], owner.budget(attacker.version.group)
    body = grant(owner, attacker.version, budget).body
    yield asked, [], []
    yield asked, [real], []
    yield asked, [edited(real, enterprise=code)], []
    yield asked, [claimed(edited(real, enterprise=code), owner.keys.signing.public.id)], []
    yield asked, [Statement(body, ())], []
    for signer in (
        others,
        attacker.room.stage.author(OPERATORS[0]),
        attacker.room.stage.author(SYSTEM),
        stranger(code, code, Role.ENTERPRISE),
    ):
        signed = signed_by(body, signer)
        yield asked, [signed], []
        yield asked, [claimed(signed, owner.keys.signing.public.id)], []
    elsewhere = replace(attacker.version, name="another")
    yield asked, [grant(owner, elsewhere, budget)], []
    for bent in edits(grant(owner, elsewhere, budget)):
        yield asked, [bent], []


def edited_grants(attacker: Attacker) -> Iterator[Try]:
    """Bend live grants, for a request that is live as well."""
    real = attacker.grants[0]
    asked = request(attacker.room, [str(real.body["enterprise"])])
    for bent in edits(real):
        yield asked, [bent], []


def enrolled_impostors(attacker: Attacker) -> Iterator[Try]:
    asked, code = fresh_request(attacker), attacker.room.stage.codes[UNGRANTED]
    first, second = (attacker.room.stage.author(name) for name in OPERATORS)
    real = attacker.enrolment(code)
    for replaced in (None, real.signatures[0].key):
        impostor = stranger(code, code, Role.ENTERPRISE)
        own = impostor.enrolment(replaced)
        signed = [grant(impostor, attacker.version, impostor.budget("bank-a"))]
        helper = stranger("helper", "operator", Role.OPERATOR)
        for enrolment in (
            own,
            countersign(own, first.keys),
            countersign(own, first.keys, helper.keys),
            Statement(own.body, (*own.signatures, *real.signatures[1:])),
            countersign(
                claimed(signed_by(own.body, helper), second.keys.signing.public.id), first.keys
            ),
            edited(real, signing_key=impostor.keys.signing.public.raw.hex()),
        ):
            yield asked, signed, [enrolment]
        yield asked, signed, [countersign(helper.enrolment(), first.keys), own]


def replayed_and_resigned_requests(attacker: Attacker) -> Iterator[Try]:
    stage, version = attacker.room.stage, attacker.room.version
    codes = attacker.room.planted.codes[:5]
    live = [one for one in attacker.grants if one.body["enterprise"] in codes]
    served = next(one for one in attacker.requests if len(one.body["enterprises"]) > 1)  # type: ignore[arg-type]  # a list
    for bent in edits(served):
        yield bent, attacker.grants_of(served), []
    for changes in (
        {"nonce": secrets.token_hex(16)},
        {"enterprises": list(codes)},
        {"loan_reference": "LOAN-2"},
    ):
        yield edited(served, **changes), live, []
    now = utc_now()
    for author in (
        stranger("bank-a.system", "bank-a", Role.SYSTEM),
        stage.author("bank-b.system"),
        stage.author(OPERATORS[0]),
        stage.author(APPROVER),
        stage.enterprises.author(codes[0]),
        Author(stage.author(SYSTEM).keys, clock=lambda: now - timedelta(minutes=6)),
        Author(stage.author(SYSTEM).keys, clock=lambda: now + timedelta(minutes=6)),
    ):
        signed = request(attacker.room, codes, author)
        yield signed, live, []
        yield claimed(signed, stage.author(SYSTEM).keys.signing.public.id), live, []
    assert all(one.body["version"] == version for one in live)


def unapproved_versions(attacker: Attacker) -> Iterator[Try]:
    stage, real = attacker.room.stage, attacker.version
    code = stage.codes[0]
    first = stage.author(OPERATORS[0])
    thief = stranger("li.na", "bank-a", Role.MODELLER)
    assert thief.keys.delivery is not None
    mine = replace(resealed(real, thief.keys.delivery), nonce=secrets.token_hex(16))
    owner, modeller = stage.enterprises.author(code), stage.author(MODELLER)
    for submitted in (
        signed_by(mine.to_body(), thief),
        claimed(signed_by(mine.to_body(), thief), modeller.keys.signing.public.id),
        signed_by(mine.to_body(), modeller),  # put up by an accomplice
    ):
        subject = submitted.digest
        bank = stage.author(APPROVER).vote(subject, "bank")
        votes = [
            [],
            [edited(vote, subject=subject) for vote in attacker.votes],
            [bank, first.vote(subject, "review")],
            [bank, first.vote(subject, "review"), first.vote(subject, "review")],
            [
                bank,
                first.vote(subject, "review"),
                stranger("zhao.lei", "operator", Role.OPERATOR).vote(subject, "review"),
            ],
            [modeller.vote(subject, "bank"), modeller.vote(subject, "review")],
        ]
        asked = stage.author(SYSTEM).score_request(subject, mine.purpose, [code], "LOAN-1")
        granted = grant(owner, mine, owner.budget(mine.group))  # the owner was fooled
        for cast in votes:
            yield asked, [granted], [submitted, *cast]


def edited_enrolments_and_votes(attacker: Attacker) -> Iterator[Try]:
    """Bend what the database holds of people; ask as the one whose key was put in."""
    codes = attacker.room.planted.codes[:3]
    live = [one for one in attacker.grants if one.body["enterprise"] in codes]
    for name, role in (("bank-a.system", Role.SYSTEM), ("li.na", Role.MODELLER)):
        thief = stranger(name, "bank-a", role)
        real = attacker.enrolment(name)
        key = thief.keys.signing.public.raw.hex()
        for lesson in (edited(real, signing_key=key), edited(real, signing_key=key, holder="x")):
            yield request(attacker.room, codes, thief), live, [lesson]
    for vote in attacker.votes:
        yield (
            request(attacker.room, codes, stranger("x", "bank-a", Role.SYSTEM)),
            live,
            [*edits(vote)],
        )


ATTACKS: list[Attack] = [
    forged_grants,
    edited_grants,
    enrolled_impostors,
    replayed_and_resigned_requests,
    unapproved_versions,
    edited_enrolments_and_votes,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_nothing_is_evaluated(
    attacker: Attacker, evaluations: Callable[[], int], attack: Attack
) -> None:
    before, tried = evaluations(), 0
    for number, (asked, grants, lessons) in enumerate(attack(attacker)):
        assert attacker.ask(asked, grants, lessons) == [], f"try {number}"
        tried = number + 1
    assert tried > 0
    assert evaluations() == before


def test_a_replay_gets_the_very_bytes_that_were_given_before(
    attacker: Attacker, evaluations: Callable[[], int]
) -> None:
    """Not a refusal, and no evaluation: what was sealed for others is given once more."""
    with closing(sqlite3.connect(attacker.database)) as database:
        released = {row[0] for row in database.execute("SELECT answer FROM release")}
    evaluated = "(SELECT request FROM release WHERE source = 'evaluated')"
    before = evaluations()
    for old in attacker.rows(f"SELECT statement FROM request WHERE digest IN {evaluated}"):
        assert set(attacker.ask(old, attacker.grants_of(old))) <= released
    assert evaluations() == before > 0


def test_the_count_counts(attacker: Attacker, evaluations: Callable[[], int]) -> None:
    """The same socket, a signed request and a live grant: one more."""
    before, code = evaluations(), attacker.room.planted.codes[0]
    asked = request(attacker.room, [code])
    assert len(attacker.ask(asked, attacker.grants_of(asked))) == 1
    assert evaluations() == before + 1
