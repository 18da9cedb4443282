"""Does the vault tell a steward about many, and never, by whatever detour, about one?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.canonical import Json, canonical_bytes
from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.core.quality import Check, QualityRule
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import Statement
from saferoom.errors import SaferoomError
from saferoom.vault.keys import Keys
from saferoom.vault.told import Told
from tests import factories as make
from tests.vault.conftest import copied
from tests.vault.room import SmallRoom, reg_base, tax_month, tax_year, write_csv

FIRMS = tuple(make_uscc(number) for number in range(100, 160))
Line = Mapping[str, Json]


def write_firms(room: SmallRoom, firms: tuple[str, ...], number: int) -> None:
    """Bring a new file of these firms: sales 12,000 to 71,000, one with a grade missing."""
    year = [tax_month(code, 1, 1000 * (12 + FIRMS.index(code))) for code in firms]
    write_csv(room.sources / f"tax/tax_month-{number}.csv", year, "gbk")
    write_csv(room.sources / f"registry/reg_base-{number}.csv", [reg_base(c) for c in firms])


@pytest.fixture(scope="module")
def told_room_once(tmp_path_factory: pytest.TempPathFactory) -> SmallRoom:
    """A vault with 59 firms, one of them without taxes."""
    bare = SmallRoom.open(tmp_path_factory.mktemp("told_room"))
    bare.furnish()
    bare.enrol("power.clerk", "room", Role.AUDITOR)
    write_csv(bare.sources / "tax/tax_year.csv", [tax_year(FIRMS[0], "A")], "gbk")
    write_firms(bare, FIRMS[:58], 1)
    write_csv(bare.sources / "registry/reg_base-9.csv", [reg_base(FIRMS[59])])
    for name in ("registry", "tax"):
        bare.ingest(name)
    bare.materialise()
    bare.service.close()
    return bare


@pytest.fixture
def told_room(told_room_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    room = copied(told_room_once, tmp_path)
    yield room
    room.service.close()


def order(room: SmallRoom, *views: str, by: str = "tax.steward", **changes: object) -> Statement:
    room.orders += 1
    fields: dict[str, object] = {
        "views": tuple(sorted(views)),
        "asked_at": write_instant(room.now),
        "nonce": make.nonce(("profile", room.orders)),
    }
    return make.sign(make.profile_order(**{**fields, **changes}), by)


def ask(room: SmallRoom, *views: str, by: str = "tax.steward") -> dict[str, Line]:
    told = room.service.profile(order(room, *views, by=by))
    features = told["features"]
    assert isinstance(features, list)
    return {str(line["view"]): line for line in features if isinstance(line, dict)}


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SaferoomError) as caught:
        act()
    return caught.value.code


def test_a_steward_sees_figures_of_many_of_its_own_tables(told_room: SmallRoom) -> None:
    line = ask(told_room, "sales_12")["sales_12"]
    assert (line["refused"], line["present"], line["missing"]) == (None, 60, None)
    assert line["mean"] == "40500"
    assert line["quantiles"] == [{"percent": 50, "value": "40000"}]
    bins = line["histogram"]
    assert isinstance(bins, list)
    assert [one["starts"] for one in bins if isinstance(one, dict)] == [None, "46000"]


def test_of_a_feature_below_its_gate_no_figure_is_told(told_room: SmallRoom) -> None:
    late = QualityRule(
        name="a", table="tax_month", check=Check.TIMELY, days=1, least=1000, gate=1000
    )
    told_room.service.close()
    told_room.rules = (late,)
    told_room.start()
    told_room.materialise()
    told = ask(told_room, "paid_cap_r", "sales_12", by="sun")
    assert told["sales_12"] == {"view": "sales_12", "refused": "QUALITY_GATE"}
    assert told["paid_cap_r"]["refused"] != "QUALITY_GATE"


def test_whole_shapes_are_public_and_rounded_here(told_room: SmallRoom) -> None:
    told = told_room.service.profile(order(told_room, "sales_12"))
    assert told["enterprises"] == 60
    assert told["snapshot"] == told_room.service._snapshots.current.digest  # type: ignore[union-attr]


def test_a_feature_of_a_few_has_no_figures(told_room: SmallRoom) -> None:
    assert ask(told_room, "tax_grade")["tax_grade"] == {"view": "tax_grade", "refused": "K_ANON"}


def test_an_operator_reviews_every_feature(told_room: SmallRoom) -> None:
    lines = ask(told_room, *told_room.declared.views.names(), by="zhao")
    assert set(lines) == set(told_room.declared.views.names())
    assert lines["reg_age_m"]["refused"] is None


def test_no_row_and_no_code_is_in_an_answer(told_room: SmallRoom) -> None:
    told = told_room.service.profile(order(told_room, "sales_12", "zero_m12", by="zhao"))
    data = canonical_bytes(told)
    assert not any(code.encode() in data for code in FIRMS)
    assert b"12000" not in data  # the least
    assert b"69000" not in data  # the greatest


@pytest.mark.parametrize(
    ("views", "by", "changes", "code"),
    [
        (("reg_age_m",), "tax.steward", {}, "CONTRACT_SCOPE"),
        (("reg_age_m", "sales_12"), "tax.steward", {}, "CONTRACT_SCOPE"),
        (("sales_12",), "power.steward", {}, "CONTRACT_SCOPE"),
        (("sales_12",), "bank-a.modeller", {}, "ROLE"),
        (("sales_12",), "power.clerk", {}, "ROLE"),
        (("sales_12",), FIRMS[0], {}, "KEY_UNKNOWN"),
        (("max_sales",), "tax.steward", {}, "NOT_FOUND"),
        ((), "tax.steward", {}, "FIELD_INVALID"),
        (("sales_12",), "tax.steward", {"asked_at": "2026-11-20T09:00:00Z"}, "REPLAY"),
    ],
)
def test_others_and_other_things_are_refused(
    told_room: SmallRoom, views: tuple[str, ...], by: str, changes: dict[str, object], code: str
) -> None:
    def act() -> object:
        return told_room.service.profile(order(told_room, *views, by=by, **changes))

    assert refused(act) == code


def test_a_source_that_was_suspended_is_told_nothing(told_room: SmallRoom) -> None:
    suspension = make.suspension(party="source-tax", suspended_at=write_instant(told_room.now))
    told_room.learn(make.sign(suspension, "zhao", "qian"))
    assert refused(lambda: ask(told_room, "sales_12")) == "ORG_INACTIVE"


def test_before_a_snapshot_there_is_nothing(bare: SmallRoom) -> None:
    bare.furnish()
    assert refused(lambda: ask(bare, "sales_12")) == "NOT_READY"


def test_asking_again_gives_the_same(told_room: SmallRoom) -> None:
    first = ask(told_room, "sales_12")
    again = [ask(told_room, "sales_12") for _ in range(5)]
    assert all(one == first for one in again)
    paper = order(told_room, "sales_12")
    assert told_room.service.profile(paper) == told_room.service.profile(paper)


def one_more(room: SmallRoom) -> None:
    """Let a single firm file its taxes since."""
    write_firms(room, (FIRMS[58],), 2)
    for name in ("registry", "tax"):
        room.ingest(name)
    room.materialise()


def test_one_firm_more_cannot_be_told_by_difference(told_room: SmallRoom) -> None:
    """Two snapshots around a filing would tell that firm's sales; also after a restart."""
    assert ask(told_room, "sales_12")["sales_12"]["refused"] is None
    one_more(told_room)
    assert ask(told_room, "sales_12")["sales_12"] == {"view": "sales_12", "refused": "DIFFERENCING"}
    told_room.restart()
    assert ask(told_room, "sales_12")["sales_12"]["refused"] == "DIFFERENCING"
    assert ask(told_room, "sales_12", by="zhao")["sales_12"]["refused"] is None  # their first


def test_another_key_of_the_past_stops_the_vault(told_room: SmallRoom) -> None:
    """With another key each cohort would look new."""
    ask(told_room, "sales_12")
    keys, path = told_room.service._keys, told_room.home / "vault/journal/told.log"
    ring = dict(keys._ring)
    keys._ring["placement"] = bytes(32)
    del keys._marker  # as a process that starts anew
    assert refused(lambda: Told(path, keys)) == "CONTENT_CHANGED"
    keys._ring.update(ring)
    del keys._marker
    Told(path, keys).close()


def test_a_past_that_is_gone_stops_the_vault(told_room: SmallRoom) -> None:
    """Else whoever removes the file may ask again for what was told."""
    ask(told_room, "sales_12")
    told_room.service.close()
    (told_room.home / "vault/journal/told.log").unlink()
    assert refused(told_room.start) == "CONTENT_CHANGED"
    told_room.service.close = lambda: None  # type: ignore[method-assign]  # it is closed


def test_a_past_that_was_changed_stops_the_vault(told_room: SmallRoom, tmp_path: Path) -> None:
    ask(told_room, "sales_12")
    told_room.service.close()
    path = told_room.home / "vault/journal/told.log"
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SaferoomError, match="CONTENT_CHANGED"):
        told_room.start()
    told_room.service.close = lambda: None  # type: ignore[method-assign]  # it is closed


def test_the_past_holds_no_codes(told_room: SmallRoom) -> None:
    ask(told_room, "sales_12", by="zhao")
    path = told_room.home / "vault/journal/told.log"
    assert path.stat().st_mode & 0o077 == 0
    assert not any(code.encode() in path.read_bytes() for code in FIRMS)
    for word in (b"party", b"sales_12"):  # nor who asked for what
        assert word not in path.read_bytes()


def erase(room: SmallRoom, firm: str) -> None:
    room.enrol(firm, firm, Role.ENTERPRISE)
    room.service.erase(make.sign(make.erase_order(firm, asked_at=write_instant(room.now)), firm))


def test_an_erased_firm_is_not_told_by_the_figures_without_it(told_room: SmallRoom) -> None:
    assert ask(told_room, "sales_12")["sales_12"]["refused"] is None
    erase(told_room, FIRMS[7])
    for _ in range(2):
        assert ask(told_room, "sales_12")["sales_12"]["refused"] == "DIFFERENCING"
        told_room.restart()
    told_room.later(days=2)
    write_firms(told_room, FIRMS[8:58], 2)  # fifty file anew, so what is told is of many
    year = [tax_month(code, 2, 500) for code in FIRMS[8:58]]
    write_csv(told_room.sources / "tax/tax_month-3.csv", year, "gbk")
    told_room.ingest("tax")
    told_room.materialise()
    assert ask(told_room, "sales_12")["sales_12"]["refused"] is None


def test_old_files_of_the_past_open_no_more_after_an_erasure(
    told_room: SmallRoom, tmp_path: Path
) -> None:
    ask(told_room, "sales_12")
    path, keys = told_room.home / "vault/journal/told.log", told_room.service._keys
    old, before = path.read_bytes(), dict(keys._ring)
    erase(told_room, FIRMS[7])
    (tmp_path / "old.log").write_bytes(old)
    assert refused(lambda: Told(tmp_path / "old.log", keys)) == "CONTENT_CHANGED"
    held = set(keys.names("told/"))
    keys._ring.update(before)  # the control: with the old keys it does open
    Told(tmp_path / "old.log", keys).close()
    assert held.isdisjoint(before)


@pytest.mark.parametrize("stop", ["rename", "sync", "keep_only"])
@pytest.mark.parametrize("act", ["renew", "erase"])
def test_a_stop_while_the_past_is_written_again_forgets_nothing(
    told_room: SmallRoom, monkeypatch: pytest.MonkeyPatch, act: str, stop: str
) -> None:
    ask(told_room, "sales_12")
    keys = told_room.service._keys
    path = told_room.home / "vault/journal/told.log"
    told_room.service.close()
    told = Told(path, keys)

    def dead(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        where = {"rename": Path, "keep_only": Keys}.get(stop)
        if where is None:
            patched.setattr("saferoom.vault.told.sync", dead)
        else:
            patched.setattr(where, stop, dead)
        with pytest.raises(KeyboardInterrupt):
            told.renew() if act == "renew" else told.erase(5)
    told.close()
    again = Told(path, keys)
    assert len(again.of("source-tax", "sales_12")) == 1
    assert len(keys.names("told/")) == 1
    again.erase(5)
    (cohort,) = again.of("source-tax", "sales_12")
    assert cohort.hidden.sum() == 1
    again.close()
    told_room.start()


def test_one_order_at_a_time(told_room: SmallRoom) -> None:
    told_room.now += timedelta(seconds=1)
    with told_room.service._obedience.turn():
        assert refused(lambda: ask(told_room, "sales_12")) == "VAULT_BUSY"
