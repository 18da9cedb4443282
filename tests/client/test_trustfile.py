"""Is the trust file taken from the key folder, whole, and from nobody who could change it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saferoom.client.keyfolder import KeyFolder, load
from saferoom.client.trustfile import (
    TRUST_FILE,
    keep_trust,
    read_trust,
    take_trust,
    trust_of,
    trusted_origin,
)
from saferoom.errors import BadInput, Conflict
from tests.core.test_witness_set import ADDED, FIRST
from tests.factories import vault_keys
from tests.tlog.small_log import trust

TRUST = replace(trust(), vaults=(vault_keys(),))


def test_a_kept_trust_file_is_read_back(keys: KeyFolder) -> None:
    held = keep_trust(keep_trust(keys, TRUST), TRUST)
    assert trust_of(held) == TRUST
    assert held.origin == TRUST.origin
    assert keys.folder is not None
    assert load(keys.folder) == held


def test_another_rooms_does_not_take_its_place(keys: KeyFolder) -> None:
    keep_trust(keys, TRUST)
    with pytest.raises(Conflict, match="DUPLICATE"):
        keep_trust(keys, trust())
    assert trust_of(keys) == TRUST


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_what_others_could_have_changed_is_refused(keys: KeyFolder, mode: int) -> None:
    assert keys.folder is not None
    keep_trust(keys, TRUST)
    (keys.folder / TRUST_FILE).chmod(mode)
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        trust_of(keys)


def test_none_is_asked_for_kindly(keys: KeyFolder, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        trust_of(keys)
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        trust_of(replace(keys, folder=None))
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        keep_trust(replace(keys, folder=None), TRUST)
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        read_trust(tmp_path)


def test_a_broken_one_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / TRUST_FILE).write_text("{}")
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        read_trust(tmp_path / TRUST_FILE)


def test_keys_of_another_room_take_no_trust_file(keys: KeyFolder) -> None:
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        keep_trust(replace(keys, origin="other.example/log"), TRUST)
    with pytest.raises(BadInput, match="TRUST_MISSING"):
        trust_of(keys)


def test_a_trust_file_put_there_by_hand_says_which_room_it_is(keys: KeyFolder) -> None:
    assert trusted_origin(keys) is trusted_origin(replace(keys, folder=None)) is None
    assert keys.folder is not None
    (keys.folder / TRUST_FILE).write_bytes(TRUST.to_bytes())
    assert trusted_origin(keys) == TRUST.origin
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        trust_of(replace(keys, origin="other.example/log"))


def test_a_newer_one_takes_its_place_only_if_it_follows(tmp_path: Path) -> None:
    path = tmp_path / TRUST_FILE
    path.write_bytes(FIRST.to_bytes())
    path.chmod(0o600)
    assert take_trust(path, ADDED) == FIRST
    assert read_trust(path) == ADDED
    assert path.stat().st_mode & 0o777 == 0o600
    for other in (FIRST, TRUST):
        with pytest.raises(Conflict, match="TRUST_UNRELATED"):
            take_trust(path, other)
    assert read_trust(path) == ADDED
    assert [one.name for one in tmp_path.iterdir()] == [TRUST_FILE]
