"""Who makes the vault read a source or publish, from where, and how often by one order?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saferoom.canonical import digest_bytes
from saferoom.core.enrolment import Role
from saferoom.core.orders import OrderedFile
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, SaferoomError
from tests import factories as make
from tests.vault.room import AS_OF, CODES, SmallRoom, forget, tax_month, write_csv

ONE = CODES[0]


@pytest.fixture
def furnished(bare: SmallRoom) -> SmallRoom:
    bare.furnish()
    bare.enrol("tax.clerk", "source-tax", Role.AUDITOR)
    write_csv(bare.sources / "tax/tax_month.csv", [tax_month(ONE, 1, "5")])
    return bare


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as error:
        act()
    return error.value.code


ORDERS: dict[str, tuple[Callable[[SmallRoom], Statement], str]] = {
    "an operator's": (lambda room: room.ingest_order("tax", "sun"), "ROLE"),
    "another source's steward": (lambda room: room.ingest_order("tax", "power.steward"), "ROLE"),
    "in its own party's name": (
        lambda room: room.ingest_order("tax", "power.steward", party="source-power"),
        "ROLE",
    ),
    "its own party's, for another's connector": (
        lambda room: room.ingest_order("power", "tax.steward", party="source-tax"),
        "ROLE",
    ),
    "no steward of the party": (lambda room: room.ingest_order("tax", "tax.clerk"), "ROLE"),
    "nobody known": (lambda room: room.ingest_order("tax", "stranger"), "KEY_UNKNOWN"),
    "too old": (
        lambda room: room.ingest_order("tax", asked_at="2026-11-20T10:45:00Z"),
        "REPLAY",
    ),
    "too early": (
        lambda room: room.ingest_order("tax", asked_at="2026-11-20T10:58:00Z"),
        "REPLAY",
    ),
    "of another folder": (
        lambda room: room.ingest_order("tax", connector="../tax"),
        "NOT_FOUND",
    ),
    "a snapshot's": (lambda room: room.snapshot_order(by="tax.steward"), "FIELD_INVALID"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_only_the_source_s_own_steward_has_it_read(furnished: SmallRoom, case: str) -> None:
    order, code = ORDERS[case]
    assert refused(lambda: furnished.service.ingest(order(furnished))) == code
    assert furnished.ingest("tax").rows == 1


def test_only_an_operator_has_a_snapshot_published(furnished: SmallRoom) -> None:
    for by in ("tax.steward", "bank-a.modeller"):
        order = furnished.snapshot_order(by=by)
        assert refused(lambda order=order: furnished.service.materialise(order)) == "ROLE"  # type: ignore[misc]
    old = furnished.snapshot_order(asked_at="2026-11-20T10:45:00Z")
    assert refused(lambda: furnished.service.materialise(old)) == "REPLAY"
    assert furnished.materialise().manifest.as_of == AS_OF


def test_an_order_has_one_effect_also_after_a_restart(furnished: SmallRoom) -> None:
    order, publish = furnished.ingest_order("tax"), furnished.snapshot_order()
    first = furnished.service.ingest(order)
    snapshot = furnished.service.materialise(publish)
    assert first["rows"] == 1
    write_csv(furnished.sources / "tax/tax_month_2.csv", [tax_month(ONE, 2, "5")])
    for _ in range(2):
        assert furnished.service.ingest(order) == first
        assert furnished.service.materialise(publish) == snapshot
        furnished.restart()
    assert furnished.ingest("tax").rows == 1  # by another order
    furnished.later(days=3)
    furnished.restart()
    assert (furnished.home / "vault/journal/orders.log").stat().st_size == 0
    assert refused(lambda: furnished.service.ingest(order)) == "REPLAY"
    assert refused(lambda: furnished.service.materialise(publish)) == "REPLAY"


def test_an_order_that_failed_may_be_brought_again(furnished: SmallRoom) -> None:
    path = furnished.sources / "tax/tax_month.csv"
    good = path.read_bytes()
    path.write_bytes(good + b'"open')
    order = furnished.ingest_order("tax")
    assert refused(lambda: furnished.service.ingest(order)) == "SOURCE_MALFORMED"
    path.write_bytes(good)
    assert furnished.service.ingest(order)["rows"] == 1


def test_an_order_that_cannot_be_obeyed_now_is_told_so_at_once(furnished: SmallRoom) -> None:
    with furnished.service._obedience.turn():
        assert refused(lambda: furnished.ingest("tax")) == "VAULT_BUSY"
        assert refused(furnished.materialise) == "VAULT_BUSY"
    assert furnished.ingest("tax").rows == 1


def named(folder: Path) -> tuple[OrderedFile, ...]:
    return tuple(
        OrderedFile(name=path.name, sha256=digest_bytes(path.read_bytes()))
        for path in sorted(folder.iterdir())
    )


def test_named_files_are_taken_as_named(furnished: SmallRoom) -> None:
    assert furnished.ingest("tax", files=named(furnished.sources / "tax")).rows == 1


def _change(folder: Path) -> None:
    write_csv(folder / "tax_month.csv", [tax_month(ONE, 1, "6")])


def _add(folder: Path) -> None:
    write_csv(folder / "tax_month_0.csv", [tax_month(ONE, 2, "6")])


def _remove(folder: Path) -> None:
    (folder / "tax_month.csv").unlink()


@pytest.mark.parametrize("harm", [_change, _add, _remove])
def test_what_the_steward_did_not_name_is_not_taken(
    furnished: SmallRoom, harm: Callable[[Path], None]
) -> None:
    folder = furnished.sources / "tax"
    files = named(folder)
    harm(folder)
    with pytest.raises(BadInput, match="SOURCE_MALFORMED"):
        furnished.ingest("tax", files=files)


def test_a_link_in_a_source_s_folder_is_no_way_to_another(furnished: SmallRoom) -> None:
    folder = furnished.sources / "power"
    folder.mkdir()
    (folder / "util_month.csv").symlink_to(furnished.sources / "tax/tax_month.csv")
    assert refused(lambda: furnished.ingest("power")) == "SOURCE_MALFORMED"
    (folder / "util_month.csv").unlink()
    folder.rmdir()
    folder.symlink_to(furnished.sources / "tax")
    assert refused(lambda: furnished.ingest("power")) == "SOURCE_MALFORMED"


def test_the_very_paper_that_was_obeyed_gets_what_it_gave_whatever_its_age(
    furnished: SmallRoom,
) -> None:
    order, publish = furnished.ingest_order("tax"), furnished.snapshot_order()
    first = furnished.service.ingest(order)
    snapshot = furnished.service.materialise(publish)
    furnished.later(hours=20)
    for _ in range(2):
        assert furnished.service.ingest(order) == first
        assert furnished.service.materialise(publish) == snapshot
        furnished.restart()


def test_another_paper_of_the_same_words_is_verified(furnished: SmallRoom) -> None:
    """Who knows what was asked, and cannot sign it, is told nothing."""
    order = furnished.ingest_order("tax")
    furnished.service.ingest(order)
    again = make.sign(order.body, "power.steward")
    assert refused(lambda: furnished.service.ingest(again)) == "ROLE"
    assert refused(lambda: furnished.service.ingest(forget(order))) == "SIGNATURE_INVALID"
    furnished.later(hours=1)
    assert refused(lambda: furnished.service.ingest(forget(order))) == "SIGNATURE_INVALID"
