"""Does a vault that is restored from before an erasure erase again before it serves?"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.core.erasure import ErasureCertificate, check_certificate
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.orders import MOST_KEPT_DAYS
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from saferoom.vault.key_backups import restore_keys
from saferoom.vault.publication import SnapshotStore
from tests import factories as make
from tests.vault.room import CODES, SmallRoom, counted_random, tax_month, write_csv
from tests.vault.test_custody import (
    CUSTODIAN,
    back_up,
    erase_order,
    facts_of,
    refused,
    thief,
)

ONE, TWO = CODES[:2]


class Erased:
    """A vault as it was before an erasure, and what its room kept of it."""

    def __init__(self, room: SmallRoom, folder: Path) -> None:
        data = back_up(room, days=7)
        shutil.copytree(room.home, folder)
        shutil.rmtree(folder / "vault/keys")
        room.later(hours=1)
        self.order = erase_order(room)
        self.certificate = Statement.from_json(room.service.erase(self.order)["certificate"])
        room.later(days=2)  # nobody may bring the order anew
        restore_keys(folder / "vault/keys", data, CUSTODIAN, room.now, counted_random("restored"))
        self.room = thief(room, folder)
        self.room.now = room.now

    def start(self) -> SmallRoom:
        self.room.start()
        return self.room


@pytest.fixture
def erased(room: SmallRoom, tmp_path: Path) -> Iterator[Erased]:
    erased = Erased(room, tmp_path / "restored")
    erased.start()
    yield erased
    erased.room.service.close()


def said(statement: Statement) -> ErasureCertificate:
    return ErasureCertificate.from_body(statement.body)


def test_what_it_is_taught_is_erased_before_anything_else(erased: Erased) -> None:
    room = erased.room
    version = room.file_version()
    assert room.outcomes(room.score(version, ONE)) == {ONE: "A"}  # the control: it is here again
    assert facts_of(room, ONE) > 0
    assert room.learn(erased.order, erased.certificate) == 2
    assert facts_of(room, ONE) == 0
    assert facts_of(room, TWO) > 0
    for number in (1, 2):
        assert room.outcomes(room.score(version, ONE, TWO, number=number)) == {
            ONE: "missing",
            TWO: "B",
        }
        room.restart()


def test_it_certifies_anew_and_truly(erased: Erased) -> None:
    """It was readable again in between, and copies of keys may exist that nobody here knows."""
    room = erased.room
    room.learn(erased.order, erased.certificate)
    again = Statement.from_json(room.service.erase(erased.order)["certificate"])
    told = check_certificate(again, room.trust, erased.order)
    assert read_instant(told.unreadable_here_at) == room.now
    assert read_instant(told.unreadable_everywhere_from) == room.now + timedelta(
        days=MOST_KEPT_DAYS
    )
    assert read_instant(told.unreadable_everywhere_from) > read_instant(
        said(erased.certificate).unreadable_everywhere_from
    )


def test_records_that_came_after_the_first_erasure_count(erased: Erased) -> None:
    room = erased.room
    room.learn(erased.order, erased.certificate)
    old = write_instant(read_instant(said(erased.certificate).unreadable_here_at))
    rows = [
        tax_month(ONE, 2, "5", known_at=old),
        tax_month(ONE, 1, "5", known_at=write_instant(room.now - timedelta(days=1))),
    ]
    write_csv(room.sources / "tax/tax_month_2.csv", rows, "gbk")
    room.ingest("tax")
    assert facts_of(room, ONE) == 1


def test_an_order_alone_erases_nobody(erased: Erased) -> None:
    """It may have been kept back: only what this vault certified was obeyed."""
    room = erased.room
    assert room.learn(erased.order) == 1
    assert facts_of(room, ONE) > 0
    assert refused(lambda: room.service.erase(erased.order)) == "REPLAY"
    assert facts_of(room, ONE) > 0


def test_nobody_else_s_certificate_erases_anybody(erased: Erased) -> None:
    room = erased.room
    assert refused(lambda: room.learn(erased.certificate)) == "FIELD_INVALID"  # of what order?
    room.learn(erased.order)
    body = erased.certificate.body
    for forged in (make.sign(body, "zhao"), make.sign(body, "zhao", "qian"), Statement(body, ())):
        assert refused(lambda forged=forged: room.learn(forged)) == "CERTIFICATE_INVALID"  # type: ignore[misc]
    bent = Statement({**body, "tables": ["x"]}, erased.certificate.signatures)
    assert refused(lambda: room.learn(bent)) == "CERTIFICATE_INVALID"
    stranger = make.sign(make.erase_order(TWO), ONE)
    assert refused(lambda: room.learn(stranger)) == "SIGNATURE_INVALID"
    assert facts_of(room, ONE) > 0


def test_while_it_cannot_erase_nobody_is_scored(erased: Erased) -> None:
    room = erased.room
    version = room.file_version()
    with room.service._obedience.turn():
        room.learn(erased.order, erased.certificate)
        assert facts_of(room, ONE) > 0
        assert refused(lambda: room.score(version, ONE, TWO)) == "VAULT_BUSY"
    assert room.outcomes(room.score(version, ONE)) == {ONE: "missing"}
    assert facts_of(room, ONE) == 0


def test_every_order_is_obeyed_after_it(erased: Erased) -> None:
    room = erased.room
    with room.service._obedience.turn():
        room.learn(erased.order, erased.certificate)
    assert room.materialise().manifest.enterprises == 5
    assert facts_of(room, ONE) == 0


def test_a_stop_in_the_middle_goes_on_at_the_next_start(
    erased: Erased, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = erased.room

    def dead(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SnapshotStore, "erase", dead)
        with pytest.raises(KeyboardInterrupt):
            room.learn(erased.order, erased.certificate)
    room.restart()
    assert facts_of(room, ONE) == 0
    again = said(Statement.from_json(room.service.erase(erased.order)["certificate"]))
    assert again.unreadable_here_at == write_instant(room.now)


def test_what_was_taught_and_not_done_is_done_at_the_next_start(erased: Erased) -> None:
    room = erased.room
    with room.service._obedience.turn():
        room.learn(erased.order, erased.certificate)
    room.restart()
    assert facts_of(room, ONE) == 0


def test_the_vault_that_certified_it_does_nothing_twice(room: SmallRoom) -> None:
    order = erase_order(room)
    certificate = Statement.from_json(room.service.erase(order)["certificate"])
    journal = room.home / "vault/journal/erasures.log"
    before = journal.read_bytes()
    assert room.learn(order, certificate) == 2
    room.restart()
    assert journal.read_bytes() == before
    assert Statement.from_json(room.service.erase(order)["certificate"]) == certificate


def test_an_erasure_that_stopped_is_gone_on_with_when_its_order_is_no_longer_fresh(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was verified and promised: a full disk of two days does not end it."""
    order = erase_order(room)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(SnapshotStore, "erase", full)
        with pytest.raises(OSError, match="No space"):
            room.service.erase(order)
    room.later(days=2)
    room.service.erase(order)
    current = room.service._snapshots.current
    assert current is not None
    assert current.place_of(ONE) is None


def test_two_equal_orders_that_wait_get_one_certificate(room: SmallRoom) -> None:
    order, told = erase_order(room), list[object]()
    journal = room.home / "vault/journal/erasures.log"

    def bring() -> None:
        try:
            told.append(room.service.erase(order))
        except SaferoomError as error:
            told.append(error.code)

    entered, threads = threading.Semaphore(0), [threading.Thread(target=bring) for _ in range(2)]
    check = room.service._custody.promised

    def noticed(digest: object) -> bool:
        entered.release()
        return check(digest)  # type: ignore[arg-type]

    room.service._custody.promised = noticed  # type: ignore[method-assign,assignment]
    with room.service._obedience.turn(tidying=True):  # for which both wait
        for thread in threads:
            thread.start()
        for _ in threads:
            assert entered.acquire(timeout=60)
    for thread in threads:
        thread.join(timeout=60)
    first = room.service.erase(order)
    assert [one for one in told if one != "VAULT_BUSY"] == [first] * sum(
        one != "VAULT_BUSY" for one in told
    )
    room.restart()
    assert room.service.erase(order) == first
    assert journal.read_bytes().count(b'"certificate"') == 1
