"""Do keys change and enterprises go as ordered, while everybody else is scored as before?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.canonical import Json
from saferoom.core.erasure import ErasureCertificate, check_certificate
from saferoom.core.moment import read_instant, write_instant
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, Refusal, SaferoomError, Tampered
from saferoom.vault import upkeep
from saferoom.vault.facts import FactStore
from saferoom.vault.key_backups import restore_keys
from saferoom.vault.keys import BUCKETS, Keys
from saferoom.vault.publication import SnapshotStore
from saferoom.vault.tickets import Tickets
from tests import factories as make
from tests.vault.room import CODES, SmallRoom, counted_random, tax_month, write_csv

ONE, TWO, THREE = CODES[:3]
CUSTODIAN = SealingKey(make.sealing_seed("custodian"))


def erase_order(room: SmallRoom, code: str = ONE, *by: str, **changes: object) -> Statement:
    fields: dict[str, object] = {"asked_at": write_instant(room.now)}
    return make.sign(make.erase_order(code, **{**fields, **changes}), *(by or (code,)))


def rotate_order(room: SmallRoom, number: int = 0) -> Statement:
    order = make.rotate_order(asked_at=write_instant(room.now), nonce=make.nonce(("r", number)))
    return make.sign(order, "zhao", "qian")


def back_up(room: SmallRoom, days: int = 7) -> bytes:
    order = make.key_backup_order(
        kept_days=days, asked_at=write_instant(room.now), nonce=make.nonce(room.now)
    )
    answer = room.service.back_up_keys(make.sign(order, "zhao", "qian"))
    return bytes.fromhex(str(answer["backup"]))


def test_a_copy_of_the_keys_is_given_once_and_kept_nowhere(room: SmallRoom) -> None:
    """A journal of the data folder that held it would travel with every copy of the data."""
    order = make.key_backup_order(
        kept_days=7, asked_at=write_instant(room.now), nonce=make.nonce("once")
    )
    paper = make.sign(order, "zhao", "qian")
    backup = str(room.service.back_up_keys(paper)["backup"])
    with pytest.raises(Refusal, match="REPLAY"):
        room.service.back_up_keys(paper)
    kept = [path.read_bytes() for path in (room.home / "vault").rglob("*") if path.is_file()]
    for form in (backup.encode(), bytes.fromhex(backup)):
        assert not any(form in data for data in kept)


def certified(room: SmallRoom, order: Statement) -> ErasureCertificate:
    certificate = Statement.from_json(room.service.erase(order)["certificate"])
    return check_certificate(certificate, room.trust, order)


def facts_of(room: SmallRoom, code: str) -> int:
    store = FactStore(room.home / "vault/facts", room.service._keys)
    bucket = store.keys.bucket_of(code)
    return sum(
        store.read(table, bucket)["uscc"].to_pylist().count(code)
        for table in room.declared.tables.values()
    )


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as error:
        act()
    return error.value.code


def test_new_keys_everywhere_and_the_same_answers(room: SmallRoom) -> None:
    version = room.file_version()
    before = room.outcomes(room.score(version, ONE, TWO, THREE))
    old = room.service._keys.contents()
    kek = {path.name for path in (room.home / "vault/keys").glob("kek-*")}
    digest = room.service.describe()["snapshot"]
    told = room.service.rotate(rotate_order(room))
    assert told["backups_until"] == told["rotated_at"]
    assert set(room.service._keys.contents()) & set(old) <= {
        "placement",
        *(name for name in old if name not in room.service._facts.manifest.key_names()),
    } | {f"facts/{n}/1" for n in range(BUCKETS)}
    assert not kek & {path.name for path in (room.home / "vault/keys").glob("kek-*")}
    for _ in range(2):
        assert room.outcomes(room.score(version, ONE, TWO, THREE, number=_ + 1)) == before
        assert room.service.describe()["snapshot"] == digest
        room.restart()
    assert room.materialise().manifest.enterprises == 6


def test_scores_go_on_while_keys_change(room: SmallRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    version = room.file_version()
    seen: list[dict[str, str]] = []
    real = upkeep.renew

    def renew(store: FactStore, bucket: int) -> None:
        real(store, bucket)
        if bucket % 5 == 0:
            seen.append(room.outcomes(room.score(version, ONE, number=bucket)))

    monkeypatch.setattr(upkeep, "renew", renew)
    room.service.rotate(rotate_order(room))
    assert seen == [{ONE: "A"}] * 4


def test_two_operators_change_keys_and_nobody_else(room: SmallRoom) -> None:
    for by in (("zhao",), ("tax.steward", "zhao"), (ONE,)):
        order = make.sign(make.rotate_order(asked_at=write_instant(room.now)), *by)
        assert refused(lambda order=order: room.service.rotate(order)) in {  # type: ignore[misc]
            "ROLE",
            "APPROVAL_MISSING",
        }
    order = rotate_order(room)
    once = room.service.rotate(order)
    room.later(hours=1)
    assert room.service.rotate(order) == once


@pytest.mark.parametrize("stop", ["renew", "rewrap", "SnapshotStore.renew"])
def test_a_rotation_that_stopped_loses_nothing(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    version = room.file_version()

    def dead(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        target: object = {"renew": upkeep, "rewrap": Keys}.get(stop, SnapshotStore)
        patched.setattr(target, stop.rsplit(".", 1)[-1], dead)
        with pytest.raises(KeyboardInterrupt):
            room.service.rotate(rotate_order(room))
    room.restart()
    assert room.outcomes(room.score(version, ONE)) == {ONE: "A"}
    assert facts_of(room, ONE) > 0
    room.service.rotate(rotate_order(room))
    assert room.outcomes(room.score(version, ONE, number=2)) == {ONE: "A"}


def test_an_erased_enterprise_is_missing_and_the_others_are_as_before(room: SmallRoom) -> None:
    version = room.file_version()
    before = room.outcomes(room.score(version, *CODES[:6]))
    digest = room.service.describe()["snapshot"]
    order = erase_order(room)
    certificate = certified(room, order)
    assert certificate.unreadable_here_at == write_instant(room.now)
    assert certificate.unreadable_everywhere_from == certificate.unreadable_here_at
    assert set(certificate.tables) == set(room.declared.tables)
    assert len(certificate.snapshots) == 1
    assert certificate.models == ()
    assert facts_of(room, ONE) == 0
    assert facts_of(room, TWO) > 0
    for number in (1, 2):
        again = room.outcomes(room.score(version, *CODES[:6], number=number))
        assert again == {**before, ONE: "missing"}
        assert room.service.describe()["snapshot"] == digest  # a publication keeps its name
        room.restart()
    assert certified(room, order) == certificate
    assert room.materialise().manifest.enterprises == 5


def test_every_kept_snapshot_is_covered(room: SmallRoom) -> None:
    room.materialise()
    certificate = certified(room, erase_order(room))
    assert len(certificate.snapshots) == 2
    for snapshot in room.service._snapshots.kept:
        assert snapshot.place_of(ONE) is None
        assert snapshot.place_of(TWO) is not None


def test_its_old_records_do_not_come_back_and_new_ones_do(room: SmallRoom) -> None:
    certified(room, erase_order(room))
    path = room.sources / "tax/tax_month_2.csv"
    write_csv(path, [tax_month(ONE, 3, "5"), tax_month(TWO, 30, "7")], "gbk")
    room.restart()
    assert room.ingest("tax").rows == 2  # what intake read; what is kept tells of no one
    assert facts_of(room, ONE) == 0
    later = write_instant(room.now + timedelta(days=1))
    room.later(days=2)
    write_csv(room.sources / "tax/tax_month_3.csv", [tax_month(ONE, 1, "5", known_at=later)], "gbk")
    room.ingest("tax")
    assert facts_of(room, ONE) == 1


def test_no_sealed_answer_of_it_is_given_again(room: SmallRoom) -> None:
    version = room.file_version()
    request = room.request(version, (ONE, TWO))
    grants = [room.grant(version, ONE), room.grant(version, TWO)]
    first = room.service.score(request, grants)
    certified(room, erase_order(room))
    paths = (room.home / "vault/journal").glob("tickets-*.log")
    data = b"".join(path.read_bytes() for path in paths)
    assert first.answers[ONE] not in data
    assert first.answers[TWO] in data
    room.restart()
    again = room.service.score(request, grants)
    assert room.outcome(again.answers[ONE]) == "missing"
    assert again.answers[TWO] == first.answers[TWO]


def test_a_score_that_began_before_an_erasure_gives_nothing(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = room.file_version()
    real = SmallRoom.score
    recheck = room.service._recheck

    def erase_meanwhile(*given: object) -> None:
        recheck(*given)  # type: ignore[arg-type]
        monkeypatch.undo()
        certified(room, erase_order(room, TWO))

    monkeypatch.setattr(room.service, "_recheck", erase_meanwhile)
    with pytest.raises(Conflict, match="MOVED"):
        real(room, version, ONE, TWO)
    assert room.outcomes(room.score(version, ONE, TWO, number=1))[TWO] == "missing"


@pytest.mark.parametrize(
    ("by", "evidence", "code"),
    [
        ((TWO,), None, "SIGNATURE_INVALID"),
        (("zhao", "qian"), None, "SIGNATURE_INVALID"),
        (("zhao",), make.some_digest(), "APPROVAL_MISSING"),
        (("tax.steward",), None, "ROLE"),
        (("stranger",), None, "KEY_UNKNOWN"),
    ],
)
def test_who_may_not_have_it_erased_does_not(
    room: SmallRoom, by: tuple[str, ...], evidence: object, code: str
) -> None:
    before = facts_of(room, ONE)
    order = erase_order(room, ONE, *by, evidence=evidence)
    with pytest.raises(Refusal) as error:
        room.service.erase(order)
    assert error.value.code in {code, "KEY_UNKNOWN" if "stranger" in by else code}
    assert facts_of(room, ONE) == before


def test_two_operators_erase_on_its_behalf(room: SmallRoom) -> None:
    order = erase_order(room, ONE, "zhao", "qian", evidence=make.some_digest())
    assert certified(room, order).order == order.digest
    assert facts_of(room, ONE) == 0


def test_an_order_that_was_kept_back_is_refused(room: SmallRoom) -> None:
    order = erase_order(room)
    room.later(days=1, seconds=1)
    assert refused(lambda: room.service.erase(order)) == "REPLAY"


@pytest.mark.parametrize(
    ("target", "name"),
    [(upkeep, "erase"), (FactStore, "exchange"), (SnapshotStore, "erase"), (Tickets, "erase")],
)
def test_an_erasure_that_stopped_goes_on_at_the_next_start(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch, target: object, name: str
) -> None:
    order = erase_order(room)

    def dead(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(target, name, dead)
        with pytest.raises(KeyboardInterrupt):
            room.service.erase(order)
    room.restart()
    assert facts_of(room, ONE) == 0
    current = room.service._snapshots.current
    assert current is not None
    assert current.place_of(ONE) is None
    assert facts_of(room, TWO) > 0
    room.later(days=3)
    assert certified(room, order).unreadable_here_at < write_instant(room.now)


def test_the_journal_and_the_certificate_hold_no_code(room: SmallRoom) -> None:
    order = erase_order(room)
    told: Json = room.service.erase(order)["certificate"]
    assert ONE not in str(told)
    assert ONE.encode() not in (room.home / "vault/journal/erasures.log").read_bytes()


def test_a_certificate_of_nobody_or_another_order_is_none(room: SmallRoom) -> None:
    order = erase_order(room)
    told = Statement.from_json(room.service.erase(order)["certificate"])
    forged = make.sign(told.body, "zhao")
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_certificate(forged, room.trust, order)
    with pytest.raises(Tampered, match="CERTIFICATE_INVALID"):
        check_certificate(told, room.trust, erase_order(room, TWO))


@pytest.fixture
def stolen(room: SmallRoom, tmp_path: Path) -> tuple[SmallRoom, Path, bytes]:
    """A copy of all files but the keys, and of the keys what a custodian was given."""
    copied = tmp_path / "stolen"
    data = back_up(room, days=7)
    shutil.copytree(room.home, copied)
    shutil.rmtree(copied / "vault/keys")
    room.later(hours=1)
    return room, copied, data


def thief(room: SmallRoom, home: Path) -> SmallRoom:
    """Open what was stolen with all that the code offers."""
    other = SmallRoom(home, room.declared, counted_random("thief"), now=room.now)
    other.register = room.register
    other.trust = room.trust
    return other


def test_old_files_and_an_old_backup_open_it_until_the_backup_ends_and_not_after(
    stolen: tuple[SmallRoom, Path, bytes],
) -> None:
    room, copied, data = stolen
    certificate = certified(room, erase_order(room))
    everywhere = read_instant(certificate.unreadable_everywhere_from)
    assert everywhere == room.now - timedelta(hours=1) + timedelta(days=7)
    keys, random = copied / "vault/keys", counted_random("x")
    restore_keys(keys, data, CUSTODIAN, everywhere - timedelta(seconds=1), random)
    other = thief(room, copied)
    other.start()
    assert facts_of(other, ONE) > 0  # the control: until then it does open
    other.service.close()
    shutil.rmtree(keys)
    with pytest.raises(Refusal, match="KEY_BACKUP_EXPIRED"):
        restore_keys(keys, data, CUSTODIAN, everywhere, random)
    assert not keys.exists()
    shutil.copytree(room.home / "vault/keys", keys)  # today's keys, yesterday's files
    other.now = everywhere
    with pytest.raises(Tampered):
        other.start()
    shutil.rmtree(copied / "vault/segments")
    (copied / "vault/segments").mkdir()
    other.start()
    with pytest.raises(Tampered):
        facts_of(other, ONE)
    other.service.close()


def test_old_files_and_a_backup_in_its_time_open_also_after_a_rotation(
    stolen: tuple[SmallRoom, Path, bytes],
) -> None:
    room, copied, data = stolen
    room.service.rotate(rotate_order(room))
    restore_keys(copied / "vault/keys", data, CUSTODIAN, room.now, counted_random("y"))
    other = thief(room, copied)
    other.start()
    assert other.service.sealing_key == room.service.sealing_key
    other.service.close()


def test_a_backup_opens_for_its_custodian_only_and_whole(
    stolen: tuple[SmallRoom, Path, bytes],
) -> None:
    room, copied, data = stolen
    keys, random = copied / "vault/keys", counted_random("z")
    stranger = SealingKey(make.sealing_seed("stranger"))
    for holder, bent in [
        (stranger, data),
        (CUSTODIAN, data[:-1]),
        (CUSTODIAN, b"x" + data[1:]),
        (CUSTODIAN, data[:5]),
        (CUSTODIAN, data.replace(b"2026-11-27", b"2036-11-27")),
    ]:
        with pytest.raises(SaferoomError):
            restore_keys(keys, bent, holder, room.now, random)
    with pytest.raises(Conflict, match="DUPLICATE"):
        restore_keys(room.home / "vault/keys", data, CUSTODIAN, room.now, random)


def test_what_was_in_the_backup_s_time_counts_also_after_a_restart(room: SmallRoom) -> None:
    back_up(room, days=3)
    room.later(hours=1)
    back_up(room, days=1)
    room.restart()
    certificate = certified(room, erase_order(room))
    until = read_instant(certificate.unreadable_everywhere_from)
    assert until == room.now - timedelta(hours=1) + timedelta(days=3)
    room.later(days=10)
    back_up(room, days=1)
    second = certified(room, erase_order(room, TWO))
    assert read_instant(second.unreadable_everywhere_from) == room.now + timedelta(days=1)


def test_a_fault_while_lists_of_segments_are_exchanged_leaves_a_vault_that_starts(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that was replaced and not synced counts, and its key must not be cleared away."""
    order = erase_order(room)

    def no_sync(path: Path) -> None:
        if path.parent.name == "segments":
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.durable.sync", no_sync)
        with pytest.raises(OSError, match="Input/output"):
            room.service.erase(order)
    room.materialise()
    room.restart()
    assert all(one.place_of(ONE) is None for one in room.service._snapshots.kept)
    certified(room, order)
