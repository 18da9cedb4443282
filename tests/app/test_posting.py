"""Is everybody told, by whatever way there is, and does nothing ever wait for it?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from saferoom.adapters.database import tables as t
from saferoom.app import contacts, notices, posting
from saferoom.core.contact import Contact
from saferoom.core.notification import MOST_ATTEMPTS, Message, pause_after
from saferoom.errors import Conflict, Refusal, Unavailable
from tests import factories as f
from tests.app.world import OPERATOR, World, bank, code, enterprise


@dataclass
class Post:
    """A way to send that can be away for some addresses, and remembers."""

    sent: list[tuple[str, Message]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    tries: int = 0

    def send(self, address: str, message: Message) -> None:
        self.tries += 1
        if address in self.away:
            raise Unavailable("NOTIFIER_UNAVAILABLE")
        self.sent.append((address, message))


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def told(world: World, post: Post) -> World:
    """A world with a way to send, whose enterprise and bank gave addresses."""
    world.room = dataclasses.replace(world.room, notifier=post)
    _set(world, f.ENTERPRISE, "boss@firm.test", f.ENTERPRISE)
    _set(world, f.BANK, "desk@bank.test", f"{f.BANK}.approver")
    return world


def _set(world: World, party: str, address: str, signer: str, **changes: str) -> None:
    fields: dict[str, Any] = {"set_at": world.now_text, "nonce": world.nonce, **changes}
    paper = f.sign(Contact(party=party, address=address, **fields), signer)
    contacts.set_contact(world.room, OPERATOR, paper)


def test_each_address_gets_one_message_about_all_that_waited(told: World, post: Post) -> None:
    told.score()
    assert posting.post(told.room) > 0
    assert sorted(address for address, _ in post.sent) == ["boss@firm.test", "desk@bank.test"]
    body = dict(post.sent)["boss@firm.test"].body
    assert "a result was released: 1" in body
    assert posting.post(told.room) == 0
    assert told.count(t.notice, state="waiting") == 0
    assert told.count(t.notice, state="nobody") > 0  # the operators gave no address


def test_no_message_says_who_asked_for_what(told: World, post: Post) -> None:
    told.score()
    told.score(told.request(purpose="credit_approval"))
    posting.post(told.room)
    for _, message in post.sent:
        for value in (f.BANK, f.ENTERPRISE, "credit_approval", "4000", "LN-2026", "First Bank"):
            assert value not in message.subject + message.body


def test_a_way_that_is_away_delays_no_revocation_and_is_tried_again(
    told: World, post: Post
) -> None:
    post.away = {"boss@firm.test"}
    told.revoke(told.grant())
    assert told.score().results[0].code == "AUTH_REVOKED"
    posting.post(told.room)
    assert [address for address, _ in post.sent] == ["desk@bank.test"]  # the others are told
    tries = post.tries
    assert posting.post(told.room) == 0
    assert post.tries == tries  # not due yet
    told.now += pause_after(1)
    post.away = set()
    assert posting.post(told.room) > 0
    assert "a grant was revoked: 1" in dict(post.sent)["boss@firm.test"].body
    assert told.count(t.notice, state="waiting") == 0


def test_what_is_never_taken_fails_in_the_end_and_is_still_found_by_asking(
    told: World, post: Post
) -> None:
    post.away = {"boss@firm.test", "desk@bank.test"}
    for attempt in range(1, MOST_ATTEMPTS + 1):
        posting.post(told.room)
        assert told.count(t.notice, state="failed") == 0 or attempt == MOST_ATTEMPTS
        told.now += pause_after(attempt)
    assert told.count(t.notice, state="waiting") == 0
    assert told.count(t.notice, state="failed") > 0
    assert len(notices.list_notices(told.room, enterprise())) > 0


def test_two_workers_do_not_send_the_same(told: World, post: Post) -> None:
    class Nested:
        def send(self, address: str, message: Message) -> None:
            again = dataclasses.replace(told.room, notifier=post)
            assert posting.post(again) == 0
            post.sent.append((address, message))

    posting.post(dataclasses.replace(told.room, notifier=Nested()))
    assert len({address for address, _ in post.sent}) == len(post.sent)


def test_a_fault_that_is_not_the_way_s_leaves_notices_waiting(told: World) -> None:
    class Broken:
        def send(self, address: str, message: Message) -> None:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        posting.post(dataclasses.replace(told.room, notifier=Broken()))
    assert told.count(t.notice, state="waiting") > 0


def test_without_a_way_notices_wait(world: World) -> None:
    before = world.count(t.notice, state="waiting")
    assert posting.post(world.room) == 0
    assert world.count(t.notice, state="waiting") == before > 0


def test_a_changed_address_is_told_to_the_old_and_the_new(told: World, post: Post) -> None:
    posting.post(told.room)
    post.sent.clear()
    told.later(minutes=1)
    _set(told, f.ENTERPRISE, "thief@elsewhere.test", f.ENTERPRISE)
    posting.post(told.room)
    assert {address for address, _ in post.sent} == {"boss@firm.test", "thief@elsewhere.test"}
    listed = [one["kind"] for one in notices.list_notices(told.room, enterprise())]
    assert listed.count("contact_changed") == 2  # the first address and the second, once each
    assert told.count(t.entry, kind="contact_set") == 3


def test_an_older_address_does_not_come_back(told: World) -> None:
    kept = {"set_at": "2026-11-20T10:00:00Z", "nonce": f.nonce("kept")}
    with pytest.raises(Conflict, match="STATE"):
        _set(told, f.ENTERPRISE, "old@firm.test", f.ENTERPRISE, **kept)
    before = told.count(t.entry)
    told.later(minutes=1)
    again = {"set_at": told.now_text, "nonce": f.nonce("again")}
    for _ in range(2):
        _set(told, f.ENTERPRISE, "new@firm.test", f.ENTERPRISE, **again)
    assert told.count(t.entry) == before + 1


def test_another_s_address_is_not_set(told: World) -> None:
    with pytest.raises(Refusal, match="ROLE"):
        _set(told, f.ENTERPRISE, "x@y.test", "zhao")


def test_refusals_are_told_to_whom_they_concern(told: World) -> None:
    told.enrol_enterprises([code(5)])
    told.score(told.request(code(5)))
    (mine,) = [
        one
        for one in notices.list_notices(told.room, enterprise(code(5)))
        if one["kind"] == "refusal"
    ]
    assert (mine["bank"], mine["code"]) == (f.BANK, "AUTH_MISSING")
    told.suspend_version()
    with pytest.raises(Refusal):
        told.score()
    listed = notices.list_notices(told.room, bank())
    assert [one["code"] for one in listed if one["kind"] == "refusal"] == ["MODEL_UNFILED"]
