"""One word for one thing, and nothing unfinished on a path that a user can take."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

# GLOSSARY.md says what to write instead.
BANNED = {
    r"\bconsents?\b": "grant",
    r"\bsandbox(es|ed)?\b": "cage",
    r"\brecv_time\b": "known_at",
    r"\btest vectors?\b": "golden rows",
    r"\bPSI\b": "stability index, or alignment",
}
UNFINISHED = r"\b(TODO|FIXME|XXX|NotImplementedError|HACK)\b"
SINKS = {"utils", "util", "helpers", "manager", "base", "common", "misc"}
TEXT = {".py", ".md", ".toml", ".cedar", ".json", ".csv"}
# Where a banned word is the subject: the page that bans it, and foreign papers' own words.
ABOUT_WORDS = {"GLOSSARY.md"}


def texts(root: Path) -> list[Path]:
    folders = ("saferoom", "docs", "policies", "connectors", "models", "tools", "benchmarks")
    files = [path for name in folders for path in (root / name).rglob("*")]
    files += root.glob("*.md")
    return [p for p in files if p.suffix in TEXT and p.name not in ABOUT_WORDS and p.is_file()]


def python_files(root: Path) -> list[Path]:
    return sorted((root / "saferoom").rglob("*.py"))


@pytest.mark.parametrize(("pattern", "instead"), BANNED.items())
def test_no_banned_word_is_used(root: Path, pattern: str, instead: str) -> None:
    wrong = [
        f"{path.relative_to(root)}:{number}: write {instead}"
        for path in texts(root)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert wrong == []


def test_nothing_is_left_unfinished(root: Path) -> None:
    wrong = [
        f"{path.relative_to(root)}:{number}"
        for path in python_files(root)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(UNFINISHED, line)
    ]
    assert wrong == []


def test_no_file_is_named_as_a_sink(root: Path) -> None:
    names = {part for path in python_files(root) for part in (path.stem, path.parent.name)}
    assert names & SINKS == set()


def test_every_module_opens_with_a_docstring(root: Path) -> None:
    bare = [
        str(path.relative_to(root))
        for path in python_files(root)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert bare == []


def test_rules_never_ask_the_clock_or_open_a_file(root: Path) -> None:
    """The contract forbids the modules; these calls need no import of their own."""
    calls = {"now", "utcnow", "today", "open", "print", "input", "exec", "eval", "breakpoint"}
    wrong = []
    for name in ("errors.py", "canonical.py", "crypto", "tlog", "core", "scoring"):
        place = root / "saferoom" / name
        for path in [place] if place.is_file() else place.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    called = node.func
                    word = getattr(called, "id", getattr(called, "attr", ""))
                    if word in calls:
                        wrong.append(f"{path.relative_to(root)}:{node.lineno}: {word}()")
    assert wrong == []
