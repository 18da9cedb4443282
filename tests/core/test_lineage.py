"""Do the papers about where a score came from hold what they say, and refuse what they do not?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from saferoom.core.lineage import (
    BatchLine,
    BatchList,
    SnapshotPaper,
    Version,
    check_signed,
    root_of,
    root_of_leaves,
    tables_of,
    used,
)
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.merkle import leaf_hash
from saferoom.vault.declarations import content_folder, read_declarations
from tests import factories as f
from tests.tlog.small_log import trust

LINES = tuple(
    BatchLine(
        number=number,
        connector="tax",
        table="tax_month",
        taken_at=f.NOW_TEXT,
        order=f.some_digest(number),
        content=None,
    )
    for number in range(1, 6)
)


def believed() -> Trust:
    return replace(trust(), vaults=(f.vault_keys(valid_from="2020-01-01T00:00:00Z"),))


def test_a_root_binds_every_line_in_its_order() -> None:
    root = root_of(LINES)
    assert root_of_leaves([leaf_hash(line.leaf) for line in LINES]) == root
    changed = replace(LINES[2], table="tax_year")
    for other in (LINES[:-1], LINES[::-1], (*LINES[:2], changed, *LINES[3:])):
        assert root_of(other) != root


@pytest.mark.parametrize("lines", [(), (LINES[0], LINES[2]), (LINES[1], LINES[0])])
def test_a_list_leaves_no_batch_out(lines: tuple[BatchLine, ...]) -> None:
    with pytest.raises(BadInput, match="lines"):
        BatchList(lines=lines)


def test_a_paper_counts_that_a_trusted_vault_signed() -> None:
    paper = f.sign(BatchList(lines=LINES), "vault")
    assert check_signed(BatchList, paper, believed(), f.NOW).lines == LINES
    before = datetime(2019, 1, 1, tzinfo=UTC)
    others = [
        (f.sign(BatchList(lines=LINES), "mallory"), f.NOW),
        (Statement(paper.body, ()), f.NOW),
        (Statement({**paper.body, "lines": []}, paper.signatures), f.NOW),
        (paper, before),
    ]
    for other, at in others:
        with pytest.raises(Tampered, match="LINEAGE_INVALID"):
            check_signed(BatchList, other, believed(), at)
    with pytest.raises(Tampered, match="LINEAGE_INVALID"):
        check_signed(SnapshotPaper, paper, believed(), f.NOW)


def test_the_tables_of_each_feature_are_those_that_the_vault_reads() -> None:
    declared = read_declarations(content_folder())
    for view in declared.views.views:
        assert declared.tables_of(view.name) <= tables_of(view)
        assert tables_of(view) <= {*declared.tables_of(view.name), view.table}


def _version(number: int, known: int, status: str = "valid", **changes: object) -> Version:
    fields: dict[str, object] = {
        "source": "tax",
        "record_id": "T1",
        "event_date": date(2026, 3, 31),
        "known_at": datetime(2026, 4, known, 4, tzinfo=UTC),
        "status": status,
        "batch": 1,
        "row": number,
    }
    return Version(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("versions", "rows"),
    [
        ([_version(0, 1)], {0}),
        ([_version(0, 1), _version(1, 3)], {1}),  # the latest that was known
        ([_version(0, 1), _version(1, 29)], {0}),  # known after the snapshot's day
        ([_version(0, 1), _version(1, 3, "repaired")], set()),
        ([_version(0, 1), _version(1, 29, "repaired")], {0}),
        ([_version(0, 1), _version(1, 3, "disputed")], {1}),
        ([_version(0, 1, event_date=date(2026, 4, 20))], set()),  # of the day itself
        ([_version(0, 1), _version(1, 3, batch=2)], {0}),  # came in after the snapshot
        ([_version(0, 1), _version(1, 3, source="register")], {0, 1}),
    ],
)
def test_only_what_counted_was_used(versions: list[Version], rows: set[int]) -> None:
    assert used(versions, date(2026, 4, 20), 1) == {(1, row) for row in rows}
