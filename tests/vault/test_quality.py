"""Does the vault count what the rules ask, and is a feature below its gate missing?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from saferoom.canonical import Json
from saferoom.core.quality import Check, QualityRule
from saferoom.errors import BadInput, SaferoomError
from saferoom.vault.declarations import content_folder
from saferoom.vault.home import VaultHome
from saferoom.vault.quality import read_rules
from saferoom.vault.service import Service
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
    room.service.close()
    room.service = Service(
        VaultHome(room.home),
        room.declared,
        clock=lambda: room.now,
        random_bytes=room.random,
        start_cage=room.start_cage,
        rules=rules,
    )


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
    of_tax = [view.table == "tax_month" for view in filed.declared.views.views]
    before = filed.materialise().rows(CODES[:4], names).matrix
    assert not np.isnan(before[:, of_tax]).all()
    with_rules(filed, [rule("registered", Check.CROSS, least=900, gate=800, other="reg_base")])
    assert closed(filed) == []  # nothing was counted yet
    after = filed.materialise().rows(CODES[:4], names).matrix
    assert closed(filed) == ["tax_month"]
    assert np.isnan(after[:, of_tax]).all()
    others = np.logical_not(of_tax)
    assert after[:, others].tobytes() == before[:, others].tobytes()


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


def test_the_rooms_own_rules_fit_its_tables(bare: SmallRoom) -> None:
    folder = content_folder() / "policies" / "quality"
    assert len(read_rules(folder, bare.declared.tables)) > 5


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
