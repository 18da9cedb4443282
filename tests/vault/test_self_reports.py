"""Does an enterprise's own word come in by its own key alone, and never before an official's?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from saferoom.canonical import canonical_bytes
from saferoom.core.moment import write_instant
from saferoom.core.self_report import ReportRow, ReportRows, report_aad
from saferoom.crypto.sealing import seal
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, SaferoomError, Tampered
from saferoom.vault.declarations import content_folder, read_declarations
from tests import factories as make
from tests.vault.conftest import copied
from tests.vault.room import CODES, SmallRoom, write_csv

SEVEN, ONE = CODES[6], CODES[0]  # the seventh is known to no source; the first filed 120,000
COLUMNS = ("record_id", "event_date", "period", "sales")
OCTOBER = ("S-10", "2026-10-31", "2026-10", "70000")


def told(
    room: SmallRoom,
    *lines: tuple[str, ...],
    of: str = SEVEN,
    by: str | None = None,
    **changes: object,
) -> Statement:
    """Report as the SDK does."""
    rows = ReportRows(columns=COLUMNS, rows=tuple(ReportRow(cells=line) for line in lines))
    plain, aad = canonical_bytes(rows.to_body()), report_aad(of, "self_month")
    room.orders += 1
    fields: dict[str, object] = {
        "enterprise": of,
        "sealed": seal(plain, [room.service.sealing_key], aad, room.random).hex(),
        "asked_at": write_instant(room.now),
        "nonce": make.nonce(("told", room.orders)),
    }
    return make.sign(make.self_report(**{**fields, **changes}), by or of)


def figures(room: SmallRoom, code: str) -> list[float]:
    """Read official sales, told sales, and the official ones or else the told."""
    room.later(days=1)
    names = ("sales_12", "told_sales_12", "sales_12_or_told")
    found = room.materialise(as_of="2026-11-21").rows([code], names)
    return [float(one) for one in found.matrix[0]]


@pytest.fixture
def room(furnished_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    made = copied(furnished_once, tmp_path)
    made.later(days=1)
    yield made
    made.service.close()


def test_what_it_says_reaches_the_views_that_say_so(room: SmallRoom) -> None:
    before = room.now
    counts = room.service.report(told(room, OCTOBER))
    assert (counts["rows"], counts["quarantined"]) == (1, 0)
    assert room.now == before
    official, own, either = figures(room, SEVEN)
    assert math.isnan(official)
    assert (own, either) == (70_000, 70_000)


def test_the_official_figure_wins(room: SmallRoom) -> None:
    room.service.report(told(room, OCTOBER, of=ONE))
    assert figures(room, ONE) == [120_000, 70_000, 120_000]


def test_a_dirty_row_waits_outside_with_its_reason(room: SmallRoom) -> None:
    counts = room.service.report(
        told(
            room,
            OCTOBER,
            ("S-9", "2026-09-30", "2026-09", "much"),
            ("S-8", "2026-08-01", "2026-08", "5"),
            ("S-7", "2027-07-31", "2027-07", "5"),
        )
    )
    tables = counts["tables"]
    assert isinstance(tables, dict)
    told_of = tables["self_month"]
    assert isinstance(told_of, dict)
    assert (counts["rows"], counts["quarantined"]) == (1, 3)
    assert told_of["findings"] == [
        [2, "sales", "number"],
        [3, "event_date", "period"],
        [4, "event_date", "future"],
    ]


def test_saying_it_again_corrects_it(room: SmallRoom) -> None:
    room.service.report(told(room, OCTOBER))
    room.later(minutes=5)
    room.service.report(told(room, (*OCTOBER[:3], "60000")))
    assert figures(room, SEVEN)[1] == 60_000


def test_the_same_report_again_has_no_second_effect(room: SmallRoom) -> None:
    report = told(room, OCTOBER)
    assert room.service.report(report) == room.service.report(report)
    batches = [one for one in room.service._facts.manifest.batches if one.source == "self"]
    assert len(batches) == 1


def test_nobody_else_speaks_for_it(room: SmallRoom) -> None:
    for signer in (ONE, "sun", "tax.steward"):
        with pytest.raises(SaferoomError, match=r"SIGNATURE_INVALID|ROLE"):
            room.service.report(told(room, OCTOBER, by=signer))


def test_another_enterprises_sealed_rows_do_not_open(room: SmallRoom) -> None:
    stolen = told(room, OCTOBER).body["sealed"]
    with pytest.raises(Tampered, match="SEAL_INVALID"):
        room.service.report(told(room, OCTOBER, of=ONE, sealed=stolen))


def test_no_official_table_is_reported(room: SmallRoom) -> None:
    for table in ("tax_month", "unknown"):
        with pytest.raises(Refusal, match="CONTRACT_SCOPE"):
            room.service.report(told(room, OCTOBER, table=table))


def test_it_goes_with_the_enterprise(room: SmallRoom) -> None:
    room.service.report(told(room, OCTOBER))
    assert figures(room, SEVEN)[1] == 70_000
    order = make.erase_order(SEVEN, asked_at=write_instant(room.now), nonce=make.nonce("erase"))
    room.service.erase(make.sign(order, SEVEN))
    snapshot = room.service._snapshots.current
    assert snapshot is not None
    assert snapshot.place_of(SEVEN) is None
    assert math.isnan(figures(room, SEVEN)[1])


def test_nothing_of_it_lies_in_clear(room: SmallRoom) -> None:
    room.service.report(told(room, ("S-canary-10", *OCTOBER[1:])))
    for path in room.home.rglob("*"):
        if path.is_file():
            assert b"S-canary-10" not in path.read_bytes(), path


def policies(folder: Path, old: str, new: str, file: str) -> Path:
    """Copy the declarations, with one text changed."""
    for path in (content_folder() / "policies").rglob("*.toml"):
        copy = folder / path.relative_to(content_folder())
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if str(path).endswith(file):
            assert old in text
            text = text.replace(old, new)
        copy.write_text(text, encoding="utf-8")
    return folder


OWN = ("uscc", "record_id", "event_date", "known_at", "status", "period", "sales", "headcount")
OFFICIAL = '{ op = "sum", table = "tax_month", column = "sales", months = [1, 12] }'
TOLD = '{ op = "sum", column = "sales", months = [1, 12] }'


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("features/self.toml", 'also = ["tax"]', "also = []"),
        ("features/self.toml", 'category = "self"', 'category = "tax"'),
        ("features/tax.toml", 'category = "tax"', 'category = "self"'),
        (
            "features/self.toml",
            f"of = {OFFICIAL}, otherwise = {TOLD}",
            f"of = {TOLD}, otherwise = {OFFICIAL}",
        ),
        ("facts.toml", "self_reported = true\n", ""),
        ("facts.toml", 'items = ["tax.filing"]', 'items = ["tax.filing"]\nself_reported = true'),
        ("facts.toml", 'items = ["other.self"]', 'items = ["other.self", "tax.arrears"]'),
    ],
)
def test_a_view_that_hides_it_or_puts_it_first_is_refused(
    tmp_path: Path, file: str, old: str, new: str
) -> None:
    folder = policies(tmp_path, old, new, file)
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_declarations(folder)


def test_no_connector_brings_it_nor_is_called_self(tmp_path: Path) -> None:
    policies(tmp_path, "kind", "kind", "facts.toml")
    body = (content_folder() / "connectors/registry/connector.toml").read_text(encoding="utf-8")
    columns = "\n".join(f'{n} = "{n}"' for n in OWN)
    own = (
        '[tables.self_month]\npath = "own.csv"\nignore = []\n[tables.self_month.columns]\n'
        f"{columns}\n"
    )
    for name, text in (
        ("registry", body + own),
        ("self", body.replace('name = "registry"', 'name = "self"', 1)),
        ("self", body.split("[tables")[0].replace('"registry"', '"self"', 1) + own),
    ):
        path = tmp_path / "connectors" / name / "connector.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput):
            read_declarations(tmp_path)
        path.unlink()
        path.parent.rmdir()
    assert "self_month" in read_declarations(tmp_path).tables


def test_a_file_of_a_source_is_no_report(room: SmallRoom) -> None:
    """What lies in a source's folder under the name of a report's table is not read."""
    write_csv(room.sources / "tax/self_month.csv", [{"uscc": SEVEN, "sales": "5"}])
    room.ingest("tax")
    assert math.isnan(figures(room, SEVEN)[1])
