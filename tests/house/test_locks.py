"""Does the check of the locks see what it promises to see?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tools.check_locks import CONTENTS, Lock, check, main, read_lock

GOOD = "numpy==2.1.0 \\\n    --hash=sha256:aa\n    # via saferoom\n"


def test_the_locks_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", CONTENTS)
def test_no_lock_names_an_address(root: Path, name: str) -> None:
    assert "://" not in (root / f"locks/{name}.lock").read_text()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "# from https://example.org/simple\n", "address"),
        ("numpy==2.1.0\n", "numpy has no hash"),
        ("numpy==1.0 \\\n    --hash=sha256:aa\n", "does not hold numpy>=2"),
        ("pandas==2.1.0 \\\n    --hash=sha256:aa\n", "does not hold numpy>=2"),
        ("numpy==2.2.0 \\\n    --hash=sha256:aa\n", "numpy differs from dev.lock"),
    ],
)
def test_a_bad_lock_is_named(root: Path, text: str, complaint: str) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    dev = Lock({"numpy": {"2.1.0"}}, [])
    assert any(complaint in line for line in check("room", read_lock(text), dev, project))


def test_a_lock_may_pin_one_name_under_two_markers() -> None:
    text = 'numpy==2.1.0 ; python_full_version < "3.12" \\\n    --hash=sha256:aa\n' + GOOD
    assert read_lock(text) == Lock({"numpy": {"2.1.0"}}, [])
