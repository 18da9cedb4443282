"""Does an import that goes upward, or out of the rules' purity, turn the check red?"""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOT_ROOMS = {
    "__main__",  # the command: it stands above all floors and nothing imports it
}


def lint(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--config", config, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the product, to break it."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copytree(
        root / "saferoom", copy / "saferoom", ignore=shutil.ignore_patterns("__pycache__")
    )
    return copy


def test_the_floors_hold(root: Path, house: Path) -> None:
    result = lint(house, root / ".importlinter")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "line", "broken"),
    [
        ("core", "import saferoom.app", "The room's floors"),
        ("tlog", "from saferoom.core import moment", "The room's floors"),
        ("errors", "from saferoom import canonical", "The room's floors"),
        ("app", "from saferoom.adapters import cedar", "The room's floors"),
        ("api", "import saferoom.worker", "The room's floors"),
        ("client", "import saferoom.sdk", "The bank's floors"),
        ("sdk", "import saferoom.app", "The bank's side"),
        ("client", "import sqlalchemy", "The bank's side"),
        ("api", "import saferoom.client", "The room never leans"),
        ("cage", "import saferoom.vault", "The vault starts the cage"),
        ("vault", "import sqlalchemy", "Vault, intake and cage"),
        ("api", "import saferoom.vault", "Nobody imports the vault"),
        ("vault", "import saferoom.intake", "Nobody imports the vault"),
        ("witness", "from saferoom.core import trust", "Witness and monitor are other"),
        ("monitor", "from saferoom.core import log_events", "Witness and monitor are other"),
        ("monitor", "import saferoom.witness", "Witness and monitor stand"),
        ("api", "import saferoom.monitor", "The room never leans"),
        ("adapters/database", "import saferoom.app", "The tables are a floor"),
        ("vault", "import lightgbm", "Native model readers"),
        ("core", "import time", "Rules are pure"),
        ("crypto", "import secrets", "Rules are pure"),
        ("scoring", "from os import urandom", "Rules are pure"),
    ],
)
def test_a_wrong_import_is_red(root: Path, house: Path, room: str, line: str, broken: str) -> None:
    place = house / "saferoom" / room
    intruder = place / "intruder.py" if place.is_dir() else place.with_suffix(".py")
    before = intruder.read_text() if intruder.exists() else None
    intruder.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint(house, root / ".importlinter")
    finally:
        intruder.unlink() if before is None else intruder.write_text(before)
    red = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    assert result.returncode == 1
    assert any(text.startswith(broken) for text in red), result.stdout


def test_every_room_stands_on_a_floor(root: Path) -> None:
    config = configparser.ConfigParser()
    config.read(root / ".importlinter")
    named = {
        word.strip("()").removeprefix("saferoom.")
        for section in config.values()
        for option in ("layers", "protected_modules")
        for word in section.get(option, "").split()
    }
    rooms = {
        path.stem
        for path in (root / "saferoom").iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert rooms - NOT_ROOMS <= named
