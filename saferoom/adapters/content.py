"""Where do policies, connectors and models lie?

In a checkout they are the root's folders; in an installed package `_content`. They
are data, never packages.
"""

from __future__ import annotations

from pathlib import Path

from saferoom.errors import NotFound

_PACKAGE = Path(__file__).resolve().parent.parent


def content_folder(name: str, chosen: Path | None = None) -> Path:
    """Find one content folder: the operator's choice, the checkout's, the package's."""
    roots = [chosen] if chosen else [_PACKAGE.parent, _PACKAGE / "_content"]
    for root in roots:
        if (root / name).is_dir() and (chosen or _is_ours(root)):
            return root / name
    raise NotFound("NOT_FOUND", f"content folder {name}")


def _is_ours(root: Path) -> bool:
    """Keep away from site-packages, where somebody else's `models` may lie."""
    return root.name == "_content" or (root / "pyproject.toml").is_file()
