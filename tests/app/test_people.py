from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import people
from saferoom.app.context import Caller
from saferoom.app.people import TokenRequest
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from tests import factories as f
from tests.app.world import GENESIS, OPERATOR, ORIGIN, World, code, empty_world

TRUST = f.some_digest("trust")

TRUST = f.some_digest("trust")


@pytest.fixture
def room(database: sa.Engine, tmp_path: Path) -> World:
    world = empty_world(database, tmp_path)
    people.genesis(world.room, f.genesis(), TRUST)
    world.enrol("sun")
    return world


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def token_request(world: World, holder: str = "zhao", signer: str = "", **by: str) -> Statement:
    fields = {"origin": ORIGIN, "holder": holder, "asked_at": world.now_text}
    fields |= {"nonce": world.nonce, **by}
    return f.sign(TokenRequest(**fields), signer or holder)


def enrolment(holder: str, *signers: str, **changes: object) -> Statement:
    wanted = f.enrolment(holder, role=Role.MODELLER, party=f.BANK, **changes)
    return f.sign(wanted, *(signers or (holder, *GENESIS)))


def test_genesis_opens_the_log_once(room: World) -> None:
    assert room.count(t.entry, kind="genesis") == 1
    assert refused(lambda: people.genesis(room.room, f.genesis(), TRUST)) == "STATE"


def test_the_vault_is_taught_everyone_but_the_founders(room: World) -> None:
    assert [one.body["holder"] for one in room.vault.learnt] == ["sun"]


@pytest.mark.parametrize(
    ("code_", "statement"),
    [
        ("ROLE", enrolment("li.na", "li.na", "zhao")),
        ("KEY_UNKNOWN", enrolment("li.na", "li.na", "zhao", "stranger")),
        ("SIGNATURE_INVALID", enrolment("li.na", *GENESIS)),
        ("FIELD_INVALID", f.sign({"kind": "saferoom/enrolment/1"}, "zhao")),
        ("DUPLICATE", f.sign(f.enrolment("sun", nonce=f.nonce(5)), "sun", *GENESIS)),
    ],
)
def test_a_wrong_enrolment_spoils_its_whole_batch(
    room: World, code_: str, statement: Statement
) -> None:
    good = enrolment("wang.li")

    def act() -> object:
        return people.enrol(room.room, OPERATOR, [good, statement])

    assert refused(act) == code_
    assert room.count(t.enrolment) == 3


def test_a_batch_sent_again_changes_nothing(room: World) -> None:
    batch = [enrolment("li.na"), enrolment("wang.li")]
    first = people.enrol(room.room, OPERATOR, batch)
    assert people.enrol(room.room, OPERATOR, [*batch, batch[0]]) == (*first, first[0])
    assert room.count(t.entry, kind="key_enrolled") == 5


@pytest.mark.parametrize(("count", "code_"), [(0, "FIELD_INVALID"), (501, "TOO_LARGE")])
def test_a_batch_is_bounded(room: World, count: int, code_: str) -> None:
    batch = [enrolment("li.na")] * count
    assert refused(lambda: people.enrol(room.room, OPERATOR, batch)) == code_


def test_later_ones_of_a_batch_may_rest_on_earlier_ones(room: World) -> None:
    fourth = f.sign(f.enrolment("chen"), "chen", *GENESIS)
    people.enrol(room.room, OPERATOR, [fourth, enrolment("li.na", "li.na", "chen", "sun")])
    assert room.count(t.enrolment) == 5


def replace_sun(world: World) -> Statement:
    new = f.enrolment(
        "sun",
        signing_key=f.signing_key("sun 2").public.raw.hex(),
        replaces=f.signing_key("sun").public.id,
        nonce=f.nonce("sun 2"),
    )
    return f.sign(new, "sun 2", *GENESIS)


def test_a_replaced_key_ends_with_its_tokens_and_never_comes_back(room: World) -> None:
    token, _ = people.issue_token(room.room, token_request(room, "sun"))
    people.enrol(room.room, OPERATOR, [replace_sun(room)])
    assert refused(lambda: people.who(room.room, token)) == "TOKEN_INVALID"
    again = token_request(room, "sun")
    assert refused(lambda: people.issue_token(room.room, again)) == "KEY_UNKNOWN"
    back = f.sign(f.enrolment("sun", nonce=f.nonce(77)), "sun", *GENESIS)
    assert refused(lambda: people.enrol(room.room, OPERATOR, [back])) == "DUPLICATE"
    token, _ = people.issue_token(room.room, token_request(room, "sun", "sun 2"))
    assert people.who(room.room, token).holder == "sun"


def test_an_enterprise_gets_an_account_with_no_bits(room: World) -> None:
    room.enrol_enterprises([code(1)])
    assert room.count(t.enterprise, code=code(1), ceiling_mbit=0, epoch=0) == 1


def test_a_token_names_its_holder_until_it_ends(room: World) -> None:
    token, expires_at = people.issue_token(room.room, token_request(room))
    found = people.who(room.room, token)
    assert found == Caller("zhao", "room", Role.OPERATOR, f.signing_key("zhao").public.id)
    assert expires_at == "2026-11-20T22:51:00Z"
    room.later(hours=12)
    assert refused(lambda: people.who(room.room, token)) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    ("code_", "changes"),
    [
        ("REPLAY", {"asked_at": "2026-11-20T10:45:00Z"}),
        ("REPLAY", {"asked_at": "2026-11-20T10:57:00Z"}),
        ("KEY_UNKNOWN", {"signer": "stranger"}),
        ("SIGNATURE_INVALID", {"signer": "qian"}),
        ("SIGNATURE_INVALID", {"origin": "another.test/log"}),
    ],
)
def test_a_token_request_that_proves_nothing_is_refused(
    room: World, code_: str, changes: dict[str, str]
) -> None:
    wanted = token_request(room, **changes)
    assert refused(lambda: people.issue_token(room.room, wanted)) == code_
    assert room.count(t.token) == 0


def test_a_token_request_works_once(room: World) -> None:
    wanted = token_request(room)
    people.issue_token(room.room, wanted)
    assert refused(lambda: people.issue_token(room.room, wanted)) == "REPLAY"


def test_unknown_tokens_name_nobody(room: World) -> None:
    assert refused(lambda: people.who(room.room, "0" * 64)) == "TOKEN_INVALID"


def test_expired_tokens_are_forgotten_after_their_requests_are_stale(room: World) -> None:
    people.issue_token(room.room, token_request(room))
    room.later(hours=12, minutes=30)
    assert people.forget_expired_tokens(room.room) == 0
    room.later(hours=1)
    assert people.forget_expired_tokens(room.room) == 1


def second_key(holder: str, replaces: str | None = None, key: str = "another") -> Statement:
    new = f.enrolment(
        holder,
        party=f.BANK,
        role=Role.MODELLER,
        signing_key=f.signing_key(key).public.raw.hex(),
        replaces=replaces,
        nonce=f.nonce(key),
    )
    return f.sign(new, key, *GENESIS)


def test_no_key_is_added_beside_the_one_in_force(room: World) -> None:
    added = second_key("li.na")
    assert refused(lambda: people.enrol(room.room, OPERATOR, [enrolment("li.na"), added])) == (
        "DUPLICATE"
    )
    people.enrol(room.room, OPERATOR, [enrolment("li.na")])
    assert refused(lambda: people.enrol(room.room, OPERATOR, [added])) == "DUPLICATE"
    replacing = second_key("li.na", f.signing_key("li.na").public.id)
    people.enrol(room.room, OPERATOR, [replacing])
    assert refused(lambda: people.enrol(room.room, OPERATOR, [second_key("li.na", key="x")])) == (
        "DUPLICATE"
    )


def test_a_key_does_not_begin_in_the_far_future(room: World) -> None:
    late = enrolment("li.na", valid_from="2099-01-01T00:00:00Z")
    assert refused(lambda: people.enrol(room.room, OPERATOR, [late])) == "FIELD_INVALID"
