"""Is the sharing list complete, and does every table of facts stand under it?"""

from __future__ import annotations

from saferoom.core.catalogue import Mode
from saferoom.vault.declarations import content_folder, read_declarations

DECLARED = read_declarations(content_folder())
# Tables of the data that departments share; the banks' own loans are none of them.
TABLES = {
    *("reg_base", "reg_change", "reg_abn", "pledge", "annual", "branch", "investment"),
    *("tax_month", "tax_year", "tax_arrears", "tax_statement", "invoice_month"),
    *("si_month", "hf_month", "real_estate", "util_month"),
    *("court_case", "exec", "dishonest", "bankruptcy"),
    *("penalty", "enforce", "permit", "env_permit", "env_grade", "env_penalty"),
    *("customs_month", "customs_grade", "patent", "trademark", "hightech", "rd_year", "procure"),
    "self_month",
}


def test_it_has_the_fourteen_groups_and_thirty_seven_items() -> None:
    assert len(DECLARED.catalogue.groups) == 14
    assert len(DECLARED.catalogue.items()) == 37


def test_every_table_is_declared_under_items_that_bring_rows() -> None:
    assert set(DECLARED.tables) == TABLES
    items = DECLARED.catalogue.items()
    for table in DECLARED.tables.values():
        assert all(items[name].mode is not Mode.VERIFY for name in table.items)


def test_what_is_only_verified_has_no_table() -> None:
    verified = {
        name for name, item in DECLARED.catalogue.items().items() if item.mode is Mode.VERIFY
    }
    assert verified == {"social.medical", "property.ownership"}
    assert not verified & {name for table in DECLARED.tables.values() for name in table.items}


def test_trade_secrets_are_the_closest_guarded() -> None:
    columns = DECLARED.tables["invoice_month"].columns
    assert {column.level for column in columns} == {"L4"}
