"""Is a key that stood before always found, and no other?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.errors import BadInput
from saferoom.intake import duplicates
from saferoom.intake.duplicates import Seen

KEYS = st.tuples(st.sampled_from("AB"), st.text("xyz", max_size=2), st.integers(-1, 2))


@settings(max_examples=100, deadline=None)
@given(calls=st.lists(st.lists(KEYS, max_size=30), max_size=5))
def test_only_what_stood_before_is_repeated(calls: list[list[tuple[str, str, int]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_SMALLEST", 8)  # so that it grows
        seen, stood = Seen(), set[tuple[str, str, int]]()
        for keys in calls:
            enterprises = pa.array([key[0] for key in keys], pa.string())
            records = pa.array([key[1] for key in keys], pa.string())
            moments = np.array([key[2] for key in keys], np.int64)
            expected = []
            for key in keys:
                expected.append(key in stood)
                stood.add(key)
            assert seen.repeated(enterprises, records, moments).tolist() == expected


def test_many_keys_are_all_told_apart() -> None:
    seen, some = Seen(), 50_000
    for call in range(4):
        records = pa.array([f"{call} {number}" for number in range(some)])
        same = pa.repeat("A", some)
        assert not seen.repeated(same, records, np.zeros(some, np.int64)).any()
        assert seen.repeated(same, records, np.zeros(some, np.int64)).all()


def test_a_file_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_ROWS", 3)
    seen = Seen()
    for number in range(3):
        seen.repeated(pa.array(["A"]), pa.array([str(number)]), np.zeros(1, np.int64))
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        seen.repeated(pa.array(["A"]), pa.array(["x"]), np.zeros(1, np.int64))
