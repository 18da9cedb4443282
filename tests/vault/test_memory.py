"""Does the vault believe only what it verified, and keep exactly that?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Role
from saferoom.core.learnt import Learnt
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, SaferoomError, Tampered
from saferoom.vault.durable import AppendLog, read_frames
from tests import factories as make
from tests.vault.room import CODES, SmallRoom, forget

ONE = CODES[0]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (make.sign(make.enrolment("new"), "new"), "ROLE"),
        (make.sign(make.enrolment("new"), "new", "zhao"), "ROLE"),
        (make.sign(make.enrolment("new"), "zhao", "qian"), "SIGNATURE_INVALID"),
        (make.sign(make.enrolment("new"), "new", "zhao", "stranger"), "KEY_UNKNOWN"),
        (make.sign(make.admission(), "stranger"), "KEY_UNKNOWN"),
        (forget(make.sign(make.admission(), "zhao")), "SIGNATURE_INVALID"),
        (make.sign(make.manifest(), "zhao"), "ROLE"),
        (make.sign(make.views(), "stranger"), "KEY_UNKNOWN"),
        (make.sign(make.suspension(), "zhao"), "APPROVAL_MISSING"),
        (make.sign(make.vote(make.some_digest()), "zhao"), "VOTE_INVALID"),
        (make.sign(make.budget(), "zhao"), "FIELD_INVALID"),
        (make.sign({"kind": "saferoom/other/1"}, "zhao"), "FIELD_INVALID"),
        (make.sign({}, "zhao"), "FIELD_INVALID"),
    ],
)
def test_what_the_rules_refuse_is_not_learnt(
    bare: SmallRoom, statement: Statement, code: str
) -> None:
    with pytest.raises(SaferoomError) as refused:
        bare.learn(statement)
    assert refused.value.code == code


def test_a_steward_connects_its_own_source_only(bare: SmallRoom) -> None:
    bare.enrol("steward", "tax", Role.STEWARD)
    bare.learn(make.sign(make.source(), "steward"))
    with pytest.raises(SaferoomError, match="ROLE"):
        bare.learn(make.sign(make.source(party="power"), "steward"))


def test_a_version_is_put_up_by_its_own_bank(bare: SmallRoom) -> None:
    bare.enrol("modeller", "bank-b", Role.MODELLER)
    with pytest.raises(SaferoomError, match="ROLE"):
        bare.learn(make.sign(make.manifest(), "modeller"))


def test_a_lesson_counts_once_and_survives(bare: SmallRoom) -> None:
    statement = make.sign(make.admission(), "sun")
    votes = make.votes_for(statement.digest, SubjectKind.ADMISSION)
    assert bare.learn(statement, *votes) == 3
    assert bare.learn(statement, *votes) == 0
    bare.restart()
    assert bare.learn(statement, *votes) == 0


def test_a_lesson_is_taken_up_to_its_first_refused_statement(bare: SmallRoom) -> None:
    good, bad = make.sign(make.admission(), "sun"), make.sign(make.views(), "stranger")
    last = make.sign(make.views(), "sun")
    with pytest.raises(SaferoomError, match="KEY_UNKNOWN"):
        bare.learn(good, bad, last)
    bare.restart()
    assert bare.learn(good, last) == 1


def test_a_replaced_key_never_comes_back(bare: SmallRoom) -> None:
    old = bare.register.lookup(make.signing_key("sun").public.id)
    assert old is not None
    first = bare.register.statements[2]
    new = make.enrolment("sun two", holder="sun", replaces=old.key_id)
    bare.learn(make.sign(new, "sun two", "zhao", "qian"))
    assert bare.learn(first) == 0
    again = make.sign(make.enrolment("sun", nonce=make.nonce("again")), "sun", "zhao", "qian")
    with pytest.raises(SaferoomError, match="KEY_UNKNOWN"):
        bare.learn(again)


def test_five_hundred_enrolments_are_one_frame(bare: SmallRoom) -> None:
    codes = [make_uscc(number) for number in range(1000, 1500)]
    statements = [
        make.sign(make.enrolment(c, party=c, role=Role.ENTERPRISE), c, "zhao", "qian")
        for c in codes
    ]
    path = bare.home / "vault/journal/statements.log"
    before = len(list(read_frames(path)))
    assert bare.learn(*statements) == 500
    assert len(list(read_frames(path))) == before + 1


def test_a_disk_that_is_full_teaches_nothing(
    bare: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = make.sign(make.admission(), "sun")

    def full(self: AppendLog, records: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(AppendLog, "append", full)
        with pytest.raises(OSError, match="No space"):
            bare.learn(statement)
    assert bare.learn(statement) == 1  # not "known already", though nothing was written


def test_a_journal_that_another_hand_wrote_stops_the_start(bare: SmallRoom) -> None:
    bare.service.close()
    log = AppendLog(bare.home / "vault/journal/statements.log")
    log.append([make.sign(make.admission(), "stranger").to_bytes()])
    log.close()
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        bare.start()
    (bare.home / "vault/journal/statements.log").unlink()
    bare.start()


def test_no_key_is_added_beside_the_one_in_force(bare: SmallRoom) -> None:
    bare.enrol("li.na", make.BANK, Role.MODELLER)
    added = make.enrolment(
        "li.na",
        role=Role.MODELLER,
        party=make.BANK,
        signing_key=make.signing_key("another").public.raw.hex(),
        nonce=make.nonce("another"),
    )
    with pytest.raises(Conflict) as refusal:
        bare.learn(make.sign(added, "another", *make.GENESIS))
    assert refusal.value.code == "DUPLICATE"
    replacing = replace(added, replaces=make.signing_key("li.na").public.id)
    assert bare.learn(make.sign(replacing, "another", *make.GENESIS)) == 1


def test_a_journal_that_was_cut_short_opens_and_cannot_hide_it(bare: SmallRoom) -> None:
    path = bare.home / "vault/journal/statements.log"
    early = path.read_bytes()
    bare.learn(make.sign(make.admission(), "sun"))
    bare.learn(make.sign(make.views(), "sun"))
    told = Learnt.from_body(bare.service.recall(0)["latest"])
    assert bare.service.recall(told.count)["head"] == told.head
    bare.restart()
    assert bare.service.recall(told.count)["head"] == told.head
    bare.service.close()
    path.write_bytes(early)
    bare.start()
    assert bare.service.recall(told.count)["head"] is None
    bare.learn(make.sign(make.views(), "sun"))  # others than before, in another order
    bare.learn(make.sign(make.admission(), "sun"))
    assert bare.service.recall(told.count)["head"] not in (None, told.head)


def test_a_full_disk_does_not_move_the_chain(
    bare: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bare.service.recall(0)

    def full(self: AppendLog, records: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(AppendLog, "append", full)
        with pytest.raises(OSError, match="No space"):
            bare.learn(make.sign(make.admission(), "sun"))
    assert bare.service.recall(0) == before
