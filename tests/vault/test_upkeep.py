"""Do facts mean the same however they are kept, and does an erased enterprise stay away?

The reference of "what counts as of D" was written from the glossary: plain loops over a list of
rows, no files, no SQL.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import Digest
from saferoom.core.facts import Status
from saferoom.core.lineage import Version, used
from saferoom.core.uscc import make_uscc
from saferoom.errors import Tampered
from saferoom.vault import upkeep
from saferoom.vault.compiler import compile_table
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.formula import Aggregate
from saferoom.vault.grammar import read_formula
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from saferoom.vault.materialising import Query, open_engine, run
from saferoom.vault.parts import schema_of
from saferoom.vault.tombstones import Tombstones

TABLES = read_declarations(content_folder()).tables
TABLE = TABLES["tax_month"]
SALES = read_formula({"op": "sum", "column": "sales"}, TABLES, "tax_month")
assert isinstance(SALES, Aggregate)
QUERY = Query(TABLE, (SALES,), compile_table(TABLE, (SALES,)))
CODES = tuple(make_uscc(number) for number in range(20))
FIRST = date(2026, 1, 1)
Row = dict[str, object]


@dataclass(frozen=True)
class Sum:
    """What one enterprise has as of a day."""

    sales: float
    disputed: bool


def row(  # noqa: PLR0917  # reads as a table
    code: str, record: str, event: int, known: int, status: str, sales: int
) -> Row:
    return {
        "uscc": code,
        "record_id": record,
        "event_date": FIRST + timedelta(days=event),
        "known_at": int(datetime(2026, 1, 1, 4, tzinfo=UTC).timestamp()) + 86_400 * known,
        "status": status,
        "sales": float(sales),
    }


def counting(batches: list[list[Row]], as_of: date) -> dict[str, Sum]:
    """Say what counts as of a day: the reference."""
    records: dict[tuple[object, object], list[Row]] = {}
    for batch in batches:
        for one in batch:
            known = datetime.fromtimestamp(int(str(one["known_at"])), UTC) + timedelta(hours=8)
            if known.date() <= as_of:
                records.setdefault((one["uscc"], one["record_id"]), []).append(one)
    found: dict[str, Sum] = {}
    for (code, _), versions in records.items():
        if any(one["status"] in ("repaired", "erased") for one in versions):
            continue
        newest = versions[0]
        for one in versions[1:]:
            if int(str(one["known_at"])) >= int(str(newest["known_at"])):
                newest = one
        if str(newest["event_date"]) >= as_of.isoformat():
            continue
        before = found.get(str(code), Sum(0.0, disputed=False))
        disputed = before.disputed or newest["status"] == "disputed"
        found[str(code)] = Sum(before.sales + float(str(newest["sales"])), disputed=disputed)
    return found


@contextmanager
def fresh() -> Iterator[FactStore]:
    with tempfile.TemporaryDirectory() as name:
        yield made(Path(name))


def made(home: Path) -> FactStore:
    create_keys(home / "keys", os.urandom)
    (home / "facts").mkdir()
    return FactStore(home / "facts", Keys(home / "keys", os.urandom))


def again(store: FactStore) -> FactStore:
    """Open the same home as the next start does."""
    return FactStore(store._folder, Keys(store.keys.folder, os.urandom), store._tombstones)


def take(store: FactStore, batch: list[Row]) -> None:
    schema = pa.schema(list(schema_of(TABLE))[:-3])
    intake = store.begin("tax", TABLE)
    intake.add(pa.Table.from_pylist(batch, schema=schema))
    counts = {"rows": len(batch), "quarantined": 0}
    intake.commit(counts, Digest(os.urandom(32).hex()), "2026-11-20T10:51:00Z")


def answers(store: FactStore, as_of: date) -> dict[str, Sum]:
    found: dict[str, Sum] = {}
    for bucket in range(BUCKETS):
        facts = store.read(TABLE, bucket, QUERY.columns)
        if facts.num_rows:
            with open_engine() as engine:
                rows = run(engine, QUERY, facts, as_of).to_pylist()
            found |= {r["uscc"]: Sum(r["a0"], disputed=r["disputed"]) for r in rows}
    return found


def several(store: FactStore, count: int, codes: tuple[str, ...] = CODES) -> list[list[Row]]:
    batches = [
        [row(code, f"T{number}", number, number, "valid", number + 1) for code in codes]
        for number in range(count)
    ]
    for batch in batches:
        take(store, batch)
    return batches


def neighbours(store: FactStore, count: int) -> list[str]:
    """Name some enterprises of one bucket."""
    codes = [str(make_uscc(number)) for number in range(100 * count)]
    return [code for code in codes if store.keys.bucket_of(code) == 3][:count]


def keep_up(store: FactStore, act: str) -> None:
    for bucket in range(BUCKETS):
        (upkeep.settle if act == "settle" else upkeep.renew)(store, bucket)


def work(store: FactStore, act: str, gone: str, bucket: int) -> None:
    if act == "erase":
        upkeep.erase(store, store.keys.mark_of(gone), bucket)
    else:
        (upkeep.settle if act == "settle" else upkeep.renew)(store, bucket)


ROWS = st.builds(
    row,
    st.sampled_from(CODES[:3]),
    st.sampled_from(["T1", "T2", "T3"]),
    st.integers(0, 20),
    st.integers(0, 20),
    st.sampled_from([*Status]),
    st.integers(0, 1000),
)
STEPS = st.lists(
    st.one_of(
        st.lists(ROWS, min_size=1, max_size=6), st.sampled_from(["settle", "renew", "start"])
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, day=st.integers(0, 24))
def test_upkeep_never_changes_what_counts_as_of_a_day(
    steps: list[list[Row] | str], day: int
) -> None:
    as_of, batches = FIRST + timedelta(days=day), []
    with fresh() as store:
        for step in steps:
            if isinstance(step, list):
                take(store, step)
                batches.append(step)
            elif step == "start":
                store = again(store)  # noqa: PLW2901  # the same home
            else:
                keep_up(store, step)
        assert answers(store, as_of) == counting(batches, as_of)


def test_many_small_parts_become_one_for_each_table_and_cell(tmp_path: Path) -> None:
    store = made(tmp_path)
    batches = several(store, upkeep.MOST_PARTS + 1)
    many = len(store.manifest.parts)
    assert upkeep.untidy(store.manifest)
    for bucket in upkeep.untidy(store.manifest):
        upkeep.settle(store, bucket)
    assert not upkeep.untidy(store.manifest)
    assert len(store.manifest.parts) * 4 < many
    assert len(list((tmp_path / "facts").glob("*/*.parquet"))) == len(store.manifest.parts)
    assert answers(again(store), FIRST + timedelta(days=30)) == counting(
        batches, FIRST + timedelta(days=30)
    )


def test_settled_parts_of_a_cell_are_made_one_when_they_are_many(tmp_path: Path) -> None:
    store = made(tmp_path)
    bucket = store.keys.bucket_of(CODES[0])
    for number in range(upkeep.MOST_PARTS + 1):
        take(store, [row(CODES[0], f"T{number}", 1, 1, "valid", 1)])
        upkeep.settle(store, bucket)
    assert len(store.manifest.parts) == upkeep.MOST_PARTS + 1
    upkeep.settle(store, bucket)
    (part,) = store.manifest.parts
    assert part.rows == upkeep.MOST_PARTS + 1


def test_a_new_key_makes_the_old_parts_unreadable(tmp_path: Path) -> None:
    store = made(tmp_path)
    several(store, 2)
    old = {p.file: (tmp_path / "facts" / p.file).read_bytes() for p in store.manifest.parts}
    before, names = store.manifest, store.keys.names("facts/")
    keep_up(store, "renew")
    for file, data in old.items():
        (tmp_path / "facts" / file).write_bytes(data)
    for part in before.parts:
        with pytest.raises(Tampered, match="CONTENT_CHANGED"):
            store.keys.key(before.key_name(part.place))
        with pytest.raises(Tampered, match="CONTENT_CHANGED"):
            store.read_part(part)
    used = {before.key_name(part.place) for part in before.parts}
    assert not used & store.keys.names()
    assert len(store.keys.names("facts/")) >= len(names & used)


@pytest.mark.parametrize("settled", [False, True])
def test_an_erasure_leaves_the_others_and_none_of_its_own(tmp_path: Path, *, settled: bool) -> None:
    store, day = made(tmp_path), FIRST + timedelta(days=30)
    several(store, 3)
    if settled:
        keep_up(store, "settle")
    before = answers(store, day)
    gone = CODES[4]
    mark = store.keys.mark_of(gone)
    upkeep.erase(store, mark, store.keys.bucket_of(gone))
    assert answers(again(store), day) == {c: a for c, a in before.items() if c != gone}
    upkeep.erase(store, mark, store.keys.bucket_of(gone))  # again: nothing is left to do
    assert len(answers(store, day)) == len(CODES) - 1


def test_what_was_erased_does_not_come_back_and_what_is_new_does(tmp_path: Path) -> None:
    home = made(tmp_path)
    erased = datetime(2026, 1, 11, 4, tzinfo=UTC)
    stones = Tombstones(home.keys)
    stones.place(home.keys.mark_of(CODES[0]), erased)
    store = FactStore(tmp_path / "facts", home.keys, stones)
    old, new = row(CODES[0], "T1", 1, 10, "valid", 5), row(CODES[0], "T2", 1, 11, "valid", 7)
    other = row(CODES[1], "T1", 1, 10, "valid", 9)
    take(store, [old, new, other])
    assert answers(store, FIRST + timedelta(days=30)) == {
        CODES[0]: Sum(7.0, disputed=False),
        CODES[1]: Sum(9.0, disputed=False),
    }


@pytest.mark.parametrize("act", ["settle", "renew", "erase"])
@pytest.mark.parametrize("stop", ["write_under", "sync", "exchange", "discard", "keep_only"])
def test_a_stop_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, stop: str
) -> None:
    store, day = made(tmp_path), FIRST + timedelta(days=30)
    gone, *others = neighbours(store, 4)
    batches = several(store, 3, (gone, *others))
    bucket = store.keys.bucket_of(gone)

    def dead(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        target = Keys if stop == "keep_only" else FactStore
        patched.setattr(target, stop, dead)
        if stop in {"write_under", "sync", "exchange"}:
            patched.setattr(FactStore, "discard", lambda *_: None)  # killed: nobody tidies up
        with pytest.raises(KeyboardInterrupt):
            work(store, act, gone, bucket)
    expected = counting(batches, day)
    store = again(store)
    done = act == "erase" and stop in {"discard", "keep_only"}
    assert answers(store, day) == {c: a for c, a in expected.items() if not (done and c == gone)}
    named = {part.file for part in store.manifest.parts}
    files = {f"tax_month/{path.name}" for path in (tmp_path / "facts/tax_month").iterdir()}
    assert files == named
    assert store.keys.names("facts/") == store.keys.names("facts/") & store.manifest.key_names()
    work(store, act, gone, bucket)
    assert answers(store, day) == {
        c: a for c, a in expected.items() if not (act == "erase" and c == gone)
    }


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_an_enterprise_finds_at_home_the_very_versions_that_a_snapshot_used(
    data: st.DataObject,
) -> None:
    """Each version has a power of two, so that a sum says which of them were added."""
    days, code = st.integers(0, 6), CODES[0]
    statuses = st.sampled_from([str(status) for status in Status])
    drawn = [
        row(
            code, f"T{data.draw(st.integers(0, 2))}", data.draw(days), data.draw(days), status, 2**n
        )
        for n, status in enumerate(data.draw(st.lists(statuses, min_size=1, max_size=8)))
    ]
    as_of = FIRST + timedelta(days=data.draw(st.integers(0, 8)))
    cut = data.draw(st.integers(1, len(drawn)))
    versions = [
        Version(
            source="tax",
            record_id=str(one["record_id"]),
            event_date=cast("date", one["event_date"]),
            known_at=datetime.fromtimestamp(int(str(one["known_at"])), UTC),
            status=str(one["status"]),
            batch=1 if n < cut else 2,
            row=n,
        )
        for n, one in enumerate(drawn)
    ]
    with fresh() as store:
        take(store, drawn[:cut])
        found = answers(store, as_of).get(code, Sum(0.0, disputed=False)).sales
    assert sum(2**number for _, number in used(versions, as_of, 1)) == found


@pytest.mark.parametrize("act", ["settle", "renew", "erase"])
def test_a_manifest_that_was_replaced_and_not_synced_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """The fault comes after the manifest names the new parts: they must still be there."""
    store, day = made(tmp_path), FIRST + timedelta(days=30)
    gone, *others = neighbours(store, 4)
    batches = several(store, 3, (gone, *others))
    bucket = store.keys.bucket_of(gone)

    def no_sync(path: Path) -> None:
        if path.name == "facts":
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("saferoom.vault.durable.sync", no_sync)
        with pytest.raises(OSError, match="Input/output"):
            work(store, act, gone, bucket)
    found = answers(again(store), day)
    expected = counting(batches, day)
    assert found == {c: a for c, a in expected.items() if act != "erase" or c != gone}
