"""Does the set-up help where it cannot go on, and leave things as they were?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

COREUTILS = ("cat", "cut", "dirname", "mv", "pwd", "rm", "sha256sum")


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    for name in ("tools/environment.sh", "locks/room.lock", "locks/dev.lock", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COREUTILS:
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def set_up(checkout: Path, bare_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", checkout / "tools/environment.sh", *arguments],
        env={"PATH": str(bare_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_python_one_command_is_named(checkout: Path, bare_path: Path) -> None:
    result = set_up(checkout, bare_path, "room")
    assert result.returncode == 1
    assert "no Python 3.11 or newer on PATH" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_no_python(checkout: Path, bare_path: Path) -> None:
    old = bare_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert "no Python 3.11" in set_up(checkout, bare_path, "room").stderr


def test_a_python_without_venv_and_pip_names_one_command(checkout: Path, bare_path: Path) -> None:
    crippled = bare_path / "python3"
    crippled.write_text(f'#!/bin/sh\n[ "$1" = - ] && {{ echo {crippled}; exit; }}\nexit 1\n')
    crippled.chmod(0o755)
    result = set_up(checkout, bare_path, "room")
    assert result.returncode == 1
    assert "Run: apt-get install python3-venv" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("production",)])
def test_an_unknown_lock_is_refused(
    checkout: Path, bare_path: Path, arguments: tuple[str, ...]
) -> None:
    result = set_up(checkout, bare_path, *arguments)
    assert result.returncode == 1
    assert "usage" in result.stderr
