"""Is the version of a record that counts the same as a plain walk through the rows finds?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
from hypothesis import given
from hypothesis import strategies as st

from saferoom.vault.versions import first_versions, latest_versions

Row = dict[str, object]
GONE = {"repaired", "erased"}

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "uscc": st.sampled_from("ab"),
            "record_id": st.sampled_from("xyz"),
            "source": st.sampled_from(["tax", "tax2"]),
            "known_at": st.integers(0, 3),
            "status": st.sampled_from(["valid", "disputed", "corrected", "repaired", "erased"]),
            "batch": st.integers(1, 3),
        }
    ),
    max_size=14,
)


def table(rows: list[Row]) -> pa.Table:
    numbered = [{**row, "row": at} for at, row in enumerate(rows)]
    types = {"known_at": pa.int64(), "batch": pa.int32(), "row": pa.int32()}
    names = ("uscc", "record_id", "known_at", "status", "batch", "row", "source")
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(numbered, schema)


def by_record(rows: list[Row]) -> dict[tuple[object, ...], list[tuple[tuple[object, ...], int]]]:
    found: dict[tuple[object, ...], list[tuple[tuple[object, ...], int]]] = {}
    for at, row in enumerate(rows):
        key = (row["source"], row["uscc"], row["record_id"])
        found.setdefault(key, []).append(((row["known_at"], row["batch"], at), at))
    return found


@given(ROWS)
def test_the_latest_counts_and_what_was_repaired_never_again(rows: list[Row]) -> None:
    expected = sorted(
        max(versions)[1]
        for versions in by_record(rows).values()
        if not any(rows[at]["status"] in GONE for _, at in versions)
    )
    assert latest_versions(table(rows))["row"].to_pylist() == expected


@given(ROWS)
def test_when_it_was_known_first_says_the_first(rows: list[Row]) -> None:
    expected = sorted(min(versions)[1] for versions in by_record(rows).values())
    assert first_versions(table(rows))["row"].to_pylist() == expected


def test_no_rows_have_no_versions() -> None:
    for pick in (latest_versions, first_versions):
        assert len(pick(table([]))) == 0
    assert np.array_equal(latest_versions(table([]))["row"].to_numpy(), [])
