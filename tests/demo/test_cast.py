"""Are keys derived where they may be, and private where they must be?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from saferoom.client import keyfolder
from saferoom.client.trustfile import trust_of
from saferoom.core.uscc import make_uscc
from saferoom.demo.cast import BANKS, OTHERS, create_people, load_enterprises
from saferoom.demo.granting import Parts
from saferoom.demo.setup import as_of_day
from tests.tlog.small_log import trust

URL = "http://127.0.0.1:8321"


def test_an_enterprises_folder_holds_its_derived_keys(tmp_path: Path) -> None:
    enterprises = load_enterprises(tmp_path, URL)
    code = make_uscc(7)
    kept = keyfolder.load(enterprises.keep(tmp_path, code))
    again = load_enterprises(tmp_path, URL).keys(code)
    assert (kept.signing, kept.sealing) == (again.signing, again.sealing)
    assert kept.signing != enterprises.keys(make_uscc(8)).signing
    assert kept.signing.seed != kept.sealing.seed


def test_named_people_have_private_folders_and_banks_share_a_delivery_key(tmp_path: Path) -> None:
    create_people(tmp_path, URL, trust())
    keys = {person.name: keyfolder.load(tmp_path / person.name) for person in OTHERS}
    for person in OTHERS:
        path = tmp_path / person.name / "key.json"
        assert path.stat().st_mode & 0o077 == 0
        assert (keys[person.name].delivery is not None) == (person.party in BANKS)
        assert trust_of(keys[person.name]) == trust()
    assert keys["li.na"].delivery == keys["bank-a.system"].delivery
    assert keys["li.na"].delivery != keys["sun.yan"].delivery


def test_the_seed_is_private(tmp_path: Path) -> None:
    load_enterprises(tmp_path, URL)
    assert (tmp_path / "enterprises.seed").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("count", "live"), [(2000, 1400), (10, 6), (100, 70)])
def test_parts_are_given_to_seven_in_ten(count: int, live: int) -> None:
    codes = tuple(make_uscc(n) for n in range(count))
    parts = Parts.cast(codes)
    assert len(parts.live) == live
    assert (*parts.live, *parts.expired, *parts.revoked) == codes
    assert len({parts.single, parts.thrifty, parts.fickle, *parts.portfolio}) <= live


@pytest.mark.parametrize(
    ("today", "as_of"),
    [
        (date(2026, 11, 20), date(2026, 9, 30)),
        (date(2026, 1, 1), date(2025, 11, 30)),
        (date(2026, 3, 31), date(2026, 1, 31)),
    ],
)
def test_the_as_of_day_is_the_end_of_the_month_before_last(today: date, as_of: date) -> None:
    assert as_of_day(today) == as_of
