"""Does a segment give back the very same numbers, and notice every changed byte?"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.canonical import digest_bytes
from saferoom.core import views
from saferoom.core.uscc import make_uscc
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.vault import segments
from saferoom.vault.segments import Rows, Segment, open_rows, write_segment
from tests.vault.room import CODES, SmallRoom

SNAPSHOT = "ab" * 32
COLUMNS = ("one", "two", "three")


KEY, OTHER = bytes(range(32)), bytes(32)


def rows_of(count: int) -> Rows:
    codes = sorted(make_uscc(number) for number in range(count))
    matrix = np.arange(count * 3, dtype=np.float64).reshape(count, 3) / 7
    matrix[::5, 1] = np.nan
    return Rows(codes, np.arange(count) % 3 == 0, matrix)


def write(path: Path, rows: Rows, key: bytes = KEY) -> str:
    return write_segment(path, rows, COLUMNS, snapshot=SNAPSHOT, key=key)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_every_row_comes_back_bit_for_bit(tmp_path: Path, count: int) -> None:
    rows = rows_of(count)
    digest = write(tmp_path / "s", rows)
    assert digest == digest_bytes((tmp_path / "s").read_bytes())
    with closing(Segment(tmp_path / "s", KEY, SNAPSHOT)) as segment:
        for number, code in enumerate(rows.codes):
            assert segment.find(code) == number
            assert segment.row(number).tobytes() == rows.matrix[number].tobytes()
            assert segment.disputed[number] == rows.disputed[number]
        assert segment.find(make_uscc(10_000)) is None
    again = open_rows(tmp_path / "s", KEY, SNAPSHOT)
    assert again.matrix.tobytes() == rows.matrix.tobytes()
    assert list(again.codes) == list(rows.codes)


def test_the_same_rows_never_give_the_same_bytes(tmp_path: Path) -> None:
    rows = rows_of(10)
    assert write(tmp_path / "a", rows) != write(tmp_path / "b", rows)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_or_missing_byte_is_noticed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("flip") / "s"
    write(path, rows_of(70))
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[at] ^= data.draw(st.integers(1, 255))
    else:
        whole = whole[:at]
    path.write_bytes(whole)
    with pytest.raises(Tampered):
        open_rows(path, KEY, SNAPSHOT)


def test_chunks_and_files_cannot_move(tmp_path: Path) -> None:
    write(tmp_path / "s", rows_of(130))
    with pytest.raises(Tampered):
        open_rows(tmp_path / "s", KEY, "cd" * 32)
    (tmp_path / "s").rename(tmp_path / "t")
    with pytest.raises(Tampered):
        open_rows(tmp_path / "t", KEY, SNAPSHOT)
    (tmp_path / "t").rename(tmp_path / "s")
    data = (tmp_path / "s").read_bytes()
    full = 64 * 24 + 16
    head, one, two, rest = (
        data[: -2 * full - 64],
        data[-2 * full - 64 : -full - 64],
        data[-full - 64 : -64],
        data[-64:],
    )
    assert len(rest) == 2 * 24 + 16
    (tmp_path / "s").write_bytes(head + two + one + rest)
    with pytest.raises(Tampered):
        open_rows(tmp_path / "s", KEY, SNAPSHOT)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    write(tmp_path / "s", rows_of(3))
    with pytest.raises(Tampered):
        open_rows(tmp_path / "s", OTHER, SNAPSHOT)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 200), data=st.data())
def test_any_rows_and_columns_come_back_in_the_order_asked(
    count: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, rows = tmp_path_factory.mktemp("any") / "s", rows_of(count)
    write(path, rows)
    wanted = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=20)), np.int64)
    columns = np.array(data.draw(st.lists(st.integers(0, 2), max_size=4)), np.int64)
    with closing(Segment(path, KEY, SNAPSHOT)) as segment:
        found = segment.rows(wanted, columns)
        assert found.tobytes() == rows.matrix[np.ix_(wanted, columns)].tobytes()
        assert segment.matrix(columns).tobytes() == rows.matrix[:, columns].tobytes()


def test_a_snapshot_cannot_be_guessed_and_is_new_each_time(room: SmallRoom) -> None:
    first = room.materialise()
    second = room.materialise()
    assert first.digest != second.digest
    assert first.manifest.nonce != second.manifest.nonce
    assert first.manifest.segments != second.manifest.segments
    assert second.manifest.enterprises == 6
    assert second.manifest.views == room.declared.views.digest


def test_two_snapshots_are_kept_and_the_newest_is_current_after_a_start(room: SmallRoom) -> None:
    folder = room.home / "vault/segments"
    last = [room.materialise() for _ in range(4)][-1].digest
    (folder / "leftover").mkdir()
    room.restart()
    described = room.service.describe()["snapshot"]
    assert isinstance(described, dict)
    assert described["digest"] == last
    assert sum(1 for path in folder.iterdir() if path.is_dir()) == 2


def test_the_as_of_day_is_today_or_before(room: SmallRoom) -> None:
    assert room.materialise("2026-11-20").manifest.as_of == "2026-11-20"
    for text in ("2026-11-21", "yesterday", "2026-11-31"):
        with pytest.raises(BadInput, match="FIELD_INVALID"):
            room.materialise(text)


def test_views_that_nobody_approved_are_not_materialised(bare: SmallRoom) -> None:
    with pytest.raises(Refusal, match="VIEW_UNAPPROVED"):
        bare.materialise()


def test_the_same_facts_give_the_same_bits(room: SmallRoom) -> None:
    names = room.declared.views.names()
    one = room.materialise().rows(CODES, names)
    two = room.materialise().rows(CODES, names)
    assert one.matrix.tobytes() == two.matrix.tobytes()
    assert one.present.tolist() == [True] * 6 + [False] * 2
    assert one.disputed.tolist() == [False] * 3 + [True] + [False] * 4


def _edit(path: Path) -> None:
    body = json.loads(path.read_bytes())
    body["enterprises"] = 7
    path.write_text(json.dumps(body, separators=(",", ":"), sort_keys=True), encoding="utf-8")


@pytest.mark.parametrize("harm", [_edit, Path.unlink, lambda path: path.write_bytes(b"{}")])
def test_a_changed_snapshot_stops_the_start(room: SmallRoom, harm: Callable[[Path], None]) -> None:
    room.service.close()
    name = (room.home / "vault/segments/current").read_text(encoding="ascii").split(" ")[0]
    path = room.home / "vault/segments" / name / "manifest.json"
    whole = path.read_bytes()
    harm(path)
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        room.start()
    path.write_bytes(whole)
    room.start()


def test_a_segment_has_the_dtype_of_mock_data() -> None:
    assert np.dtype(segments.DTYPE) == np.dtype(views.DTYPE)
