"""Does a file of a source become one part for each bucket, whole or not at all?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest

from saferoom.canonical import Digest
from saferoom.core.uscc import make_uscc
from saferoom.errors import BadInput
from saferoom.vault import facts
from saferoom.vault.bucket_files import BucketFiles
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import FactStore, Intake
from saferoom.vault.keys import BUCKETS, Keys, create_keys
from saferoom.vault.parts import schema_of

TABLE = read_declarations(content_folder()).tables["tax_month"]
CODES = [make_uscc(number) for number in range(40)]
DIGEST, NOW = Digest("5" * 64), "2026-11-20T10:51:00Z"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FactStore:
    monkeypatch.setattr(facts, "FLUSH_BYTES", 1)  # each batch is written when it comes
    create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    return FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))


def batch(month: int) -> pa.Table:
    schema = pa.schema(list(schema_of(TABLE))[:-3])
    rows = [
        {"uscc": code, "record_id": f"{month}", "known_at": month, "sales": float(month)}
        for code in CODES
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def files(store: FactStore) -> list[Path]:
    return sorted(store._folder.glob("*/*.parquet"))


def taken(store: FactStore, batches: int) -> Intake:
    intake = store.begin("tax", TABLE)
    for month in range(batches):
        intake.add(batch(month))
    return intake


def test_however_many_batches_come_each_bucket_has_one_part_in_their_order(
    store: FactStore,
) -> None:
    taken(store, 5).commit({"rows": 200, "quarantined": 0}, DIGEST, NOW)
    parts = store.manifest.parts
    buckets = {store.keys.bucket_of(code) for code in CODES}
    assert sorted(part.bucket for part in parts) == sorted(buckets)
    assert sorted(store._folder / part.file for part in parts) == files(store)
    assert sum(part.rows for part in parts) == 200
    for bucket in range(BUCKETS):
        rows = store.read(TABLE, bucket).to_pylist()
        own = [code for code in CODES if store.keys.bucket_of(code) == bucket]
        assert [row["uscc"] for row in rows] == own * 5
        assert [row["row"] for row in rows] == sorted(row["row"] for row in rows)


def test_a_wrong_count_and_a_given_up_file_leave_nothing(store: FactStore) -> None:
    wrong = taken(store, 3)
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        wrong.commit({"rows": 119, "quarantined": 0}, DIGEST, NOW)
    wrong.abort()
    taken(store, 3).abort()
    assert (files(store), store.manifest.parts) == ([], ())
    taken(store, 1).commit({"rows": 40, "quarantined": 0}, DIGEST, NOW)
    assert files(store)


@pytest.mark.parametrize("calls", [1, 3])
def test_a_disk_that_is_full_at_any_batch_leaves_nothing(
    store: FactStore, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(BucketFiles, "add", _full_after(calls, BucketFiles.add))
    intake = store.begin("tax", TABLE)
    with pytest.raises(OSError, match="full"):  # noqa: PT012  # at which batch is the writer's
        for month in range(5):
            intake.add(batch(month))
        intake.commit({"rows": 200, "quarantined": 0}, DIGEST, NOW)
    intake.abort()
    assert (files(store), store.manifest.parts) == ([], ())


def _full_after(calls: int, add: Callable[..., None]) -> Callable[..., None]:
    done: list[int] = []

    def adding(self: BucketFiles, bucket: int, rows: pa.Table) -> None:
        done.append(bucket)
        if len(done) > calls:
            raise OSError("full")
        add(self, bucket, rows)

    return adding
