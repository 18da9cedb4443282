"""Does a check name each file that is not well, and no other?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saferoom.vault.checking import check_home
from saferoom.vault.home import VaultHome
from tests.vault.room import CODES, SmallRoom


@pytest.fixture
def closed(room: SmallRoom) -> SmallRoom:
    version = room.file_version()
    room.score(version, CODES[0])
    room.materialise()
    room.service.close()
    return room


def damaged(room: SmallRoom) -> list[str]:
    found = check_home(VaultHome(room.home), room.declared.tables)
    names = found["damaged"]
    assert isinstance(names, list)
    assert found["well"] is not bool(names)
    return [str(name) for name in names]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


FILES = [
    "facts/tax_month/*.parquet",
    "segments/*/*.segment",
    "segments/*/manifest.json",
    "models/*",
    "journal/statements.log",
    "genesis.json",
    "facts/manifest.json",
]


def one_of(room: SmallRoom, pattern: str) -> Path:
    vault = room.home / "vault"
    sized = [path for path in sorted(vault.glob(pattern)) if path.stat().st_size > 500]
    return (sized or sorted(vault.glob(pattern)))[0]


def test_a_home_that_is_well_is_found_so_and_left_as_it_is(closed: SmallRoom) -> None:
    def state() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in closed.home.rglob("*") if p.is_file()}

    before = state()
    assert damaged(closed) == []
    assert state() == before


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
@pytest.mark.parametrize("pattern", FILES)
def test_each_damaged_file_is_named(
    closed: SmallRoom, pattern: str, harm: Callable[[Path], None]
) -> None:
    path = one_of(closed, pattern)
    name = str(path.relative_to(closed.home / "vault"))
    harm(path)
    # A submitted artefact may be put away: its version is then refused as unfiled. And a torn last
    # frame of a journal is what a crash leaves.
    unnamed = harm is Path.unlink and pattern == "models/*"
    unnamed |= harm is cut and pattern.startswith("journal")
    found = damaged(closed)
    if harm is flip and pattern == "facts/manifest.json":  # may still read well, and name another
        assert found
    else:
        assert found == ([] if unnamed else [name])


@pytest.mark.parametrize("name", ["ring", "sealing", "kek"])
def test_without_its_keys_the_ring_is_named_and_the_rest_is_not_read(
    closed: SmallRoom, name: str
) -> None:
    (path,) = (closed.home / "vault/keys").glob(f"{name}*")
    path.unlink()
    assert damaged(closed) == ["keys/ring"]


def test_a_damaged_list_of_files_is_named(closed: SmallRoom) -> None:
    path = one_of(closed, "segments/*/files")
    path.write_bytes(path.read_bytes()[:-3])
    (name,) = damaged(closed)
    assert name.endswith("/manifest.json")


def test_the_program_checks_a_vault_that_does_not_run(closed: SmallRoom) -> None:
    command = [sys.executable, "-m", "saferoom.vault", "--home", str(closed.home), "--check"]
    well = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (well.returncode, '"well":true' in well.stdout) == (0, True)
    flip(one_of(closed, "segments/*/*.segment"))
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, ".segment" in found.stdout) == (1, True)
    assert CODES[0] not in found.stdout + found.stderr
