"""Does a source name every declared column, and no other table?"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from saferoom.core.source import Heading, SourceManifest, SourceTable, check_source
from saferoom.errors import BadInput
from tests import factories as make

TABLE = make.fact_table()
NAMES = [column.name for column in TABLE.all_columns]


def source_of(names: Iterable[str], table: str = "tax_year") -> SourceManifest:
    headings = tuple(Heading(column=name, heading=f"their {name}") for name in names)
    one = SourceTable(table=table, path="tax_year*.csv", headings=headings, ignore=("note",))
    return make.source(tables=(one,))


def test_a_source_that_names_every_column_is_accepted() -> None:
    check_source(source_of(NAMES), {TABLE.name: TABLE})


@pytest.mark.parametrize(
    "manifest",
    [
        source_of(NAMES, table="unknown"),
        source_of(NAMES[:-1]),
        source_of([*NAMES, "another"]),
        source_of([]),
    ],
)
def test_any_other_source_is_refused(manifest: SourceManifest) -> None:
    with pytest.raises(BadInput) as refusal:
        check_source(manifest, {TABLE.name: TABLE})
    assert refusal.value.code == "SOURCE_MALFORMED"
