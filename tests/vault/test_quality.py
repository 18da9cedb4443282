"""Does the vault count what the rules ask, and is a feature below its gate missing?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # no stubs are published
import pytest

from saferoom.canonical import Json
from saferoom.core.facts import CellType
from saferoom.core.quality import Check, QualityRule
from saferoom.errors import BadInput, Refusal, SaferoomError
from saferoom.vault.comparing import agreeing
from saferoom.vault.declarations import content_folder
from saferoom.vault.quality import read_rules
from tests.vault.conftest import copied
from tests.vault.room import CODES, SmallRoom, reg_base, tax_month, write_csv


def rule(name: str, check: Check, **changes: object) -> QualityRule:
    fields: dict[str, object] = {"table": "tax_month", "least": 1000, "gate": 0, **changes}
    return QualityRule(name=name, check=check, **fields)  # type: ignore[arg-type]


RULES = (
    rule("filed", Check.COMPLETE, column="filed_at"),
    rule("taken", Check.VALID),
    rule("in_time", Check.TIMELY, days=15),
    rule("gaps", Check.CONTINUOUS),
    rule("registered", Check.CROSS, other="reg_base"),
)


RULE = """kind = "saferoom/quality/1"
rules = [{ table = "tax_month", name = "a", check = "valid", least = 9, gate = 1 }]
"""


def with_rules(room: SmallRoom, rules: Sequence[QualityRule]) -> None:
    """Open the vault again under these rules."""
    room.rules = rules
    room.restart()


def found(room: SmallRoom) -> dict[tuple[str, object], tuple[object, object]]:
    """Look at what was counted below its rule; of so few enterprises nothing is told."""
    assert told(room) == []
    quality = room.service._quality
    least = {one.name: one.least for one in quality._rules}
    poor = [one for one in quality._findings if one.score < least[one.rule]]
    return {(one.rule, one.batch): (one.held, one.of) for one in poor}


def told(room: SmallRoom) -> Json:
    quality = room.service.describe()["quality"]
    assert isinstance(quality, dict)
    return quality["tickets"]


def closed(room: SmallRoom) -> Json:
    quality = room.service.describe()["quality"]
    assert isinstance(quality, dict)
    return quality["closed"]


@pytest.fixture(scope="module")
def filed_once(tmp_path_factory: pytest.TempPathFactory) -> SmallRoom:
    """Two batches: one good; one late, with a gap, an empty cell, a dirty row, a stranger."""
    bare = SmallRoom.open(tmp_path_factory.mktemp("filed"))
    bare.furnish()
    good = [tax_month(code, month, 500) for code in CODES[:2] for month in (1, 2, 3)]
    poor = [
        tax_month(CODES[2], 1, 500, known_at="2026-11-20T01:00:00Z"),
        tax_month(CODES[2], 4, 500, filed_at=""),
        tax_month(CODES[3], 1, 500),
        tax_month(CODES[3], 2, "much"),
    ]
    write_csv(bare.sources / "tax/tax_month-1.csv", good, "gbk")
    write_csv(bare.sources / "tax/tax_month-2.csv", poor, "gbk")
    write_csv(bare.sources / "registry/reg_base.csv", [reg_base(code) for code in CODES[:3]])
    for name in ("tax", "registry"):
        bare.ingest(name)
    bare.service.close()
    return bare


@pytest.fixture
def filed(filed_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    room = copied(filed_once, tmp_path)
    yield room
    room.service.close()


def test_each_rule_is_counted_by_batch_and_in_whole(filed: SmallRoom) -> None:
    with_rules(filed, RULES)
    filed.materialise()
    assert found(filed) == {
        ("filed", None): (8, 9),
        ("filed", 2): (2, 3),
        ("taken", None): (9, 10),
        ("taken", 2): (3, 4),
        ("in_time", None): (8, 9),
        ("in_time", 2): (2, 3),
        ("gaps", None): (9, 11),
        ("registered", None): (3, 4),
    }


def test_a_feature_below_its_gate_is_missing_for_everybody(filed: SmallRoom) -> None:
    names = filed.declared.views.names()
    of_tax = ["tax_month" in filed.declared.tables_of(name) for name in names]
    before = filed.materialise().rows(CODES[:4], names).matrix
    assert not np.isnan(before[:, of_tax]).all()
    with_rules(filed, [rule("registered", Check.CROSS, least=900, gate=800, other="reg_base")])
    assert closed(filed) == []  # nothing was counted yet
    after = filed.materialise().rows(CODES[:4], names).matrix
    assert closed(filed) == ["tax_month"]
    assert np.isnan(after[:, of_tax]).all()
    others = np.logical_not(of_tax)
    assert after[:, others].tobytes() == before[:, others].tobytes()


def test_a_model_that_reads_a_closed_table_is_refused_and_another_is_scored(
    filed: SmallRoom,
) -> None:
    manifest = filed.file_version()
    with_rules(filed, [rule("registered", Check.CROSS, least=900, gate=800, other="reg_base")])
    filed.materialise()
    for number in (1, 2):  # as often as it is asked
        with pytest.raises(Refusal, match="QUALITY_GATE"):
            filed.score(manifest, CODES[0], number=number)
    write_csv(filed.sources / "registry/reg_base-2.csv", [reg_base(CODES[3])])
    filed.ingest("registry")
    filed.materialise()
    assert set(filed.outcomes(filed.score(manifest, CODES[0], number=3))) == {CODES[0]}


def test_a_table_that_a_model_does_not_read_may_be_closed(filed: SmallRoom) -> None:
    manifest = filed.file_version()
    empty_cells = rule("paid", Check.COMPLETE, column="paid_cap", table="reg_base", gate=1000)
    with_rules(filed, [empty_cells])
    filed.materialise()
    assert closed(filed) == ["reg_base"]
    assert set(filed.outcomes(filed.score(manifest, CODES[0]))) == {CODES[0]}


def test_which_features_were_closed_stands_in_the_snapshot(filed: SmallRoom) -> None:
    with_rules(filed, [rule("registered", Check.CROSS, least=900, gate=800, other="reg_base")])
    snapshot = filed.materialise()
    assert "sales_12" in snapshot.manifest.closed
    assert "sales_per_head" in snapshot.manifest.closed  # reads two tables
    assert "paid_cap_r" not in snapshot.manifest.closed
    with_rules(filed, ())  # and the snapshot is what it was
    current = filed.service._snapshots.current
    assert current is not None
    assert current.manifest == snapshot.manifest


def test_a_correction_ends_what_it_corrects(filed: SmallRoom) -> None:
    """The second batch's empty cell comes again, filled, as a new version of its record."""
    with_rules(filed, [rule("filed", Check.COMPLETE, column="filed_at")])
    filed.materialise()
    assert found(filed) == {("filed", None): (8, 9), ("filed", 2): (2, 3)}
    mended = tax_month(CODES[2], 4, 500, known_at="2026-11-18T01:00:00Z", status="corrected")
    write_csv(filed.sources / "tax/tax_month-3.csv", [mended], "gbk")
    filed.ingest("tax")
    filed.materialise()
    assert found(filed) == {}


def test_a_correction_is_no_late_record(filed: SmallRoom) -> None:
    with_rules(filed, [rule("in_time", Check.TIMELY, days=15)])
    filed.materialise()
    late = {("in_time", None): (8, 9), ("in_time", 2): (2, 3)}
    assert found(filed) == late
    mended = tax_month(CODES[0], 3, 400, known_at="2026-11-18T01:00:00Z", status="corrected")
    write_csv(filed.sources / "tax/tax_month-3.csv", [mended], "gbk")
    filed.ingest("tax")
    filed.materialise()
    assert found(filed) == late


def test_a_taxpayer_that_is_cancelled_and_files_on_is_found(filed: SmallRoom) -> None:
    """Known as cancelled in September: the filing for October is one too many."""
    living = rule(
        "living", Check.LIVING, other="reg_base", other_column="state", ends=("注销", "吊销")
    )
    with_rules(filed, [living])
    filed.materialise()
    assert found(filed) == {}
    gone = reg_base(CODES[0], state="注销", known_at="2026-09-20T01:00:00Z")
    write_csv(filed.sources / "registry/reg_base-2.csv", [gone])
    filed.ingest("registry")
    filed.materialise()
    assert found(filed) == {("living", None): (7, 9), ("living", 1): (4, 6)}


def test_people_insured_are_compared_with_another_source() -> None:
    """Two figures of one month agree while they lie within the share of the larger."""
    rows = pa.table({"uscc": ["a", "a", "b", "c"], "period": [1, 2, 1, 1], "batch": [1, 1, 2, 2]})
    insured = rows.append_column("headcount", pa.array([10, 10, 10, None], pa.int64()))
    others = pa.table(
        {"uscc": ["a", "b", "b", "c"], "period": [1, 1, 2, 1], "paid_for": [8, 7, 10, 9]}
    )
    agrees = rule(
        "agrees",
        Check.AGREES,
        column="headcount",
        other="hf_month",
        other_column="paid_for",
        percent=20,
    )
    both, holds = agreeing(agrees, insured, "period", others, "period")
    by_code = dict(zip(both["uscc"].to_pylist(), holds.tolist(), strict=True))
    assert by_code == {"a": True, "b": False}


def test_the_rooms_own_rules_cover_every_table(bare: SmallRoom) -> None:
    """Whatever is declared is looked at: taken, in time, and without gaps where it is monthly."""
    rules = read_rules(content_folder() / "policies" / "quality", bare.declared.tables)
    checks: dict[str, set[Check]] = {}
    for one in rules:
        checks.setdefault(one.table, set()).add(one.check)
    assert set(checks) == set(bare.declared.tables)
    standing = {"reg_base", "branch", "investment"}  # when it happened may be long ago
    for name, table in bare.declared.tables.items():
        assert Check.VALID in checks[name], name
        assert (Check.TIMELY in checks[name]) != (name in standing), name
        kind = table.column(table.period or "")
        if kind is not None and kind.type is CellType.MONTH:
            assert Check.CONTINUOUS in checks[name], name
    assert {Check.CROSS, Check.AGREES, Check.LIVING, Check.COMPLETE} <= set().union(
        *checks.values()
    )


def test_better_data_open_the_table_again(filed: SmallRoom) -> None:
    with_rules(filed, [rule("registered", Check.CROSS, least=900, gate=800, other="reg_base")])
    filed.materialise()
    assert closed(filed) == ["tax_month"]
    write_csv(filed.sources / "registry/reg_base-2.csv", [reg_base(CODES[3])])
    filed.ingest("registry")
    filed.materialise()
    assert (closed(filed), found(filed)) == ([], {})


def test_findings_outlive_a_restart_but_not_their_rules(filed: SmallRoom) -> None:
    with_rules(filed, RULES)
    filed.materialise()
    before = found(filed)
    with_rules(filed, RULES)
    assert found(filed) == before
    with_rules(filed, RULES[:1])
    assert found(filed) == {}
    filed.materialise()
    assert set(found(filed)) == {("filed", None), ("filed", 2)}


def test_findings_that_are_none_stop_the_vault(filed: SmallRoom) -> None:
    with_rules(filed, RULES)
    filed.materialise()
    (filed.home / "vault/journal/quality.json").write_bytes(b'{"findings":1}')
    with pytest.raises(SaferoomError, match="CONTENT_CHANGED"):
        with_rules(filed, RULES)
    (filed.home / "vault/journal/quality.json").unlink()
    with_rules(filed, RULES)


def test_no_value_is_in_what_is_told(filed: SmallRoom) -> None:
    with_rules(filed, RULES)
    filed.materialise()
    told = str(filed.service.describe()["quality"])
    assert not any(code in told for code in CODES)
    assert "500" not in told


@pytest.mark.parametrize(
    "text",
    [
        "rules = [",
        'kind = "saferoom/mock/1"\nrules = []',
        'kind = "saferoom/quality/1"',
        'kind = "saferoom/quality/1"\nrules = 1',
        'kind = "saferoom/quality/1"\nrules = [1]',
        'kind = "saferoom/quality/1"\nrules = [{ name = "a" }]',
        RULE.replace("tax_month", "unknown"),
        RULE.replace("least", "most"),
    ],
)
def test_rules_are_read_strictly(bare: SmallRoom, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_rules(tmp_path, bare.declared.tables)
