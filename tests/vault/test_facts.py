"""Do facts come in whole or not at all, and rest where nobody else reads them?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saferoom.core.admission import PartyKind
from saferoom.core.enrolment import Role
from saferoom.errors import BadInput, SaferoomError, Tampered, Unavailable
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS
from tests import factories as make
from tests.vault.room import (
    CODES,
    SmallRoom,
    reg_base,
    tax_month,
    write_csv,
    write_economy,
)

ONE, TWO = CODES[:2]


@pytest.fixture
def furnished(bare: SmallRoom) -> SmallRoom:
    bare.furnish()
    return bare


def stored(room: SmallRoom, table: str = "tax_month") -> list[dict[str, object]]:
    declared = room.declared.tables[table]
    store = FactStore(room.home / "vault/facts", room.service._keys)
    return [row for bucket in range(BUCKETS) for row in store.read(declared, bucket).to_pylist()]


def parts(room: SmallRoom) -> list[Path]:
    return sorted((room.home / "vault/facts").glob("*/*.parquet"))


def test_what_was_read_is_what_rests(furnished: SmallRoom) -> None:
    write_economy(furnished.sources)
    counts = furnished.ingest("tax")
    assert (counts.rows, counts.quarantined) == (48 + 12 + 2 + 4 + 2, 0)
    assert counts.tables["tax_month"]["rows"] == 62
    rows = stored(furnished)
    assert len(rows) == 62
    assert {row["uscc"] for row in rows} == set(CODES[:4])
    assert {row["source"] for row in rows} == {"tax"}


def test_a_file_taken_twice_adds_nothing(furnished: SmallRoom) -> None:
    write_csv(furnished.sources / "tax/tax_month.csv", [tax_month(ONE, 1, "5")])
    first = furnished.ingest("tax")
    again = furnished.ingest("tax")
    furnished.restart()
    third = furnished.ingest("tax")
    assert (first.rows, again.rows, third.rows) == (1, 0, 0)
    write_csv(furnished.sources / "tax/tax_month_2.csv", [tax_month(ONE, 2, "5")])
    assert furnished.ingest("tax").rows == 1
    assert len(stored(furnished)) == 2


def test_dirt_is_counted_by_reason_with_row_numbers(furnished: SmallRoom) -> None:
    rows = [tax_month(ONE, 1, "5"), tax_month(ONE, 2, "NaN"), tax_month("X" * 18, 3, "5")]
    write_csv(furnished.sources / "tax/tax_month.csv", rows)
    counts = furnished.ingest("tax")
    assert (counts.rows, counts.quarantined) == (1, 2)
    table = counts.tables["tax_month"]
    assert table["reasons"] == {"number": 1, "uscc": 1}
    assert table["findings"] == [[2, "sales", "number"], [3, "uscc", "uscc"]]


def test_a_refused_file_leaves_nothing_and_the_files_before_it_stay(furnished: SmallRoom) -> None:
    write_csv(furnished.sources / "tax/tax_month_1.csv", [tax_month(ONE, 1, "5")])
    bad = furnished.sources / "tax/tax_month_2.csv"
    write_csv(bad, [tax_month(ONE, 2, "5")])
    bad.write_text(bad.read_text(encoding="utf-8") + '"open', encoding="utf-8")
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        furnished.ingest("tax")
    assert len(stored(furnished)) == 1
    assert len(parts(furnished)) == 1
    write_csv(bad, [tax_month(ONE, 2, "5")])
    assert furnished.ingest("tax").rows == 1  # the next run goes on


def test_a_folder_that_is_not_there_is_refused(furnished: SmallRoom) -> None:
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        furnished.ingest("tax")


def test_parts_that_no_manifest_names_are_cleared(furnished: SmallRoom) -> None:
    write_csv(furnished.sources / "tax/tax_month.csv", [tax_month(ONE, 1, "5")])
    furnished.ingest("tax")
    (good,) = parts(furnished)
    orphan = good.with_name("000009-0000.parquet")
    orphan.write_bytes(good.read_bytes())
    furnished.restart()
    assert parts(furnished) == [good]


def test_no_value_rests_in_clear(furnished: SmallRoom) -> None:
    firm = reg_base(ONE, name="九九金丝雀商贸")
    write_csv(furnished.sources / "registry/reg_base.csv", [firm])
    furnished.ingest("registry")
    furnished.materialise()
    needles = ["金丝雀".encode(), ONE.encode(), b"reg_cap", b"PAR1"]
    for path in (furnished.home / "vault/facts").rglob("*.parquet"):
        data = path.read_bytes()
        assert not any(needle in data for needle in needles)
    for path in (furnished.home / "vault/segments").rglob("*.segment"):
        assert ONE.encode() not in path.read_bytes()


def _swap(one: Path, two: Path) -> None:
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def _flip(one: Path, _: Path) -> None:
    data = bytearray(one.read_bytes())
    data[len(data) // 2] ^= 1
    one.write_bytes(data)


def _cut(one: Path, _: Path) -> None:
    one.write_bytes(one.read_bytes()[:-9])


def _remove(one: Path, _: Path) -> None:
    one.unlink()


@pytest.mark.parametrize("harm", [_swap, _flip, _cut, _remove])
def test_a_part_that_was_changed_moved_or_removed_is_noticed(
    furnished: SmallRoom, harm: Callable[[Path, Path], None]
) -> None:
    for number in (1, 2):  # the same bucket twice, under one key
        write_csv(furnished.sources / f"tax/tax_month_{number}.csv", [tax_month(ONE, number, "5")])
    furnished.ingest("tax")
    one, two = parts(furnished)
    harm(one, two)
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        stored(furnished)


def test_only_an_admitted_and_approved_source_comes_in(bare: SmallRoom) -> None:
    write_csv(bare.sources / "tax/tax_month.csv", [tax_month(ONE, 1, "5")])
    source = bare.declared.sources["tax"]
    bare.enrol("tax.steward", source.party, Role.STEWARD)

    def refused() -> str:
        with pytest.raises(SaferoomError) as error:
            bare.ingest("tax")
        return error.value.code

    assert refused() == "ORG_INACTIVE"
    bare.admit(source.party, PartyKind.BANK, ("tax_month", "tax_year", "tax_arrears"))
    assert refused() == "CONTRACT_SCOPE"
    bare.now = bare.now.replace(minute=52)
    narrow = make.admission(
        party=source.party, party_kind=PartyKind.SOURCE, categories=("tax_month",)
    )
    statement = bare.put_up(narrow)
    bare.learn(*make.votes_for(statement.digest, "admission"))  # type: ignore[arg-type]
    assert refused() == "CONTRACT_SCOPE"
    full = make.admission(
        party=source.party,
        party_kind=PartyKind.SOURCE,
        categories=("tax_month", "tax_year", "tax_arrears"),
        nonce=make.nonce("full"),
    )
    statement = bare.put_up(full)
    bare.learn(*make.votes_for(statement.digest, "admission"))  # type: ignore[arg-type]
    assert refused() == "APPROVAL_MISSING"
    statement = bare.put_up(source)
    bare.learn(*make.votes_for(statement.digest, "source"))  # type: ignore[arg-type]
    assert bare.ingest("tax").rows == 1


def test_a_manifest_that_was_replaced_and_not_synced_names_no_other_file_s_rows(
    furnished: SmallRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on after such a fault writes under names of its own."""
    write_csv(furnished.sources / "tax/tax_month_1.csv", [tax_month(ONE, 1, "5")])

    def no_sync(path: Path) -> None:
        if path.name == "facts":
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.durable.sync", no_sync)
        with pytest.raises(Unavailable, match="VAULT_STORAGE"):
            furnished.ingest("tax")
    write_csv(furnished.sources / "tax/tax_month_1.csv", [tax_month(ONE, 2, "7")])
    with monkeypatch.context() as patched:

        def dead(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(FactStore, "commit", dead)
        patched.setattr(FactStore, "discard", lambda *_: None)  # killed: nobody tidies up
        with pytest.raises(KeyboardInterrupt):
            furnished.ingest("tax")
    furnished.restart()
    assert [row["sales"] for row in stored(furnished)] == [5.0]
