"""Does a table of facts know its columns, the common ones included?"""

from __future__ import annotations

from saferoom.core.facts import COMMON
from tests import factories as make


def test_common_columns_come_first() -> None:
    table = make.fact_table()
    assert table.all_columns == (*COMMON, *table.columns)
    assert make.fact_table(period=None).period is None


def test_columns_are_found_by_name() -> None:
    table = make.fact_table()
    assert table.column("grade") == table.columns[1]
    assert table.column("uscc") == COMMON[0]
    assert table.column("unknown") is None
