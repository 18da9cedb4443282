"""Are two buckets side by side computed as each would be alone?"""

from __future__ import annotations

from datetime import date

import pytest

from saferoom.errors import Tampered
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import BUCKETS
from saferoom.vault.materialising import compute_bucket, computing
from tests.vault.room import AS_OF, SmallRoom

DAY = date.fromisoformat(AS_OF)


def facts_of(room: SmallRoom) -> FactStore:
    return room.service._facts


def test_the_same_bits_in_order_and_alone(room: SmallRoom) -> None:
    alone = [compute_bucket(facts_of(room), room.declared, n, DAY) for n in range(BUCKETS)]
    with computing(facts_of(room), room.declared, DAY, BUCKETS) as compute:
        ahead = [compute(number) for number in range(BUCKETS)]
    assert sum(len(rows.codes) for rows in alone) > 0
    for one, other in zip(alone, ahead, strict=True):
        assert one.codes == other.codes
        assert one.matrix.tobytes() == other.matrix.tobytes()
        assert one.disputed.tobytes() == other.disputed.tobytes()


def test_whoever_stops_early_leaves_nothing_running(room: SmallRoom) -> None:
    with computing(facts_of(room), room.declared, DAY, BUCKETS) as compute:
        compute(0)


def test_a_changed_part_stops_the_snapshot_and_the_old_one_stays(room: SmallRoom) -> None:
    before = room.service._snapshots.current
    part = next((room.home / "vault/facts").glob("tax_month/*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"X")
    with pytest.raises(Tampered):
        room.materialise()
    assert room.service._snapshots.current is before


def test_a_view_is_nothing_where_no_source_brought_its_table(room: SmallRoom) -> None:
    snapshot = room.service._snapshots.current
    assert snapshot is not None
    codes = [code for n in range(BUCKETS) for code in _codes(room, n)]
    found = snapshot.rows(codes, ("dishonest_now", "arrears_now"))
    assert found.present.all()
    assert (found.matrix[:, 0] != found.matrix[:, 0]).all()  # no court is connected
    assert (found.matrix[:, 1] >= 0).all()  # the tax bureau tells of everybody


def _codes(room: SmallRoom, bucket: int) -> list[str]:
    return list(compute_bucket(facts_of(room), room.declared, bucket, DAY).codes)
