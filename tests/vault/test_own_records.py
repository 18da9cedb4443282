"""Does an enterprise get its own rows, all of them, and does nobody else get any?"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.dispute import NOTE_AAD, Dispute, Why
from saferoom.core.lineage import BatchList, SnapshotPaper, root_of
from saferoom.core.moment import write_instant
from saferoom.core.own_record import LEAST_BYTES, OwnRecordOrder, aad_of, check_own_record
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.crypto.signing import Statement
from saferoom.errors import Conflict, NotFound, Refusal, Tampered
from saferoom.tlog.commitments import Opening, commitment
from saferoom.vault import own_records
from saferoom.vault.facts import FactStore
from saferoom.vault.lineage import lines_of
from saferoom.vault.parts import read_manifest
from tests import factories as make
from tests.vault.room import CODES, SmallRoom, tax_month, write_csv
from tests.vault.test_custody import certified, erase_order

ONE, TWO, *_ = CODES
KEY = SealingKey(make.sealing_seed("an app's, for one order"))
OTHER_KEY = SealingKey(make.sealing_seed("somebody else's"))
Body = dict[str, Any]


def order_of(
    room: SmallRoom, code: str = ONE, by: str | None = None, **changes: object
) -> Statement:
    room.orders += 1
    fields: dict[str, object] = {
        "enterprise": code,
        "seal_to": KEY.public.raw.hex(),
        "vault": room.service._keys.answer.public.raw.hex(),
        "asked_at": write_instant(room.now),
        "nonce": make.nonce(("own", room.orders)),
    }
    return make.sign(OwnRecordOrder(**{**fields, **changes}), by or code)  # type: ignore[arg-type]


def opened(room: SmallRoom, code: str = ONE) -> Body:
    order = order_of(room, code)
    sealed = room.service.own_record(order)
    plain = unseal(sealed, KEY, aad_of(order))
    return cast("Body", check_own_record(plain, room.trust, order, room.now))


def dispute_of(
    room: SmallRoom, batch: int, row: int, code: str = ONE, **changes: object
) -> Statement:
    room.orders += 1
    fields: dict[str, object] = {
        "enterprise": code,
        "batch": batch,
        "row": row,
        "why": Why.WRONG_VALUE,
        "asked_at": write_instant(room.now),
        "nonce": make.nonce(("dispute", room.orders)),
    }
    return make.sign(Dispute(**{**fields, **changes}), code)  # type: ignore[arg-type]


def rows_of(room: SmallRoom, table: str, code: str = ONE) -> list[Body]:
    return cast("list[Body]", opened(room, code)["tables"][table])


def test_it_holds_every_row_of_the_enterprise_and_none_of_another_s(room: SmallRoom) -> None:
    body = opened(room)
    counts = {name: len(rows) for name, rows in body["tables"].items()}
    assert counts == {
        "tax_month": 24,
        "tax_year": 1,
        "tax_arrears": 1,
        "reg_base": 1,
        "util_month": 15,
    }
    assert {row["uscc"] for rows in body["tables"].values() for row in rows} == {ONE}
    (filing,) = [row for row in body["tables"]["tax_month"] if row["period"] == "2026-10"]
    assert (filing["sales"], filing["vat"], filing["cit"]) == ("10000.0", "0.0", None)
    assert (filing["event_date"], filing["status"]) == ("2026-10-31", "valid")
    assert filing["known_at"] == "2026-11-12T01:30:00Z"
    (owed,) = body["tables"]["tax_arrears"]
    assert owed["status"] == "repaired"
    assert body["tables"]["util_month"][0]["cutoff"] is False
    assert body["tables"]["tax_year"][0]["year"] == 2025


def test_each_row_says_by_which_batch_and_order_it_came(room: SmallRoom) -> None:
    body = opened(room)
    lines = {line["number"]: line for line in body["batches"]}
    for name, rows in body["tables"].items():
        for row in rows:
            line = lines[row["batch"]]
            assert (line["table"], line["connector"]) == (name, row["source"])
            assert line["order"] is not None


def test_whoever_has_nothing_there_gets_nothing(room: SmallRoom) -> None:
    assert opened(room, CODES[7])["tables"] == {}


def test_the_same_after_settling_and_new_keys(room: SmallRoom) -> None:
    before = opened(room)["tables"]
    rotation = make.rotate_order(asked_at=write_instant(room.now))
    room.service.rotate(make.sign(rotation, "sun", "zhao"))
    assert opened(room)["tables"] == before


def test_it_opens_with_the_order_s_key_alone_and_tells_no_size(room: SmallRoom) -> None:
    order = order_of(room)
    sealed = room.service.own_record(order)
    for key, aad in ((OTHER_KEY, aad_of(order)), (KEY, aad_of(order_of(room)))):
        with pytest.raises(Tampered):
            unseal(sealed, key, aad)
    many = len(unseal(sealed, KEY, aad_of(order)))
    other = order_of(room, CODES[7])
    assert len(unseal(room.service.own_record(other), KEY, aad_of(other))) == many == LEAST_BYTES


@pytest.mark.parametrize(
    ("changes", "by", "code"),
    [
        ({"enterprise": TWO}, ONE, "SIGNATURE_INVALID"),
        ({}, "sun", "ROLE"),
        ({}, f"{make.BANK}.system", "ROLE"),
        ({}, "mallory", "KEY_UNKNOWN"),
        ({"vault": make.signing_key("another vault").public.raw.hex()}, ONE, "KEY_UNKNOWN"),
        ({"asked_at": write_instant(make.NOW - timedelta(hours=1))}, ONE, "REPLAY"),
        ({"asked_at": write_instant(make.NOW + timedelta(hours=1))}, ONE, "REPLAY"),
    ],
)
def test_nobody_else_gets_it(room: SmallRoom, changes: Any, by: str, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        room.service.own_record(order_of(room, by=by, **changes))


def test_an_order_works_once_also_after_a_restart(room: SmallRoom) -> None:
    order = order_of(room)
    room.service.own_record(order)
    for _ in range(2):
        with pytest.raises(Refusal, match="REPLAY"):
            room.service.own_record(order)
        room.restart()
    room.later(days=2)
    room.restart()  # the journal starts anew, and the order is stale
    with pytest.raises(Refusal, match="REPLAY"):
        room.service.own_record(order)
    assert opened(room)["tables"]


def test_so_many_a_day_and_no_more(room: SmallRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_records, "MOST_A_DAY", 2)
    for _ in range(2):
        opened(room)
    room.restart()
    with pytest.raises(Refusal, match="OWN_RECORD_CAP"):
        opened(room)
    assert opened(room, TWO)["tables"]
    room.later(days=1)
    assert opened(room)["tables"]


def test_an_erased_enterprise_is_told_that_it_was(room: SmallRoom) -> None:
    certified(room, erase_order(room))
    with pytest.raises(Refusal, match="ERASED"):
        opened(room)
    later = write_instant(room.now + timedelta(days=1))
    room.later(days=2)
    write_csv(room.sources / "tax/tax_month_3.csv", [tax_month(ONE, 1, "5", known_at=later)], "gbk")
    room.ingest("tax")
    assert [row["sales"] for row in rows_of(room, "tax_month")] == ["5.0"]


def test_the_journal_holds_no_code_and_no_row(room: SmallRoom) -> None:
    opened(room)
    kept = (room.home / "vault" / "journal" / "own-records.log").read_bytes()
    assert ONE.encode() not in kept
    assert b"10000.0" not in kept


def test_what_another_signed_or_answers_another_order_is_refused(room: SmallRoom) -> None:
    order = order_of(room)
    plain = unseal(room.service.own_record(order), KEY, aad_of(order))
    stranger = replace(room.trust, vaults=(make.vault_keys(),))
    for trust, asked in ((stranger, order), (room.trust, order_of(room))):
        with pytest.raises(Tampered, match="ANSWER_INVALID"):
            check_own_record(plain, trust, asked, room.now)
    for bad in (plain[:100], plain[:-1] + b"x"):
        with pytest.raises(Tampered, match="ANSWER_INVALID"):
            check_own_record(bad, room.trust, order, room.now)


# --- disputes ---


def test_a_disputed_record_refuses_from_the_next_snapshot_and_nothing_is_lost(
    room: SmallRoom,
) -> None:
    version = room.file_version()
    assert room.outcomes(room.score(version, ONE)) == {ONE: "A"}
    before = rows_of(room, "tax_month")
    statement = dispute_of(room, before[-1]["batch"], before[-1]["row"])
    told = room.service.dispute(statement)
    assert (told["party"], told["table"]) == (room.declared.sources["tax"].party, "tax_month")
    assert room.service.dispute(statement) == told
    after = rows_of(room, "tax_month")
    assert after[:-1] == before
    copy = {**before[-1], "status": "disputed", "known_at": write_instant(room.now)}
    assert {**after[-1], "batch": 0, "row": 0} == {**copy, "batch": 0, "row": 0}
    room.later(minutes=1)
    room.materialise("2026-11-20")
    assert room.outcomes(room.score(version, ONE, number=1)) == {ONE: "refused"}
    assert room.outcomes(room.score(version, TWO, number=2))[TWO] != "refused"
    room.materialise("2026-11-18")  # of a day before nobody knew
    assert room.outcomes(room.score(version, ONE, number=3)) == {ONE: "A"}


def test_a_version_that_its_source_knows_later_settles_it(room: SmallRoom) -> None:
    row = rows_of(room, "tax_month")[-1]
    room.service.dispute(dispute_of(room, row["batch"], row["row"]))
    room.later(days=1)
    known = write_instant(room.now)
    mended = tax_month(ONE, 1, "12000", known_at=known, status="corrected")
    write_csv(room.sources / "tax/tax_month_2.csv", [mended], "gbk")
    room.ingest("tax")
    assert rows_of(room, "tax_month")[-1]["status"] == "corrected"
    version = room.file_version()
    room.materialise("2026-11-21")
    assert room.outcomes(room.score(version, ONE)) == {ONE: "A"}


@pytest.mark.parametrize(
    ("name", "by", "code"),
    [("tax_month", TWO, "NOT_FOUND"), ("tax_arrears", ONE, "STATE"), (None, ONE, "NOT_FOUND")],
)
def test_only_a_counting_row_of_one_s_own_is_disputed(
    room: SmallRoom, name: str | None, by: str, code: str
) -> None:
    row = rows_of(room, name)[-1] if name else {"batch": 999, "row": 0}
    before = room.service._facts.manifest
    with pytest.raises((NotFound, Conflict), match=code):
        room.service.dispute(dispute_of(room, row["batch"], row["row"], by))
    assert room.service._facts.manifest == before


def test_a_record_is_disputed_once_by_its_enterprise_and_fresh(room: SmallRoom) -> None:
    row = rows_of(room, "tax_year")[-1]
    place = (row["batch"], row["row"])
    old = write_instant(room.now - timedelta(hours=1))
    with pytest.raises(Refusal, match="REPLAY"):
        room.service.dispute(dispute_of(room, *place, asked_at=old))
    forged = make.sign(dispute_of(room, *place).body, "sun")
    with pytest.raises(Refusal, match="ROLE"):
        room.service.dispute(forged)
    room.service.dispute(dispute_of(room, *place))
    with pytest.raises(Conflict, match="STATE"):
        room.service.dispute(dispute_of(room, *place))


def test_the_source_s_steward_alone_reads_which_record_it_is(room: SmallRoom) -> None:
    row = rows_of(room, "tax_year")[-1]
    note = bytes.fromhex(
        str(room.service.dispute(dispute_of(room, row["batch"], row["row"]))["note"])
    )
    assert ONE.encode() not in note
    steward = SealingKey(make.sealing_seed("tax.steward"))
    assert parse_object(unseal(note, steward, NOTE_AAD).rstrip()) == {
        "enterprise": ONE,
        "record_id": row["record_id"],
        "table": "tax_year",
        "why": "wrong_value",
    }
    with pytest.raises(Tampered):
        unseal(note, SealingKey(make.sealing_seed("power.steward")), NOTE_AAD)


def test_how_far_a_database_was_read_is_kept_by_a_dispute(room: SmallRoom) -> None:
    store: FactStore = room.service._facts
    row = rows_of(room, "tax_year")[-1]
    batch = replace(store.manifest.batches[row["batch"] - 1], mark="2026-11-01")
    listed = [batch if one.number == batch.number else one for one in store.manifest.batches]
    store._replace(replace(store.manifest, batches=tuple(listed)))
    room.service.dispute(dispute_of(room, row["batch"], row["row"]))
    assert store.mark(batch.source, batch.table) == "2026-11-01"


# --- lineage ---


def test_the_vault_signs_every_batch_and_what_a_snapshot_is_made_of(room: SmallRoom) -> None:
    batches, made = room.service.batches(0), room.service.snapshot_paper()
    assert batches is not None
    assert made is not None
    for paper in (batches, made):
        paper.check_signed_by(room.service._keys.answer.public)
    lines = BatchList.from_body(batches.body).lines
    said = SnapshotPaper.from_body(made.body)
    assert [line.number for line in lines] == [*range(1, len(lines) + 1)]
    assert (said.batches, said.root) == (len(lines), root_of(lines))
    assert said.snapshot == room.service.describe()["snapshot"]["digest"]  # type: ignore[index,call-overload]
    assert (said.as_of, said.views) == ("2026-11-19", room.declared.views.digest)
    assert room.service.batches(len(lines)) is None


def test_what_comes_in_later_is_not_in_an_earlier_snapshot(room: SmallRoom) -> None:
    made = room.service.snapshot_paper()
    write_csv(room.sources / "tax/tax_month_9.csv", [tax_month(TWO, 40, "7")], "gbk")
    order = room.ingest_order("tax")
    (taken,) = cast("Any", room.service.ingest(order)["taken"])
    room.restart()
    assert room.service.snapshot_paper() == made
    paper = room.service.batches(taken["number"] - 1)
    assert paper is not None
    (line,) = BatchList.from_body(paper.body).lines
    assert (line.order, line.table, line.number) == (order.digest, "tax_month", taken["number"])
    said = {name: taken[name] for name in ("digest", "rows", "quarantined")}
    assert line.content == commitment(Opening(bytes.fromhex(taken["nonce"]), said))
    room.materialise()
    newer = room.service.snapshot_paper()
    assert newer is not None
    assert newer.body["batches"] == taken["number"]


def test_a_manifest_from_before_batches_kept_their_orders_is_read(room: SmallRoom) -> None:
    path = room.home / "vault" / "facts" / "manifest.json"
    body = parse_object(path.read_bytes())
    for batch in cast("list[Body]", body["batches"]):
        del batch["order"], batch["nonce"]
    path.write_bytes(canonical_bytes({**body, "kind": "saferoom/facts-manifest/2"}))
    manifest = read_manifest(path)
    assert manifest.parts == room.service._facts.manifest.parts
    assert {(one.order, one.nonce) for one in manifest.batches} == {(None, None)}
    assert {line.content for line in lines_of(manifest)} == {None}
    room.restart()
    assert opened(room)["tables"]
    room.materialise()


def test_whoever_comes_meanwhile_waits_and_is_not_sent_away(
    room: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that arrives while a record is read is obeyed after it."""
    arrived, snapshots = threading.Event(), []
    real = own_records.own_tables

    def reading(*given: Any) -> Any:
        other.start()
        assert arrived.wait(30)
        return real(*given)

    def publish() -> None:
        order = room.snapshot_order()
        arrived.set()
        snapshots.append(room.service.materialise(order))

    other = threading.Thread(target=publish)
    monkeypatch.setattr("saferoom.vault.own_affairs.own_tables", reading)
    assert opened(room)["tables"]
    other.join(60)
    assert len(snapshots) == 1
