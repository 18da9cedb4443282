"""Are private keys kept, read back, and refused when others could read them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.client import keyfolder
from saferoom.client.keyfolder import KeyFolder
from saferoom.errors import BadInput, Conflict
from tests.client.conftest import make_keys


def test_a_folder_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "a")
    assert keyfolder.load(tmp_path / "a") == made


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "a")
    keyfolder.keep_token(keys, "secret")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}
    assert modes == {"key.json": 0o600, "token": 0o600}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_token_is_kept_and_replaced(tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "a")
    keyfolder.keep_token(keyfolder.keep_token(keys, "one"), "two")
    assert keyfolder.load(tmp_path / "a").token == "two"


def test_keys_are_never_printed(keys: KeyFolder) -> None:
    assert keys.signing.seed.hex() not in repr(keys)
    assert "SigningKey" not in repr(keys)


def test_an_existing_key_is_not_overwritten(tmp_path: Path) -> None:
    make_keys(tmp_path / "a")
    with pytest.raises(Conflict, match="DUPLICATE"):
        make_keys(tmp_path / "a")


@pytest.mark.parametrize("name", ["key.json", "token"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_what_others_could_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    keyfolder.keep_token(make_keys(tmp_path / "a"), "secret")
    (tmp_path / "a" / name).chmod(mode)
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        keyfolder.load(tmp_path / "a")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="KEY_FOLDER"):
        keyfolder.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "saferoom/key-folder/2"},
        {"more": 1},
        {"role": "king"},
        {"holder": 1},
        {"signing_seed": "00"},
        {"delivery_seed": "zz"},
    ],
)
def test_other_fields_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    make_keys(tmp_path / "a")
    path = tmp_path / "a" / "key.json"
    path.write_bytes(canonical_bytes({**parse_object(path.read_bytes()), **change}))
    with pytest.raises(BadInput):
        keyfolder.load(tmp_path / "a")
