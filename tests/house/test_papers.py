"""Do the papers speak of things that are there?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PAPERS = ("README.md", "SECURITY.md", "DEVELOPERS.md", "CHANGELOG.md", "GLOSSARY.md")


def pages(root: Path) -> list[Path]:
    return [root / name for name in PAPERS] + sorted((root / "docs").rglob("*.md"))


def proofs(text: str) -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


def test_every_make_target_that_is_named_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for page in pages(root)
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert named - targets == set()


def test_every_link_between_papers_leads_somewhere(root: Path) -> None:
    dead = [
        f"{page.relative_to(root)}: {target}"
        for page in pages(root)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


@pytest.mark.parametrize("paper", ["SECURITY.md", "DEVELOPERS.md", "docs/proofs.md"])
def test_every_file_that_is_named_exists(root: Path, paper: str) -> None:
    text = (root / paper).read_text()
    named = re.findall(
        r"`([a-z_./-]+/[a-z_./-]*|[a-z_./-]+\.(?:py|toml|md|cedar))(?:::\w+)?`", text
    )
    missing = [
        name
        for name in named
        if not (root / name).exists() and not (root / "saferoom" / name).exists()
    ]
    assert missing == []


def test_every_proof_names_a_test_that_exists(root: Path) -> None:
    named = proofs((root / "docs/proofs.md").read_text())
    functions: dict[str, set[str]] = {}
    for file, _ in named:
        tree = ast.parse((root / file).read_text())
        functions[file] = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
    assert [f"{file}::{name}" for file, name in named if name not in functions[file]] == []


def test_the_readme_opens_with_the_two_commands(root: Path) -> None:
    assert "make demo" in (root / "README.md").read_text()[:200]
    assert "make test" in (root / "README.md").read_text()[:200]


def test_python_in_the_papers_compiles(root: Path) -> None:
    followed = [root / "README.md", root / "docs/tutorial.md", *(root / "docs/how-to").iterdir()]
    for page in followed:
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
            compile(code, str(page), "exec")
