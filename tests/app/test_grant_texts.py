"""Is a grant taken, and scored under, only in the words that its enterprise read?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.database.writing import insert_or_update
from saferoom.app import subjects, terms
from saferoom.canonical import Digest
from saferoom.core.grant import Grant
from saferoom.core.grant_text import GrantTemplate, worded
from saferoom.errors import NotFound, Refusal, SaferoomError, Unavailable
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, World, bank, code, enterprise


def _refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as error:
        act()
    return f"{error.value.code} {error.value.detail}"


def _approve(world: World, template: GrantTemplate) -> Digest:
    digest = subjects.propose(world.room, OPERATOR, f.sign(template, "zhao"))
    world.approve(digest)
    return digest


def _under(template: GrantTemplate, grant: Grant) -> Grant:
    return worded(template, dataclasses.replace(grant, template=template.digest))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"text": f.some_digest("what was not shown")}, "text"),
        ({"template": f.some_digest("another")}, "template"),
        ({"representative_ticked": True}, "representative_ticked"),
        ({"bank_name": "Better Bank"}, "bank_name"),
        ({"bank_contact": "nobody"}, "bank_contact"),
        ({"model_name": "a better model"}, "model_name"),
        ({"group": "bank-b"}, "group"),
        ({"budget_mbit": 1}, "budget"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_grant_that_says_other_than_it_is_is_not_taken(
    world: World, changes: dict[str, Any], why: str
) -> None:
    assert _refused(lambda: world.grant(**changes)) == f"AUTH_SCOPE {why}"
    assert world.count(t.permission) == 1


def test_a_new_wording_is_for_grants_to_come(world: World) -> None:
    assert world.score().results[0].code is None
    second = f.template(version=2)
    _approve(world, second)
    assert world.score().results[0].code is None  # under the words that were read
    assert _refused(world.grant) == "AUTH_SCOPE template"
    world.bring(_under(second, world.unsent_grant()))
    assert world.score().results[0].code is None
    assert world.count(t.entry, kind="template_approved") == 2


def test_one_person_s_wording_counts_for_nothing(world: World) -> None:
    second = f.template(version=2)
    subjects.propose(world.room, OPERATOR, f.sign(second, "zhao"))
    assert world.approve(second.digest, names=["qian"]) == "open"
    grant = _under(second, world.unsent_grant())
    assert _refused(lambda: world.bring(grant)) == "AUTH_SCOPE template"
    # Whoever writes the database makes it approved, and newest, and stores the grant.
    world.execute(
        sa.update(t.subject).where(t.subject.c.digest == second.digest).values(state="approved")
    )
    with writing(world.room.database) as connection:
        insert_or_update(connection, t.standing, [{"name": "template", "digest": second.digest}])
    assert _refused(lambda: world.bring(grant)).startswith("NOT_READY")
    signed = f.sign(grant, grant.enterprise).to_bytes()
    world.execute(sa.update(t.permission).values(statement=signed, digest=grant.digest))
    assert world.score().results[0].code == "AUTH_SCOPE"
    assert world.spent() == 0


def test_a_room_without_a_wording_takes_no_grant(world: World) -> None:
    world.execute(sa.delete(t.standing).where(t.standing.c.name == "template"))
    assert _refused(world.grant).startswith("NOT_READY")
    with pytest.raises(Unavailable, match="NOT_READY"):
        terms.show_terms(world.room, enterprise(), world.version.digest)


def test_an_unfit_wording_is_not_put_up_for_votes(world: World) -> None:
    body = {**f.template().to_body(), "clauses": []}
    assert _refused(
        lambda: subjects.propose(world.room, OPERATOR, f.sign(body, "zhao"))
    ).startswith("FIELD_INVALID")


def test_an_enterprise_reads_the_terms_before_it_signs(world: World) -> None:
    told = terms.show_terms(world.room, enterprise(), world.version.digest)
    grant = world.signed[f.ENTERPRISE, world.version.digest][0]
    assert told["manifest"] == world.version.to_body()
    assert told["template"] == f.template().to_body()
    assert told["renews"] == grant
    assert told["budget"] == world.budgets[f.ENTERPRISE, f.BANK].to_body()
    assert (told["bank_name"], told["categories"]) == ("First Bank", ["registration", "tax"])
    world.enrol_enterprises([code(2)])
    new = terms.show_terms(world.room, enterprise(code(2)), world.version.digest)
    assert (new["budget"], new["renews"]) == (None, None)
    for caller in (bank(), OPERATOR, AUDITOR):
        assert terms.show_terms(world.room, caller, world.version.digest)["budget"] is None


def test_what_cannot_be_granted_has_no_terms(world: World) -> None:
    waiting = world.manifest()
    world.submit(waiting)
    world.suspend_version()
    for digest in (waiting.digest, world.version.digest, f.some_digest("none")):
        with pytest.raises(NotFound):
            terms.show_terms(world.room, enterprise(), digest)


def test_a_bank_that_is_gone_offers_nothing(world: World) -> None:
    world.execute(sa.update(t.party).values(admission=None))
    with pytest.raises(Refusal, match="ORG_INACTIVE"):
        terms.show_terms(world.room, enterprise(), world.version.digest)
