"""Do the derived pages say what the code says, and would a difference be noticed?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from saferoom.errors import CODES
from saferoom.settings import Settings
from tools import derive_docs


def test_derived_pages_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert derive_docs.derive(["--check"]) == 0, capsys.readouterr().err


def test_every_error_code_is_documented(root: Path) -> None:
    page = (root / "docs/reference/errors.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in page] == []


def test_every_setting_is_documented_and_says_what_it_means(root: Path) -> None:
    page = (root / "docs/reference/settings.md").read_text()
    assert [n for n in Settings.model_fields if f"`SAFEROOM_{n.upper()}`" not in page] == []
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_every_variable_that_the_code_names_is_documented(root: Path) -> None:
    page = (root / "docs/reference/settings.md").read_text()
    named = {
        variable
        for path in (root / "saferoom").rglob("*.py")
        for variable in re.findall(r"SAFEROOM_[A-Z]+(?:_[A-Z]+)*", path.read_text())
    }
    assert {variable for variable in named if f"`{variable}`" not in page} == set()


def test_a_stale_page_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(derive_docs, "ROOT", tmp_path)
    monkeypatch.setattr(derive_docs, "PAGES", {"page.md": lambda: "new\n"})
    page = tmp_path / "page.md"
    page.write_text("old\n")
    assert derive_docs.derive(["--check"]) == 1
    assert page.read_text() == "old\n"
    assert "page.md is out of date" in capsys.readouterr().err
    assert derive_docs.derive([]) == 0
    assert page.read_text() == "new\n"
    assert derive_docs.derive(["--check"]) == 0
