"""Does whoever may write the database decide what may leave? Not what people did not sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import people
from saferoom.app.proofs import MOST, Proofs
from saferoom.app.replaying import prover
from saferoom.core.admission import Admission
from saferoom.core.enrolment import Enrolment
from saferoom.core.record import Record
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, SaferoomError
from tests import factories as f
from tests.app.world import GENESIS, OPERATOR, PERMIT_ALL, World


def refused(world: World) -> str:
    with pytest.raises(SaferoomError) as caught:
        world.score()
    assert world.vault.evaluated == 0
    return caught.value.code


def put_in(world: World, kind: str, record: Record, submitter: str = "zhao") -> None:
    """Write a subject's row as if two operators had approved it."""
    row = {
        "digest": record.digest,
        "kind": kind,
        "party": f.BANK,
        "submitter": f.signing_key(submitter).public.id,
        "state": "approved",
        "statement": f.sign(record, submitter).to_bytes(),
        "proposed_at": f.NOW_TEXT,
    }
    world.execute(sa.insert(t.subject).values(row))


def name_policy(world: World, digest: str) -> None:
    world.execute(sa.update(t.standing).where(t.standing.c.name == "policy").values(digest=digest))


def vote_in(world: World, subject: str, statement: Statement) -> None:
    row = {
        "digest": statement.digest,
        "subject": subject,
        "key": statement.signers()[0],
        "statement": statement.to_bytes(),
    }
    world.execute(sa.insert(t.vote).values(row))


def stranger(name: str, *vouchers: str, **changes: object) -> Callable[[World], None]:
    """Write an enrolment that no two operators signed."""

    def act(world: World) -> None:
        new: Enrolment = f.enrolment(name, **changes)
        row = {
            "key": new.key_id,
            "holder": name,
            "party": "room",
            "role": "operator",
            "digest": new.digest,
            "statement": f.sign(new, name, *vouchers).to_bytes(),
            "enrolled_at": f.NOW_TEXT,
        }
        world.execute(sa.insert(t.enrolment).values(row))

    return act


def test_a_policy_set_that_nobody_voted_for_permits_nothing(world: World) -> None:
    put_in(world, "policy", PERMIT_ALL)
    name_policy(world, PERMIT_ALL.digest)
    assert refused(world) == "POLICY_DENIED"


def test_nor_one_with_the_votes_for_another(world: World) -> None:
    with world.room.database.connect() as c:
        voted = c.scalars(sa.select(t.standing.c.digest).where(t.standing.c.name == "policy")).one()
    put_in(world, "policy", PERMIT_ALL)
    name_policy(world, PERMIT_ALL.digest)
    world.execute(
        sa.update(t.vote).where(t.vote.c.subject == voted).values(subject=PERMIT_ALL.digest)
    )
    assert refused(world) == "POLICY_DENIED"


def test_nor_one_written_over_what_was_voted_for(world: World) -> None:
    forged = f.sign(PERMIT_ALL, "zhao").to_bytes()
    world.execute(sa.update(t.subject).where(t.subject.c.kind == "policy").values(statement=forged))
    assert refused(world) == "POLICY_DENIED"


@pytest.mark.parametrize(
    "enrol",
    [
        (stranger("x"), stranger("y")),
        (stranger("x", "y", "zhao"), stranger("y", "x", "zhao")),  # a ring
        (stranger("x", "x2", "y2"), stranger("y", "x2", "y2")),
    ],
)
def test_voters_whom_nobody_vouched_for_do_not_count(
    world: World, enrol: tuple[Callable[[World], None], ...]
) -> None:
    for act in enrol:
        act(world)
    put_in(world, "policy", PERMIT_ALL)
    name_policy(world, PERMIT_ALL.digest)
    for name in ("x", "y"):
        vote_in(world, PERMIT_ALL.digest, f.sign(f.vote(PERMIT_ALL.digest), name))
    assert refused(world) == "POLICY_DENIED"


def test_a_founder_is_who_the_trust_file_says(world: World) -> None:
    other = f.sign(f.enrolment("zhao", holder="somebody"), *GENESIS)
    key = f.signing_key("zhao").public.id
    change = sa.update(t.enrolment).where(t.enrolment.c.key == key)
    world.execute(change.values(statement=other.to_bytes()))
    with world.room.database.connect() as connection:
        found = prover(connection, world.room)(key)
    assert found is not None
    assert found.holder == "zhao"


def set_contract(world: World, admission: Admission) -> None:
    change = sa.update(t.party).where(t.party.c.party == f.BANK)
    world.execute(change.values(admission=admission.digest))


def test_a_contract_that_nobody_voted_for_is_none(world: World) -> None:
    wider = f.admission(purposes=("credit_approval",), nonce=world.nonce)
    put_in(world, "admission", wider)
    set_contract(world, wider)
    assert refused(world) == "ORG_INACTIVE"


def test_another_party_s_contract_is_none(world: World) -> None:
    world.admit("bank-b")
    with world.room.database.connect() as c:
        digest = c.scalars(sa.select(t.party.c.admission).where(t.party.c.party == "bank-b")).one()
    world.execute(sa.update(t.party).where(t.party.c.party == f.BANK).values(admission=digest))
    assert refused(world) == "ORG_INACTIVE"


def test_a_contract_written_over_what_was_voted_for_is_none(world: World) -> None:
    forged = f.sign(f.admission(nonce=world.nonce), "zhao").to_bytes()
    change = sa.update(t.subject).where(t.subject.c.kind == "admission")
    world.execute(change.values(statement=forged))
    assert refused(world) == "ORG_INACTIVE"


@pytest.mark.parametrize("kind", ["version", "views"])
def test_what_was_voted_for_is_compared_with_its_digest(world: World, kind: str) -> None:
    fewer = replace(f.views(), views=f.views().views[1:])
    forged = f.sign(f.manifest() if kind == "version" else fewer, "zhao")
    change = sa.update(t.subject).where(t.subject.c.kind == kind)
    world.execute(change.values(statement=forged.to_bytes()))
    assert refused(world) == "CONTENT_CHANGED"


def test_what_was_proved_is_not_computed_again_until_a_byte_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.score()
    known = {**world.room.proofs.votes}
    assert len(known) == 4  # contract, version, policy set, the grants' text
    world.score()
    assert world.room.proofs.votes == known
    world.execute(sa.delete(t.vote))
    with pytest.raises(Refusal):
        world.score()


def test_proofs_are_forgotten_when_there_are_too_many() -> None:
    proofs = Proofs(votes=dict.fromkeys(range(MOST), ()))
    proofs.make_place()
    assert proofs.votes == {}


def test_an_approved_contract_still_counts_after_its_voters_keys_were_replaced(
    world: World,
) -> None:
    new = f.enrolment(
        "sun",
        signing_key=f.signing_key("sun 2").public.raw.hex(),
        replaces=f.signing_key("sun").public.id,
        nonce=f.nonce("sun 2"),
    )
    people.enrol(world.room, OPERATOR, [f.sign(new, "sun 2", *GENESIS)])
    assert world.score().results[0].status == "released"
